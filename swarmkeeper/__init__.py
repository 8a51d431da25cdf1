"""Swarmkeeper keeps a fleet of Docker engines on AWS the right size and places containers on it."""

__version__ = "0.1.0"
