"""The fleet's dashboard in CloudWatch: what it holds, what it decides, and what fails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.names import METRICS_NAMESPACE, Names

MINUTE = Duration.minutes(1)
WIDTH = 12
"""Two graphs a row."""
DECIDED = ("pool", "direction", "desired", "wish", "capped_by", "trigger", "reason")
"""What is shown of a decision's line in the log."""
Metrics = Sequence[cloudwatch.IMetric]


class FleetDashboard(Construct):
    """One dashboard a fleet, with a line a pool, a function or a queue."""

    def __init__(
        self,
        scope: Construct,
        names: Names,
        pools: Sequence[str],
        functions: Mapping[str, lambda_.IFunction],
        dead_letters: Mapping[str, sqs.Queue],
    ) -> None:
        super().__init__(scope, "Dashboard")
        self._names = names
        self._pools = pools
        # An account's dashboards are one list for all regions.
        dashboard = cloudwatch.Dashboard(self, "Fleet", dashboard_name=names.of(Stack.of(self).region))
        self._demand(dashboard)
        self._nodes(dashboard)
        self._functions(dashboard, functions)
        self._failures(dashboard, dead_letters)
        dashboard.add_widgets(self._decisions())

    def _demand(self, dashboard: cloudwatch.Dashboard) -> None:
        reserved = self._of_pools("ReservedContainers")
        waiting = self._of_fleet("PendingContainers", "waiting")
        oldest = self._of_fleet("OldestPendingAge", "oldest, seconds")
        dashboard.add_widgets(
            self._graph("Containers placed, by pool", reserved),
            self._graph("Containers that wait", [waiting], right=[oldest]),
        )

    def _nodes(self, dashboard: cloudwatch.Dashboard) -> None:
        """A pool's size rises with joins and falls with leaves."""
        silent = [*self._of_pools("SilentNodes"), self._of_fleet("LossesRefused", "losses refused", "Sum")]
        dashboard.add_widgets(
            self._graph("Reserved share, by pool", self._of_pools("ReservedShare")),
            self._graph("Nodes that are ready, by pool", self._of_pools("ReadyNodes")),
        )
        dashboard.add_widgets(
            self._graph("Silent nodes, by pool", silent),
            self._graph("Pools that can't launch (1)", self._of_pools("PoolFailed")),
        )

    def _functions(self, dashboard: cloudwatch.Dashboard, functions: Mapping[str, lambda_.IFunction]) -> None:
        def of_each(name: str, statistic: str) -> Metrics:
            return [
                each.metric(name, label=role, statistic=statistic, period=MINUTE) for role, each in functions.items()
            ]

        dashboard.add_widgets(
            self._graph("Functions: runs", of_each("Invocations", "Sum")),
            self._graph("Functions: errors; throttled, right", of_each("Errors", "Sum"), of_each("Throttles", "Sum")),
        )
        dashboard.add_widgets(
            self._graph("Functions: milliseconds, half below", of_each("Duration", "p50")),
            self._graph("Functions: milliseconds, 99 of 100 below", of_each("Duration", "p99")),
        )

    def _failures(self, dashboard: cloudwatch.Dashboard, dead_letters: Mapping[str, sqs.Queue]) -> None:
        kept = [
            queue.metric_approximate_number_of_messages_visible(label=name, statistic="Maximum", period=MINUTE)
            for name, queue in dead_letters.items()
        ]
        engine_calls = self._search("EngineCallTime", "Operation", "p99")
        dashboard.add_widgets(
            self._graph("Dead letters", kept),
            self._graph("Engine calls: seconds, 99 of 100 below", [engine_calls]),
        )

    def _decisions(self) -> cloudwatch.LogQueryWidget:
        """Decisions are no metric but lines of the scaler's log, which say why as well."""
        return cloudwatch.LogQueryWidget(
            title="Decisions that change a pool",
            log_group_names=[f"/aws/lambda/{self._names.of('scaler')}"],
            query_lines=[
                f"fields @timestamp, {', '.join(f'decision.{each}' for each in DECIDED)}",
                'filter message = "scaling decided" and decision.direction != "none"',
                "sort @timestamp desc",
                "limit 50",
            ],
            width=2 * WIDTH,
        )

    def _of_pools(self, name: str) -> Metrics:
        return [self._metric(name, pool, "Maximum", Pool=pool) for pool in self._pools]

    def _of_fleet(self, name: str, label: str, statistic: str = "Maximum") -> cloudwatch.IMetric:
        return self._metric(name, label, statistic)

    def _metric(self, name: str, label: str, statistic: str, **dimensions: str) -> cloudwatch.Metric:
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            label=label,
            statistic=statistic,
            period=MINUTE,
            dimensions_map={"Fleet": self._names.fleet, **dimensions},
        )

    def _search(self, name: str, by: str, statistic: str) -> cloudwatch.IMetric:
        """One line for each value of the dimension `by` that is found."""
        schema = f'{{{METRICS_NAMESPACE},Fleet,{by}}} MetricName="{name}" Fleet="{self._names.fleet}"'
        expression = f"SEARCH('{schema}', '{statistic}', 60)"
        return cloudwatch.MathExpression(expression=expression, label="", using_metrics={}, period=MINUTE)

    def _graph(self, title: str, left: Metrics, right: Metrics = ()) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(title=title, left=list(left), right=list(right), width=WIDTH)
