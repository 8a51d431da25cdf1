"""The HTTP API in front of the placement function: every route signed, throttled and logged."""

from __future__ import annotations

import json

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_apigatewayv2 as gateway
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.names import Names
from swarmkeeper.edge.routes import ROUTES

REQUESTS_A_SECOND = 100
BURST = 200
"""What the whole API takes; beyond that callers are told 429, and the functions' concurrency stays within reason."""

LOGGED = {
    "requestId": "$context.requestId",
    "time": "$context.requestTime",
    "caller": "$context.identity.userArn",
    "address": "$context.identity.sourceIp",
    "route": "$context.routeKey",
    "path": "$context.path",
    "status": "$context.status",
    "responseBytes": "$context.responseLength",
    "latencyMs": "$context.responseLatency",
    "error": "$context.error.message",
    "functionError": "$context.integrationErrorMessage",
}
"""One line a request. No headers and no bodies: they hold signatures and tenants' secrets."""


class FleetApi(Construct):
    """Routes to one function, for callers that IAM lets in."""

    def __init__(self, scope: Construct, names: Names, function: lambda_.IFunction) -> None:
        super().__init__(scope, "Api")
        api = gateway.HttpApi(
            self,
            "Http",
            api_name=names.of("api"),
            description=f"Containers of the fleet {names.fleet}",
            create_default_stage=False,
            default_authorizer=authorizers.HttpIamAuthorizer(),
        )
        integration = integrations.HttpLambdaIntegration(
            "Placement", function, payload_format_version=gateway.PayloadFormatVersion.VERSION_2_0
        )
        for route in ROUTES:
            api.add_routes(path=route.path, methods=[gateway.HttpMethod(route.method)], integration=integration)
        self._stage(names, api)
        self.url = api.api_endpoint
        self.arn = Stack.of(self).format_arn(service="execute-api", resource=api.api_id, resource_name="*")

    def _stage(self, names: Names, api: gateway.HttpApi) -> None:
        log = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/apigateway/{names.of('api')}",
            removal_policy=RemovalPolicy.DESTROY,
        )
        stage = gateway.HttpStage(
            self,
            "Stage",
            http_api=api,
            stage_name="$default",
            auto_deploy=True,
            throttle=gateway.ThrottleSettings(rate_limit=REQUESTS_A_SECOND, burst_limit=BURST),
            detailed_metrics_enabled=True,
        )
        plain = stage.node.default_child
        assert isinstance(plain, gateway.CfnStage)  # noqa: S101  what the construct is made of
        plain.access_log_settings = gateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log.log_group_arn, format=json.dumps(LOGGED)
        )
