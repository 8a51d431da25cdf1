"""Policies that the simulator compares: when to buy nodes, and which to remove."""
