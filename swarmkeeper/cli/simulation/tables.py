"""Results of a simulation as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from swarmkeeper.simulation.experiment import Result


def results_table(results: Sequence[Result]) -> Table:
    """One row a run."""
    table = Table("PROFILE", "POLICY", "PLACED BY", title=None, box=None)
    for head in ("NODE-HOURS", "RATIO", "WAIT P95", "WAIT P99", "WAITED", "BOUGHT", "REMOVED", "FLAPS", "CPU"):
        table.add_column(head, justify="right")
    for each in results:
        figures = each.to_json()
        table.add_row(
            each.profile.name,
            each.policy,
            each.strategy,
            f"{each.node_hours:,.1f}",
            f"{each.ratio:.3f}",
            f"{figures['wait_p95_s']:.1f} s",
            f"{figures['wait_p99_s']:.1f} s",
            f"{each.waited_share:.2%}",
            str(each.measures.bought),
            str(each.measures.removed),
            str(each.measures.flaps),
            f"{each.cpu_s:.1f} s",
        )
    return table
