"""The fleet's table in this process's memory: for tests, benchmarks and simulations."""
