"""Replays demand through the code that places and scales, against a model of pools, and compares policies."""
