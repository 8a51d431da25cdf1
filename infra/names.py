"""The names that the template and the code in it agree on."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import ArnFormat, Stack

from swarmkeeper.alias import ALIAS
from swarmkeeper.domain.scaling import alarm_owner
from swarmkeeper.ports import WINDOWS_DOCUMENT

METRICS_NAMESPACE = "Swarmkeeper"
FLEET_TAG, POOL_TAG = alarm_owner.FLEET_TAG, alarm_owner.POOL_TAG
JOIN_HOOK = "join"
LEAVE_HOOK = "leave"
FUNCTIONS = ("placement", "scaler", "registrar", "reconciler")
"""The loop's, which each fleet has."""
LOCATOR = "locator"
"""The function beside them, of a fleet whose tenants have networks of their own; and its load balancer."""
SAVE = "node-save"
"""The document that no Windows node has, and no fleet without a registry."""


API_OUTPUT = "ApiUrl"
"""The stack's output that holds the HTTP API's address; the command line looks for it."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one fleet's resources.

    Policies name groups, functions' rules name documents and so on by these names rather than by reference:
    references would close circles, since a group must come after all that serves its first instance.
    """

    fleet: str
    has_windows: bool = False
    """Whether a pool has Windows nodes, which have documents of their own."""
    has_registry: bool = False
    """Whether the fleet has a registry of its own, which containers' layers can be saved to."""

    def documents(self, *names: str) -> tuple[str, ...]:
        """These documents as far as the fleet has them, and those for Windows nodes where there are any."""
        linux = [name for name in names if name != SAVE or self.has_registry]
        windows = [f"{name}{WINDOWS_DOCUMENT}" for name in names if name != SAVE and self.has_windows]
        return (*linux, *windows)

    def of(self, thing: str) -> str:
        return f"{self.fleet}-{thing}"

    def group(self, pool: str) -> str:
        return self.of(pool)

    @property
    def settings_parameter(self) -> str:
        return f"/{self.fleet}/settings"

    def join_token(self, role: str) -> str:
        return f"/{self.fleet}/join-token/{role}"

    @property
    def registry_parameters(self) -> str:
        """Below it: `pull`, what nodes log in with to the fleet's registry, and `ca`, whose word they take for it."""
        return f"/{self.fleet}/registry"

    def registry_secret(self, name: str) -> str:
        """What only the registry's own host reads."""
        return f"/{self.fleet}/registry-host/{name}"

    @property
    def influxdb_password(self) -> str:
        """The parameter with what nodes write to InfluxDB with; whoever runs InfluxDB makes it."""
        return f"/{self.fleet}/monitoring/influxdb-password"

    @property
    def event_source(self) -> str:
        return f"swarmkeeper.{self.fleet}"

    @property
    def node_event_source(self) -> str:
        """A source of its own: what a node says must never pass for a function's word."""
        return f"{self.event_source}.node"

    def secret(self, name: str) -> str:
        return f"{self.fleet}/{name}"

    def group_arn(self, stack: Stack, pool: str) -> str:
        # A group's ARN holds a random part between its kind and its name.
        return stack.format_arn(
            service="autoscaling",
            resource="autoScalingGroup",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
            resource_name=f"*:autoScalingGroupName/{self.group(pool)}",
        )

    def alarm_actions(self, stack: Stack) -> str:
        """What an alarm may do to wake the scaler, as ARNs: publish to its topic, or invoke it."""
        topic = stack.format_arn(service="sns", resource=self.of("alarms"))
        function = stack.format_arn(
            service="lambda",
            resource="function",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
            resource_name=f"{self.of('scaler')}:{ALIAS}",
        )
        return f"{topic},{function}"

    def document_arn(self, stack: Stack, document: str) -> str:
        return stack.format_arn(service="ssm", resource="document", resource_name=self.of(document))

    def parameter_arn(self, stack: Stack, name: str) -> str:
        return stack.format_arn(service="ssm", resource="parameter", resource_name=name.removeprefix("/"))
