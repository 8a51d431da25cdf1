"""The fleet's figures in CloudWatch's embedded metric format: one line a metric, read from the function's log.

Powertools' `Metrics` would add the function's name as a dimension, and the fleet's alarms watch the fleet, whoever
measured; so each is a `single_metric`. All are high-resolution: alarms look at them every 10 seconds.
"""

from __future__ import annotations

from aws_lambda_powertools.metrics import MetricResolution, MetricUnit, single_metric

from swarmkeeper.domain.figures import FleetFigures, PoolFigures
from swarmkeeper.domain.model import NANO_CPUS_PER_CPU

NAMESPACE = "Swarmkeeper"
RESERVED_CPUS, RESERVED_MEMORY, RESERVED_CONTAINERS = "ReservedCpus", "ReservedMemory", "ReservedContainers"
"""What a pool holds; the forecast reads them again after weeks."""
NO_SERVICE = ""
"""Else even a single metric gets POWERTOOLS_SERVICE_NAME as a dimension, and no alarm would match it."""


def emit_figures(figures: FleetFigures, fleet: str) -> None:
    """Print the metrics in the embedded format; CloudWatch reads them from the log."""
    emit_pending(fleet, figures.pending)
    _fleet_metric(fleet, "OldestPendingAge", figures.oldest_pending_s, MetricUnit.Seconds)
    _fleet_metric(fleet, RESERVED_CONTAINERS, sum(pool.containers for pool in figures.pools))
    for pool in figures.pools:
        _pool_metrics(fleet, pool)


def emit_pending(fleet: str, pending: int) -> None:
    """How many accepted requests wait."""
    _fleet_metric(fleet, "PendingContainers", pending)


def emit_placement(fleet: str, seconds: float) -> None:
    """How long one request took from its admission until its container was started or had to wait."""
    _fleet_metric(fleet, "PlacementTime", seconds, MetricUnit.Seconds)


def emit_decision(fleet: str, *, pool: str, direction: str, desired: int) -> None:
    """To how many nodes a pool shall come, by a decision that changes it."""
    with single_metric("DecidedNodes", MetricUnit.Count, desired, MetricResolution.High, namespace=NAMESPACE) as metric:
        metric.service = NO_SERVICE
        metric.add_dimension("Fleet", fleet)
        metric.add_dimension("Pool", pool)
        metric.add_dimension("Direction", direction)


def emit_loss_refused(fleet: str) -> None:
    """A silent node was not declared lost, lest too many be."""
    _fleet_metric(fleet, "LossesRefused", 1)


def emit_engine_call(fleet: str, operation: str, seconds: float) -> None:
    """How long one call of an engine took."""
    with single_metric("EngineCallTime", MetricUnit.Seconds, seconds, namespace=NAMESPACE) as metric:
        metric.service = NO_SERVICE
        metric.add_dimension("Fleet", fleet)
        metric.add_dimension("Operation", operation)


def _fleet_metric(fleet: str, name: str, value: float, unit: MetricUnit = MetricUnit.Count) -> None:
    with single_metric(name, unit, value, MetricResolution.High, namespace=NAMESPACE) as metric:
        metric.service = NO_SERVICE
        metric.add_dimension("Fleet", fleet)


def _pool_metrics(fleet: str, pool: PoolFigures) -> None:
    values: list[tuple[str, MetricUnit, float]] = [
        ("ReadyNodes", MetricUnit.Count, pool.ready_nodes),
        ("PoolFailed", MetricUnit.Count, int(pool.has_failed)),
        ("SilentNodes", MetricUnit.Count, pool.silent_nodes),
        (RESERVED_CPUS, MetricUnit.Count, pool.reserved.nano_cpus / NANO_CPUS_PER_CPU),
        (RESERVED_MEMORY, MetricUnit.Bytes, pool.reserved.memory_bytes),
        (RESERVED_CONTAINERS, MetricUnit.Count, pool.containers),
        ("OfferedCpus", MetricUnit.Count, pool.offered.nano_cpus / NANO_CPUS_PER_CPU),
        ("OfferedMemory", MetricUnit.Bytes, pool.offered.memory_bytes),
    ]
    if pool.reserved_share is not None:
        values.append(("ReservedShare", MetricUnit.NoUnit, pool.reserved_share))
    for name, unit, value in values:
        with single_metric(name, unit, value, MetricResolution.High, namespace=NAMESPACE) as metric:
            metric.service = NO_SERVICE
            metric.add_dimension("Fleet", fleet)
            metric.add_dimension("Pool", pool.pool)
