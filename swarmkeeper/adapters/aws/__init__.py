"""Ports filled with AWS."""
