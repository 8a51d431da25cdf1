"""Which node a container goes to, and why not the others."""
