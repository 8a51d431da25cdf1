"""What `swarmkeeper simulate` reads from its options and shows."""
