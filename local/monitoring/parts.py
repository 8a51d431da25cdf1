"""What `--monitoring` adds to a local cloud: InfluxDB, and the stand-in that fills it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from local.aws.server import AwsServer
from local.machines import Machines
from local.monitoring.influxdb import Influx, InfluxDB
from local.monitoring.stand_in import StandIn, places_of

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Monitoring:
    """What runs."""

    influx: Influx
    stand_in: StandIn


def start(
    parts: ExitStack, server: AwsServer, machines: Machines, fleet: str, groups: Mapping[str, str], state_dir: Path
) -> Monitoring:
    """Start both; their ends go onto the stack. Raises MachineError when InfluxDB does not start.

    groups: the names of the Auto Scaling groups by pool. Simulated machines have no /proc and no cAdvisor: then the
    control plane is all that is measured.
    """
    database = InfluxDB(state_dir)
    parts.callback(database.stop)  # first: it may run and not do what else it is asked at its start
    database.start()
    stand_in = StandIn(
        influx=database.client,
        cloudwatch=server.client("cloudwatch"),
        fleet=fleet,
        region=server.region,
        places=partial(places_of, server.client("autoscaling"), groups),
        nodes=machines if machines.kind == "real" else None,
    )
    stand_in.start()
    parts.callback(stand_in.stop)
    return Monitoring(database.client, stand_in)
