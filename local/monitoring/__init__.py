"""Monitoring in the local cloud: a real InfluxDB, real cAdvisors on the nodes, and a stand-in for Telegraf."""
