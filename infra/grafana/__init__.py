"""Grafana's dashboards and alert rules as code; what comes of them lies in compose/monitoring/grafana."""
