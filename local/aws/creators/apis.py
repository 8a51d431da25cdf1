"""HTTP APIs and their parts."""

from __future__ import annotations

from collections.abc import Mapping

from local.aws.creators.context import Creator, Stack
from local.aws.creators.simple import Simple
from local.aws.intrinsics import Physical
from local.aws.properties import Properties


def api(stack: Stack, logical_id: str, properties: Properties) -> Physical:
    """AWS::ApiGatewayV2::Api; its endpoint is where it is served on this machine."""
    client = stack.client("apigatewayv2")
    name = stack.physical_name(logical_id, properties.take("Name"), 128)
    made = client.create_api(**properties.for_api(client, "create_api", Name=name))
    api_id = str(made["ApiId"])
    endpoint = stack.api_endpoint(api_id) if stack.api_endpoint else str(made["ApiEndpoint"])
    return Physical(api_id, {"ApiId": api_id, "ApiEndpoint": endpoint})


APIS: Mapping[str, Creator] = {
    "AWS::ApiGatewayV2::Api": api,
    "AWS::ApiGatewayV2::Integration": Simple("apigatewayv2", "create_integration", "out.IntegrationId").create,
    "AWS::ApiGatewayV2::Route": Simple("apigatewayv2", "create_route", "out.RouteId").create,
    "AWS::ApiGatewayV2::Stage": Simple("apigatewayv2", "create_stage", "in.StageName").create,
}
