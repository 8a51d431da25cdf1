"""Ports filled with AWS and Docker."""
