"""Decides how many nodes a pool has."""
