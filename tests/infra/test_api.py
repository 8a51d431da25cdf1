"""The HTTP API: every route is signed, throttled, logged, and reaches the placement function."""

from __future__ import annotations

import json

from swarmkeeper.edge.routes import ROUTES
from tests.infra.template import Template

FUNCTION = "demo-placement"


def test_every_route_is_there_and_asks_for_iams_word(template: Template) -> None:
    routes = template.of_type("AWS::ApiGatewayV2::Route").values()
    assert {each["RouteKey"] for each in routes} == {route.key for route in ROUTES}
    assert {each["AuthorizationType"] for each in routes} == {"AWS_IAM"}


def test_every_route_reaches_the_placement_function(template: Template) -> None:
    (name, integration) = next(iter(template.of_type("AWS::ApiGatewayV2::Integration").items()))
    assert {each["Target"] for each in template.of_type("AWS::ApiGatewayV2::Route").values()} == {
        f"integrations/<{name}>"
    }
    assert template.called(integration["IntegrationUri"]) == FUNCTION
    assert integration["PayloadFormatVersion"] == "2.0"


def test_only_this_api_may_invoke_the_function_for_a_route(template: Template) -> None:
    api = next(iter(template.of_type("AWS::ApiGatewayV2::Api")))
    allowed = [
        each
        for each in template.of_type("AWS::Lambda::Permission").values()
        if each["Principal"] == "apigateway.amazonaws.com"
    ]
    assert len(allowed) == len(ROUTES)
    prefix = f"arn:aws:execute-api:eu-central-1:123456789012:<{api}>/"
    assert all(each["SourceArn"].startswith(prefix) for each in allowed)


def test_the_stage_is_throttled_and_logs_callers_but_no_contents(template: Template) -> None:
    stage = template.one("AWS::ApiGatewayV2::Stage", StageName="$default")
    assert stage["AutoDeploy"] is True
    settings = stage["DefaultRouteSettings"]
    assert 0 < settings["ThrottlingRateLimit"] <= settings["ThrottlingBurstLimit"] <= 1000
    log = template.name_of("AWS::Logs::LogGroup", LogGroupName="/aws/apigateway/demo-api")
    assert stage["AccessLogSettings"]["DestinationArn"] == f"<{log}.Arn>"
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert logged["caller"] == "$context.identity.userArn"
    assert not {"authorization", "body", "headers"} & {key.lower() for key in logged}


def test_the_address_is_an_output(template: Template) -> None:
    api = next(iter(template.of_type("AWS::ApiGatewayV2::Api")))
    outputs = json.loads(template.text)["Outputs"]
    assert outputs["ApiUrl"]["Value"] == {"Fn::GetAtt": [api, "ApiEndpoint"]}
