"""What the control plane costs a month: counted on the local cloud, priced by a table."""
