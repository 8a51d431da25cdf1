"""What triggers what: topics, queues, rules and schedules."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from infra.functions import FleetFunctions, dead_letter_queue
from infra.names import SAVE, Names
from swarmkeeper.edge.events import (
    COMMAND_CHANGED,
    ENDED,
    LAUNCH_ACTION,
    LAUNCH_FAILED,
    REBALANCE,
    SPOT_INTERRUPTION,
    TERMINATE_ACTION,
)
from swarmkeeper.ports import Event
from swarmkeeper.services.needs import NEED_DELAY_S

MAX_RECEIVES = 60
"""The handler brings a message that must wait back after 5 to 30 seconds: 60 of them last some 25 minutes."""


NEED_RECEIVES = 3
"""What a need asks for is asked again by the schedule, so it isn't tried for long."""


class Wiring(Construct):
    """The queues of the registrar and of needs, the alarms' topic, the operators' topic, and all rules."""

    def __init__(
        self, scope: Construct, names: Names, functions: FleetFunctions, pools: Sequence[str], workers: Sequence[str]
    ) -> None:
        super().__init__(scope, "Wiring")
        self._names = names
        self._functions = functions
        self.dead_letters = {**functions.dead_letters, "registrar": dead_letter_queue(self, names, "registrar")}
        self.queue = self._registrar_queue()
        self.alarms = self._topic("alarms")
        self.operators = self._topic("operators")
        self._alarms_wake_the_scaler()
        self._hooks_and_commands(pools)
        self._warnings()
        self._failed_launches(workers)
        self._own_events()
        self._needs()
        self._schedules()

    @property
    def serves_first_instance(self) -> tuple[IConstruct, ...]:
        """All that must be there before an instance's first hook fires."""
        return (self, self._functions)

    def _registrar_queue(self) -> sqs.Queue:
        queue = sqs.Queue(
            self,
            "RegistrarQueue",
            queue_name=self._names.of("registrar"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            visibility_timeout=Duration.seconds(60),
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters["registrar"], max_receive_count=MAX_RECEIVES),
        )
        self._functions.live["registrar"].add_event_source(
            sources.SqsEventSource(queue, batch_size=1, report_batch_item_failures=True, max_concurrency=10)
        )
        self._functions.by_name["registrar"].add_environment("SWARMKEEPER_QUEUE_URL", queue.queue_url)
        return queue

    def _topic(self, name: str) -> sns.Topic:
        """A topic for CloudWatch's alarms; not encrypted, because CloudWatch can't use the service's own key."""
        topic = sns.Topic(self, name.title(), topic_name=self._names.of(name), enforce_ssl=True)
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        return topic

    def _alarms_wake_the_scaler(self) -> None:
        scaler = self._functions.live["scaler"]
        self.alarms.add_subscription(
            subscriptions.LambdaSubscription(scaler, dead_letter_queue=self.dead_letters["scaler"])
        )
        # People's own alarms may also have the function as their action.
        scaler.add_permission(
            "InvokedByAlarms",
            principal=iam.ServicePrincipal("lambda.alarms.cloudwatch.amazonaws.com"),
            source_account=Stack.of(self).account,
        )

    def _hooks_and_commands(self, pools: Sequence[str]) -> None:
        groups = [self._names.group(pool) for pool in pools]
        hooks = events.EventPattern(
            source=["aws.autoscaling"],
            detail_type=[LAUNCH_ACTION, TERMINATE_ACTION],
            detail={"AutoScalingGroupName": groups},
        )
        self._rule("hooks", hooks, "registrar")
        self._rule("commands", self._commands("node-csr", "node-join", "node-leave", SAVE), "registrar")
        self._rule("pulls", self._commands("node-pull"), "placement")
        # A node that joins waits for the images of its pool; so does what arrives with a layer of its own.
        self._rule("pulls-of-joins", self._commands("node-pull"), "registrar")

    def _warnings(self) -> None:
        """EC2 doesn't say whose instances it takes back; the registrar knows its own."""
        warned = events.EventPattern(source=["aws.ec2"], detail_type=[SPOT_INTERRUPTION, REBALANCE])
        self._rule("warnings", warned, "registrar")

    def _failed_launches(self, workers: Sequence[str]) -> None:
        """A group that can't launch tells it, and another pool may."""
        failed = events.EventPattern(
            source=["aws.autoscaling"],
            detail_type=[LAUNCH_FAILED],
            detail={"AutoScalingGroupName": [self._names.group(pool) for pool in workers]},
        )
        self._rule("launch-failures", failed, "scaler")

    def _commands(self, *documents: str) -> events.EventPattern:
        detail = {
            "document-name": [self._names.of(name) for name in self._names.documents(*documents)],
            "status": sorted(ENDED),
        }
        return events.EventPattern(source=["aws.ssm"], detail_type=[COMMAND_CHANGED], detail=detail)

    def _own_events(self) -> None:
        own = self._own(Event.NODE_READY, Event.PENDING_RETRY, Event.INVENTORY_DUE)
        self._rule("placement-events", own, "placement")
        self._rule("node-events", self._from(self._names.node_event_source, Event.CONTAINER_ENDED), "placement")
        for_registrar = self._own(Event.NODE_DRAINING, Event.MEMBERSHIP_CHECK, Event.TOKENS_DUE)
        self._rule("registrar-events", for_registrar, "registrar")
        self._rule("scaler-events", self._own(Event.LAUNCH_ABANDONED), "scaler")

    def _needs(self) -> None:
        """Needs wait a moment, so that a burst is seen whole: after the first purchase comes the cooldown."""
        queue = sqs.Queue(
            self,
            "CapacityQueue",
            queue_name=self._names.of("capacity"),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            delivery_delay=Duration.seconds(NEED_DELAY_S),
            visibility_timeout=Duration.seconds(90),
            retention_period=Duration.hours(1),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters["scaler"], max_receive_count=NEED_RECEIVES),
        )
        self._functions.live["scaler"].add_event_source(
            sources.SqsEventSource(queue, batch_size=10, report_batch_item_failures=True)
        )
        rule = events.Rule(
            self, "capacity", rule_name=self._names.of("capacity"), event_pattern=self._own(Event.CAPACITY_NEEDED)
        )
        rule.add_target(targets.SqsQueue(queue, dead_letter_queue=self.dead_letters["scaler"]))

    def _own(self, *kinds: Event) -> events.EventPattern:
        return self._from(self._names.event_source, *kinds)

    def _from(self, source: str, *kinds: Event) -> events.EventPattern:
        return events.EventPattern(
            source=[source],
            detail_type=[kind.value for kind in kinds],
            detail={"fleet": [self._names.fleet]},
        )

    def _schedules(self) -> None:
        for name in ("scaler", "reconciler"):
            rule = events.Rule(
                self,
                f"{name}-schedule",
                rule_name=self._names.of(f"{name}-schedule"),
                description=f"The backstop for events that never came: runs the {name} each minute",
                schedule=events.Schedule.rate(Duration.minutes(1)),
            )
            rule.add_target(self._target(name))
        tokens = events.Rule(
            self,
            "tokens-schedule",
            rule_name=self._names.of("tokens-schedule"),
            description="Looks whether the join tokens are due to be rotated",
            schedule=events.Schedule.rate(Duration.minutes(5)),
        )
        tokens.add_target(self._target("registrar"))

    def _rule(self, name: str, pattern: events.EventPattern, function: str) -> None:
        rule = events.Rule(self, name, rule_name=self._names.of(name), event_pattern=pattern)
        rule.add_target(self._target(function))

    def _target(self, function: str) -> events.IRuleTarget:
        """The registrar's events wait in its queue; the others are invoked, and a delivery that fails is kept."""
        if function == "registrar":
            return targets.SqsQueue(self.queue, dead_letter_queue=self.dead_letters[function])
        return targets.LambdaFunction(self._functions.live[function], dead_letter_queue=self.dead_letters[function])
