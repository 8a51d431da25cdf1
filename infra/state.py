"""What the fleet remembers: its tables, settings and secrets."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from constructs import Construct

from infra.names import Names
from swarmkeeper.adapters.aws.items import CHANGE_ATTRIBUTES
from swarmkeeper.edge.settings import Settings

CLIENTS = ("placement", "registrar", "reconciler")
"""The functions that call engines, each with a certificate of its own."""


class FleetState(Construct):
    """The tables, the settings as the functions read them, and secrets without a value."""

    def __init__(self, scope: Construct, settings: Settings, names: Names) -> None:
        super().__init__(scope, "State")
        self.table = self._table(names)
        self.history = self._history(names)
        self.settings = ssm.CfnParameter(
            self,
            "Settings",
            name=names.settings_parameter,
            type="String",
            # The advanced tier costs money and takes more than 4 KB; a fleet of many pools may need it.
            tier="Intelligent-Tiering",
            # What the file doesn't say is the functions' own default; a parameter takes 8 KB at most.
            value=settings.to_json(),
        )
        # The registrar makes the values: a secret in a template would stand in its history.
        self.authority = self._secret(names, "ca", "The fleet's certificate authority")
        self.clients = {
            name: self._secret(names, f"client/{name}", f"The engine client's certificate of {name}")
            for name in CLIENTS
        }

    def _table(self, names: Names) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Table",
            table_name=names.of("state"),
            partition_key=_text("pk"),
            sort_key=_text("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute="expires_at",
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,  # but a first deploy that failed can be repeated
        )
        table.add_global_secondary_index(
            index_name="by_kind",
            partition_key=_text("kind"),
            sort_key=_text("order"),
            projection_type=dynamodb.ProjectionType.KEYS_ONLY,
        )
        # Small: every placement moves its node's entry, which is written twice for that.
        table.add_global_secondary_index(
            index_name="by_change",
            partition_key=_text("shard"),
            sort_key=dynamodb.Attribute(name="changed_at", type=dynamodb.AttributeType.NUMBER),
            projection_type=dynamodb.ProjectionType.INCLUDE,
            non_key_attributes=list(CHANGE_ATTRIBUTES),
        )
        return table

    def _history(self, names: Names) -> dynamodb.Table:
        """The scaler's decisions, 30 days of them: no state, so it goes with the stack."""
        return dynamodb.Table(
            self,
            "History",
            table_name=names.of("history"),
            partition_key=_text("pk"),
            sort_key=_text("sk"),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expires_at",
            removal_policy=RemovalPolicy.DESTROY,
        )

    def _secret(self, names: Names, name: str, description: str) -> secretsmanager.CfnSecret:
        logical = name.title().replace("/", "")
        return secretsmanager.CfnSecret(self, logical, name=names.secret(name), description=description)


def _text(name: str) -> dynamodb.Attribute:
    return dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
