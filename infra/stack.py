"""One fleet as one CloudFormation stack."""

from __future__ import annotations

from aws_cdk import CfnOutput, CfnParameter, Stack, Tags
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.acknowledged import acknowledge, acknowledged, logical_id
from infra.alarms import FleetAlarms
from infra.api import FleetApi
from infra.budgets import FleetBudget
from infra.dashboard import FleetDashboard
from infra.documents import NodeDocuments
from infra.encryption import FleetKey
from infra.functions import FleetFunctions
from infra.locator import FleetLocator
from infra.names import API_OUTPUT, FLEET_TAG, LOCATOR, Names
from infra.network import FleetNetwork
from infra.permissions import Grants
from infra.pools import NodePool, launch_after, suspend_rebalancing
from infra.projects import compose_projects
from infra.registry import FleetRegistry
from infra.state import FleetState
from infra.volumes import FleetVolumes
from infra.wiring import Wiring
from swarmkeeper.alias import ALIAS
from swarmkeeper.domain.model import Role
from swarmkeeper.edge.settings import Settings

LAYERS_IN_VERSIONS = "@aws-cdk/aws-lambda:recognizeLayerVersion"
IMAGE_PATTERN = "[a-z0-9][A-Za-z0-9._:/-]{0,300}@sha256:[0-9a-f]{64}"


class FleetStack(Stack):
    """All of a fleet: for any account and region, so that synthesis asks AWS nothing.

    `acknowledging` writes into the constructs why some findings of cdk-nag are left.
    """

    def __init__(self, scope: Construct, settings: Settings, *, acknowledging: bool = True) -> None:
        names = Names(
            settings.fleet,
            has_windows=bool(settings.windows_pools),
            has_registry=settings.images.registry is not None,
        )
        super().__init__(
            scope,
            f"swarmkeeper-{settings.fleet}",
            description="Swarmkeeper: keeps a fleet of Docker engines the right size and places containers on it",
        )
        # Else a new layer alone would publish no version, and functions would go on with the old one's snapshot.
        self.node.set_context(LAYERS_IN_VERSIONS, True)
        for key, value in {**settings.account.tags, FLEET_TAG: settings.fleet}.items():
            Tags.of(self).add(key, value)
        images = {
            "join": self._image("JoinImage", settings.images.join, "that joins a node to the Swarm"),
            "router": self._image("RouterImage", settings.images.router, "of the nodes' router"),
            "cadvisor": self._optional_image("CadvisorImage", settings.monitoring.cadvisor, "of cAdvisor"),
            "telegraf": settings.monitoring.telegraf or "",  # from the settings alone: permissions go with it
        }
        network = FleetNetwork(self, settings.network, names)
        self.state = state = FleetState(self, settings, names)
        functions = FleetFunctions(self, names, network, settings)
        locator = FleetLocator(self, names, network, functions.live[LOCATOR]) if LOCATOR in functions.live else None
        documents = NodeDocuments(
            self,
            settings,
            names,
            projects=compose_projects(),
            images=images,
            locator=locator.address if locator else "",
        )
        routers = network.routers.target_group_arn
        Grants(self, names, state, tuple(settings.pools), routers).give(functions.by_name)
        for function in functions.by_name.values():  # its snapshot is primed with the settings, where they are there
            function.current_version.node.add_dependency(state)
        volumes = FleetVolumes(self, settings.volumes, names, network, functions, join_image=images["join"])
        if settings.images.registry and settings.images.registry_host:
            image = self._image("RegistryImage", settings.images.registry_host, "of the fleet's registry")
            FleetRegistry(self, names, network, address=settings.images.registry, image=image)
        api = FleetApi(self, names, functions.live["placement"])
        wiring = Wiring(self, names, functions, tuple(settings.pools), tuple(settings.pools_of(Role.WORKER)))
        alarms = FleetAlarms(self, settings, names, wiring, functions.by_name)
        FleetDashboard(self, names, tuple(settings.pools), functions.by_name, wiring.dead_letters)
        pools = [
            NodePool(
                self,
                name,
                pool,
                names,
                network,
                projects_arn=documents.projects_arn,
                scaling=settings.scaling_of(name),
                logs_in=settings.images.registry is not None,
                monitoring=settings.monitoring,
            )
            for name, pool in settings.pools.items()
        ]
        serves = [network, volumes, state, documents, api, alarms, *wiring.serves_first_instance]
        launch_after(pools, [*serves, *([locator] if locator else [])])
        suspend_rebalancing(self, names, pools)
        if settings.account.budget is not None:
            FleetBudget(self, settings.account.budget, names)
        self._keep_logs(settings.account.log_retention_days)
        if settings.account.key is not None:
            nodes = {role: [one.role for one in pools if settings.pools[one.pool].role is role] for role in Role}
            FleetKey(self, names, settings.account.key).protect(functions.by_name, nodes)
        self._outputs(names, network, wiring, api)
        if acknowledging:
            acknowledge(self, acknowledged(names, settings, logical_id(self, state.table)))

    def _image(self, name: str, default: str | None, what: str, pattern: str = IMAGE_PATTERN) -> str:
        parameter = CfnParameter(
            self,
            name,
            type="String",
            default=default,
            allowed_pattern=pattern,
            description=f"Reference, by digest, of the image {what}",
        )
        return parameter.value_as_string

    def _optional_image(self, name: str, default: str | None, what: str) -> str:
        """Empty where nodes are not to run it."""
        return self._image(name, default or "", f"{what}; empty: nodes run none", f"({IMAGE_PATTERN})?")

    def _keep_logs(self, days: int) -> None:
        for each in self.node.find_all():
            if isinstance(each, logs.CfnLogGroup):
                each.retention_in_days = days

    def _outputs(self, names: Names, network: FleetNetwork, wiring: Wiring, api: FleetApi) -> None:
        CfnOutput(self, "RouterAddress", value=network.address, description="Point *.<domain> here")
        CfnOutput(self, "OperatorsTopic", value=wiring.operators.topic_arn, description="Subscribe whom alarms call")
        CfnOutput(self, API_OUTPUT, value=api.url, description="The HTTP API; requests are signed")
        CfnOutput(self, "ApiArn", value=api.arn, description="Let callers execute-api:Invoke it, whole or by route")
        CfnOutput(self, "PlacementFunction", value=f"{names.of('placement')}:{ALIAS}")
