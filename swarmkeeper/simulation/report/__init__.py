"""The report of a simulation: a page with plots that reads offline, the plots alone, and the figures as JSON."""
