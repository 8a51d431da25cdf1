"""AWS's APIs on this machine: moto, and a strict layer for what moto lacks."""
