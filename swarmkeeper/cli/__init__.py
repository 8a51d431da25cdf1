"""The swarmkeeper command."""
