"""The functions: runtime, environment, and what becomes of an invocation that fails."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aws_cdk import AssetHashType, Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import bundle
from infra.names import LOCATOR, METRICS_NAMESPACE, Names
from infra.network import FleetNetwork
from swarmkeeper.alias import ALIAS
from swarmkeeper.edge.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """How one function runs.

    `retries` is how often a failed asynchronous invocation is repeated before it goes to the dead-letter queue; None
    where nothing invokes it asynchronously. One that is `quiet` leaves no line in its log for a run that went well.
    """

    timeout_s: int
    calls_engines: bool
    retries: int | None = 2
    memory_mb: int = 512
    quiet: bool = False


# No reserved concurrency: every handler may run twice at once, and a new account has none to give away.
PLANS = {
    "placement": Plan(timeout_s=30, calls_engines=True),
    "scaler": Plan(timeout_s=60, calls_engines=False),
    # Below the queue's visibility time-out, or a message would be handed out again while it is worked on.
    "registrar": Plan(timeout_s=55, calls_engines=True, retries=None),
    # The next minute's run is the retry.
    "reconciler": Plan(timeout_s=55, calls_engines=True, retries=0),
    # A router waits no longer, and asks again. A million runs' lines would cost as much as the runs.
    LOCATOR: Plan(timeout_s=5, calls_engines=False, retries=None, memory_mb=256, quiet=True),
}


def plans(settings: Settings) -> dict[str, Plan]:
    """Those of the functions that a fleet of these settings has."""
    return {name: plan for name, plan in PLANS.items() if name != LOCATOR or settings.network.isolation == "tenant"}


QUIET: dict[str, Any] = {  # keyword arguments of one call
    "logging_format": lambda_.LoggingFormat.JSON,
    "system_log_level_v2": lambda_.SystemLogLevel.WARN,
}
"""Lambda's own lines of each run are left out; errors are not."""
READS_HISTORY = ("placement", "scaler")
"""The scaler keeps its decisions, the HTTP API tells them."""


class FleetFunctions(Construct):
    """The functions by name, and the dead-letter queues of those that are invoked asynchronously."""

    def __init__(self, scope: Construct, names: Names, network: FleetNetwork, settings: Settings) -> None:
        super().__init__(scope, "Functions")
        self._settings_digest = hashlib.sha256(settings.to_json().encode()).hexdigest()[:16]
        self._names = names
        self._network = network
        self._layer = lambda_.LayerVersion(
            self,
            "ThirdParty",
            code=code_of(bundle.layer()),
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            compatible_architectures=[lambda_.Architecture.ARM_64],
            description="Third-party code, from requirements/runtime.txt",
        )
        wanted = plans(settings)
        self.dead_letters = {
            name: dead_letter_queue(self, names, name) for name, plan in wanted.items() if plan.retries is not None
        }
        self.by_name = {name: self._function(name, plan) for name, plan in wanted.items()}
        self.live = {name: self._live(name, plan) for name, plan in wanted.items()}
        """What everything calls: the published version, which starts from its snapshot."""

    def _function(self, name: str, plan: Plan) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            f"{name}-log",
            log_group_name=f"/aws/lambda/{self._names.of(name)}",
            removal_policy=RemovalPolicy.DESTROY,
        )
        return lambda_.Function(
            self,
            name,
            function_name=self._names.of(name),
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler=f"functions.{name}.handler.handler",
            code=code_of(bundle.function_code(name)),
            layers=[self._layer],
            timeout=Duration.seconds(plan.timeout_s),
            memory_size=plan.memory_mb,
            environment=self._environment(name),
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS,
            log_group=log_group,
            **self._place(plan),
            **(QUIET if plan.quiet else {}),
        )

    def _live(self, name: str, plan: Plan) -> lambda_.Alias:
        """The alias of the version that this deployment publishes; another one is, whenever the function differs."""
        alias = lambda_.Alias(self, f"{name}-live", alias_name=ALIAS, version=self.by_name[name].current_version)
        if name in self.dead_letters:
            alias.configure_async_invoke(
                retry_attempts=plan.retries, on_failure=destinations.SqsDestination(self.dead_letters[name])
            )
        return alias

    def _place(self, plan: Plan) -> dict[str, Any]:  # keyword arguments of one call
        if not plan.calls_engines:
            return {}
        return {
            "vpc": self._network.vpc,
            "vpc_subnets": ec2.SubnetSelection(subnet_type=self._network.private),
            "security_groups": [self._network.functions],
        }

    def _environment(self, name: str) -> dict[str, str]:
        if name == LOCATOR:
            return {"SWARMKEEPER_TABLE": self._names.of("state"), "POWERTOOLS_SERVICE_NAME": name}
        own: dict[str, str] = {}
        if name in READS_HISTORY:
            own["SWARMKEEPER_HISTORY_TABLE"] = self._names.of("history")
        if name == "scaler":
            own["SWARMKEEPER_ALARM_ACTIONS"] = self._names.alarm_actions(Stack.of(self))
        if name == "registrar":
            own["SWARMKEEPER_TARGET_GROUP"] = self._network.routers.target_group_arn
        return {
            **own,
            "SWARMKEEPER_FLEET": self._names.fleet,
            "SWARMKEEPER_TABLE": self._names.of("state"),
            "SWARMKEEPER_SETTINGS_PARAMETER": self._names.settings_parameter,
            # Nobody reads it: it makes other settings another version, or what is warm would go on with the old ones.
            "SWARMKEEPER_SETTINGS_DIGEST": self._settings_digest,
            "POWERTOOLS_SERVICE_NAME": name,
            "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
        }


def code_of(path: Path) -> lambda_.AssetCode:
    """An asset called after what it was made of: byte code of the same sources may differ between two machines."""
    return lambda_.Code.from_asset(str(path), asset_hash=path.stem, asset_hash_type=AssetHashType.CUSTOM)


def dead_letter_queue(scope: Construct, names: Names, name: str) -> sqs.Queue:
    """Where what failed for good is kept, for two weeks."""
    return sqs.Queue(
        scope,
        f"{name}-dlq",
        queue_name=names.of(f"{name}-dlq"),
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )
