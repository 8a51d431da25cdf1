"""The fleet's AWS resources and all their wiring, as a CDK app."""
