"""Faults on purpose: a local cloud under load, what goes wrong by a seed, and a judge who looks from outside."""
