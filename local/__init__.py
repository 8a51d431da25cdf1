"""The local cloud: the product's own template and functions on one machine."""
