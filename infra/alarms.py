"""The alarms that drive scaling, and those that call a person."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import Duration, Tags
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.names import LOCATOR, METRICS_NAMESPACE, POOL_TAG, Names
from infra.wiring import Wiring
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings import Settings


class FleetAlarms(Construct):
    """Pending, high and low wake the scaler through the topic; the rest goes to the operators' topic.

    The fleet's metrics come when something happens, and once a minute. Between two samples the scaling alarms keep
    their state (`ignore`): were a gap taken for "not breaching", an alarm with a period of 10 seconds would end
    and begin again each minute, and were it "missing", it would lose its state. That samples come at all is an
    alarm of its own.
    """

    def __init__(
        self,
        scope: Construct,
        settings: Settings,
        names: Names,
        wiring: Wiring,
        functions: Mapping[str, lambda_.IFunction],
    ) -> None:
        super().__init__(scope, "Alarms")
        self._names = names
        self._period = Duration.seconds(settings.scaling.alarm_period)
        self._pending(wiring.alarms)
        for pool in settings.pools_of(Role.WORKER):
            self._shares(pool, settings, wiring.alarms)
        for pool in settings.pools:
            self._failed(pool, wiring.operators)
        self._silence(wiring.operators)
        self._losses_refused(wiring.operators)
        self._dead_letters(wiring.dead_letters, wiring.operators)
        if LOCATOR in functions:
            self._errors(functions[LOCATOR], wiring.operators)

    def _pending(self, topic: sns.ITopic) -> None:
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        self._scaling("pending", "Containers wait for a node", self._metric("PendingContainers", None), above, 0, topic)

    def _shares(self, pool: str, settings: Settings, topic: sns.ITopic) -> None:
        scaling = settings.scaling_of(pool)
        reserved = self._metric("ReservedShare", pool)
        above = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
        below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        words = f"of what pool {pool} offers is reserved"
        self._scaling(f"{pool}-reserved-high", f"Most {words}", reserved, above, scaling.reserved_high, topic)
        self._scaling(f"{pool}-reserved-low", f"Little {words}", reserved, below, scaling.reserved_low, topic)

    def _failed(self, pool: str, topic: sns.ITopic) -> None:
        """Launch after launch was abandoned: the pool isn't grown until somebody looks, or one try succeeds."""
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        failed = self._metric("PoolFailed", pool).with_(period=Duration.minutes(1))
        missing = cloudwatch.TreatMissingData.IGNORE
        self._alarm(f"{pool}-failed", f"Pool {pool} can't launch nodes", failed, above, 0, 1, missing, topic)

    def _metric(self, name: str, pool: str | None) -> cloudwatch.Metric:
        dimensions = {"Fleet": self._names.fleet} | ({"Pool": pool} if pool else {})
        return cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name=name,
            dimensions_map=dimensions,
            period=self._period,
            statistic="Maximum",
        )

    def _scaling(
        self,
        name: str,
        description: str,
        metric: cloudwatch.Metric,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        topic: sns.ITopic,
    ) -> None:
        missing = cloudwatch.TreatMissingData.IGNORE
        self._alarm(name, description, metric, comparison, threshold, 1, missing, topic)

    def _silence(self, topic: sns.ITopic) -> None:
        samples = cloudwatch.Metric(
            namespace=METRICS_NAMESPACE,
            metric_name="PendingContainers",
            dimensions_map={"Fleet": self._names.fleet},
            period=Duration.minutes(1),
            statistic="SampleCount",
        )
        below = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
        missing = cloudwatch.TreatMissingData.BREACHING
        self._alarm("silent", "The reconciler sends no metrics", samples, below, 1, 5, missing, topic)

    def _losses_refused(self, topic: sns.ITopic) -> None:
        """Nodes are silent, and so many that it may be us: somebody must look before their containers run elsewhere."""
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        refused = self._metric("LossesRefused", None).with_(period=Duration.minutes(1), statistic="Sum")
        missing = cloudwatch.TreatMissingData.NOT_BREACHING
        self._alarm("losses-refused", "Silent nodes are not declared lost", refused, above, 0, 1, missing, topic)

    def _dead_letters(self, queues: Mapping[str, sqs.Queue], topic: sns.ITopic) -> None:
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        missing = cloudwatch.TreatMissingData.NOT_BREACHING
        for name, queue in queues.items():
            kept = queue.metric_approximate_number_of_messages_visible(period=Duration.minutes(1), statistic="Maximum")
            self._alarm(f"{name}-dlq", f"Events failed for good in {name}", kept, above, 0, 1, missing, topic)

    def _errors(self, locator: lambda_.IFunction, topic: sns.ITopic) -> None:
        """It is asked, so no dead letters tell of its failures; one alone is asked anew by its router."""
        above = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
        errors = locator.metric_errors(period=Duration.minutes(1), statistic="Sum")
        missing = cloudwatch.TreatMissingData.NOT_BREACHING
        self._alarm(
            f"{LOCATOR}-errors", "Routers are not told where containers are", errors, above, 0, 3, missing, topic
        )

    def _alarm(
        self,
        name: str,
        description: str,
        metric: cloudwatch.Metric,
        comparison: cloudwatch.ComparisonOperator,
        threshold: float,
        periods: int,
        missing: cloudwatch.TreatMissingData,
        topic: sns.ITopic,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=self._names.of(name),
            alarm_description=description,
            metric=metric,
            comparison_operator=comparison,
            threshold=threshold,
            evaluation_periods=periods,
            datapoints_to_alarm=periods,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(topic))
        pool = (metric.dimensions or {}).get("Pool")
        if pool:
            Tags.of(alarm).add(POOL_TAG, str(pool))
