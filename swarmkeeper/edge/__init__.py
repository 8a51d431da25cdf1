"""What comes from outside, as pydantic models that become domain values at once."""
