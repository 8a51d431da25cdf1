"""Joins and drains instances."""
