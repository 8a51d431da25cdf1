"""Says which node has a container, to the nodes' routers."""
