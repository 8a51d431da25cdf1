"""The four dashboards: the fleet, a node, a container, the control plane."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable

from infra.grafana.influxql import CONTAINERS, CONTROL_PLANE, OURS, Asked, asked, of_fleet, over_time
from infra.grafana.panels import THIRD, choice, graph, new, number

IN_POOL = "\"pool\" != '' AND \"direction\" = ''"
"""A metric of a pool, and not of one of its decisions."""
OF_THE_FLEET = "\"pool\" = '' AND \"operation\" = ''"
ON_NODE = '"host" =~ /^$node$/'
IS_CONTAINER = f'"{OURS}" =~ /^$fleet$/ AND "name" =~ /^$container$/'


def all_dashboards() -> dict[str, Dashboard]:
    """Each by the name of its file."""
    return {"fleet": fleet(), "node": node(), "container": container(), "control-plane": control_plane()}


def fleet() -> Dashboard:
    """How much there is, how much of it is taken, and what runs."""
    return (
        new("Swarmkeeper: fleet", "fleet", _fleets())
        .with_panel(
            number("Containers placed", asked(of_fleet("last", "reserved_containers_maximum", where=OF_THE_FLEET)))
        )
        .with_panel(number("Containers that wait", asked(of_fleet("last", "pending_containers_maximum"))))
        .with_panel(number("Longest wait", asked(of_fleet("last", "oldest_pending_age_maximum")), unit="s"))
        .with_panel(number("Nodes ready", asked(_sum_of_pools("ready_nodes_maximum"))))
        .with_panel(graph("Containers that run, by node", asked(_running("host"), "$tag_host")))
        .with_panel(graph("Nodes ready, by pool", _by_pool("ready_nodes_maximum")))
        .with_panel(graph("Reserved share, by pool", _by_pool("reserved_share_maximum"), unit="percentunit"))
        .with_panel(
            graph(
                "CPUs reserved and offered, by pool",
                asked(of_fleet("max", "reserved_cpus_maximum", '"pool"', IN_POOL), "$tag_pool reserved"),
                asked(of_fleet("max", "offered_cpus_maximum", '"pool"', IN_POOL), "$tag_pool offered", ref="B"),
            )
        )
        .with_panel(
            graph(
                "Memory reserved and offered, by pool",
                asked(of_fleet("max", "reserved_memory_maximum", '"pool"', IN_POOL), "$tag_pool reserved"),
                asked(of_fleet("max", "offered_memory_maximum", '"pool"', IN_POOL), "$tag_pool offered", ref="B"),
                unit="bytes",
            )
        )
        .with_panel(
            graph("CPU of the nodes in use", asked(_of_nodes("usage_active", "cpu"), "$tag_host"), unit="percent")
        )
        .with_panel(
            graph("Memory of the nodes in use", asked(_of_nodes("used_percent", "mem"), "$tag_host"), unit="percent")
        )
        .with_panel(graph("Silent nodes, by pool", _by_pool("silent_nodes_maximum")))
    )


def node() -> Dashboard:
    """One node's machine, and the containers on it."""
    return (
        new("Swarmkeeper: node", "node", _fleets(), choice("node", "system", "host", '"fleet" =~ /^$fleet$/'))
        .with_panel(
            graph("CPU in use", asked(over_time('mean("usage_active")', '"cpu"', ON_NODE), "in use"), unit="percent")
        )
        .with_panel(
            graph(
                "Memory",
                asked(over_time('mean("total") - mean("available")', '"mem"', ON_NODE), "in use"),
                asked(over_time('mean("total")', '"mem"', ON_NODE), "there", ref="B"),
                unit="bytes",
            )
        )
        .with_panel(graph("Load", asked(over_time('mean("load1")', '"system"', ON_NODE), "1 minute"), span=THIRD))
        .with_panel(graph("Disk in use", asked(_disk(), "$tag_path"), unit="percent", span=THIRD))
        .with_panel(
            graph(
                "Traffic",
                asked(_rate("bytes_recv", '"net"', ON_NODE, '"interface"'), "$tag_interface in"),
                asked(_rate("bytes_sent", '"net"', ON_NODE, '"interface"'), "$tag_interface out", ref="B"),
                unit="Bps",
                span=THIRD,
            )
        )
        .with_panel(graph("CPU of its containers, of one CPU", asked(_cpus(ON_NODE), "$tag_name"), unit="percentunit"))
        .with_panel(graph("Memory of its containers", asked(_memory(ON_NODE), "$tag_name"), unit="bytes"))
    )


def container() -> Dashboard:
    """One container, wherever it ran: a move shows as one line that ends and another that begins."""
    where = f'"{OURS}" =~ /^$fleet$/'
    return (
        new("Swarmkeeper: container", "container", _fleets(), choice("container", CONTAINERS, "name", where))
        .with_panel(graph("CPU, of one CPU", asked(_cpus(IS_CONTAINER, '"host"'), "on $tag_host"), unit="percentunit"))
        .with_panel(
            graph("Memory that it works with", asked(_memory(IS_CONTAINER, '"host"'), "on $tag_host"), unit="bytes")
        )
        .with_panel(graph("Its limit of memory", asked(_limit(), "on $tag_host"), unit="bytes", span=THIRD))
        .with_panel(
            graph(
                "Traffic",
                asked(
                    _rate("container_network_receive_bytes_total", f'"{CONTAINERS}"', IS_CONTAINER, '"interface"'),
                    "$tag_interface in",
                ),
                asked(
                    _rate("container_network_transmit_bytes_total", f'"{CONTAINERS}"', IS_CONTAINER, '"interface"'),
                    "$tag_interface out",
                    ref="B",
                ),
                unit="Bps",
                span=THIRD,
            )
        )
        .with_panel(graph("Failed allocations of memory", asked(_failures(), "on $tag_host"), span=THIRD))
    )


def control_plane() -> Dashboard:
    """What Swarmkeeper itself does, how long that takes, and what it decides."""
    operations = "\"operation\" != ''"
    return (
        new("Swarmkeeper: control plane", "control-plane", _fleets())
        .with_panel(
            graph(
                "Containers",
                asked(of_fleet("max", "reserved_containers_maximum", where=OF_THE_FLEET), "placed"),
                asked(of_fleet("max", "pending_containers_maximum"), "waiting", ref="B"),
            )
        )
        .with_panel(graph("Reserved share, by pool", _by_pool("reserved_share_maximum"), unit="percentunit"))
        .with_panel(graph("Share in use: memory of nodes", asked(_used_share(), "$tag_pool"), unit="percentunit"))
        .with_panel(
            graph("Longest wait", asked(of_fleet("max", "oldest_pending_age_maximum"), "oldest request"), unit="s")
        )
        .with_panel(
            graph(
                "Time of a placement",
                asked(of_fleet("mean", "placement_time_average"), "average"),
                asked(of_fleet("max", "placement_time_maximum"), "longest", ref="B"),
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Time of an engine's call, by operation",
                asked(of_fleet("mean", "engine_call_time_average", '"operation"', operations), "$tag_operation"),
                unit="s",
            )
        )
        .with_panel(
            graph(
                "Calls of engines, by operation",
                asked(of_fleet("sum", "engine_call_time_sample_count", '"operation"', operations), "$tag_operation"),
            )
        )
        .with_panel(
            graph(
                "Sizes that were decided, by pool",
                asked(of_fleet("max", "decided_nodes_maximum", '"pool", "direction"'), "$tag_pool $tag_direction"),
            )
        )
    )


def _fleets() -> QueryVariable:
    return choice("fleet", CONTROL_PLANE, "fleet")


def _by_pool(metric: str) -> Asked:
    return asked(of_fleet("max", metric, '"pool"', IN_POOL), "$tag_pool")


def _sum_of_pools(metric: str) -> str:
    each = (
        f'(SELECT max("{metric}") AS "value" FROM "{CONTROL_PLANE}" '
        f'WHERE "fleet" =~ /^$fleet$/ AND {IN_POOL} AND $timeFilter GROUP BY time($__interval), "pool")'
    )
    return over_time('sum("value")', each)


def _of_nodes(field: str, measurement: str) -> str:
    return over_time(f'mean("{field}")', f'"{measurement}"', '"fleet" =~ /^$fleet$/', '"host"')


def _used_share() -> str:
    return over_time('mean("used_percent") / 100', '"mem"', '"fleet" =~ /^$fleet$/', '"pool"')


def _disk() -> str:
    return over_time('mean("used_percent")', '"disk"', ON_NODE, '"path"')


def _rate(field: str, source: str, where: str, by: str) -> str:
    """What a counter grows by in a second; one that began anew counts from nothing."""
    return over_time(f'non_negative_derivative(max("{field}"), 1s)', source, where, by)


def _running(by: str) -> str:
    """How many containers told anything in each minute: cAdvisor looks at idle ones every half minute only."""
    each = (
        f'(SELECT last("container_memory_working_set_bytes") AS "value" FROM "{CONTAINERS}" '
        f'WHERE "{OURS}" =~ /^$fleet$/ AND $timeFilter GROUP BY time(1m), "name", "{by}" fill(none))'
    )
    return f'SELECT count("value") FROM {each} WHERE $timeFilter GROUP BY time(1m), "{by}" fill(none)'


def _cpus(where: str, by: str = '"name"') -> str:
    return _rate("container_cpu_usage_seconds_total", f'"{CONTAINERS}"', f"{where} AND \"{OURS}\" != ''", by)


def _memory(where: str, by: str = '"name"') -> str:
    return over_time(
        'mean("container_memory_working_set_bytes")', f'"{CONTAINERS}"', f"{where} AND \"{OURS}\" != ''", by
    )


def _limit() -> str:
    return over_time('max("container_spec_memory_limit_bytes")', f'"{CONTAINERS}"', IS_CONTAINER, '"host"')


def _failures() -> str:
    return over_time('max("container_memory_failcnt")', f'"{CONTAINERS}"', IS_CONTAINER, '"host"')
