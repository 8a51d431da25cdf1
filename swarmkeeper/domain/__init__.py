"""Pure decisions: standard library only; no AWS, Docker, clock, environment or logging."""
