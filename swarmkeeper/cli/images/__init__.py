"""`swarmkeeper images`: the base images of users' containers, and the fleet's registry."""
