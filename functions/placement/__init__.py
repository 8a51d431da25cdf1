"""Places containers: asked directly, and by events that make room or finish a pull."""
