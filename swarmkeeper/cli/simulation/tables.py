"""Results of a simulation as a table for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from swarmkeeper.simulation.experiment import Result


def results_table(results: Sequence[Result]) -> Table:
    """One row a run, narrow enough for a terminal; JSON tells more."""
    table = Table("PROFILE", "POLICY", box=None, padding=(0, 1, 0, 0))
    for head in ("NODE-HOURS", "RATIO", "WAIT P99", "WAITED", "BOUGHT", "REMOVED", "CPU"):
        table.add_column(head, justify="right")
    for each in results:
        table.add_row(
            each.profile.name,
            each.policy,
            f"{each.node_hours:,.1f}",
            f"{each.ratio:.3f}",
            f"{each.p99_s:.1f} s",
            f"{each.waited_share:.2%}",
            str(each.measures.bought),
            str(each.measures.removed),
            f"{each.cpu_s:.1f} s",
        )
    return table
