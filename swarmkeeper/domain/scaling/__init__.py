"""How many nodes the fleet should have, and which may go."""
