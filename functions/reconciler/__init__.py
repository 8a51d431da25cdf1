"""Measures the fleet and is the backstop for lost events."""
