"""The API has the routes that the resolvers declare, no more and no fewer."""

import json
from collections import Counter

import pytest

from infra.routes import all_routes, routes_of
from infra.topology import HTTP_FUNCTIONS
from tests.infra.conftest import Stack


@pytest.mark.parametrize("name", [one.name for one in HTTP_FUNCTIONS])
def test_each_route_of_a_resolver_leads_to_its_function_once(core: Stack, name: str) -> None:
    declared = Counter(map(str, routes_of(name)))
    if name == "dashboard":
        # What no route matches: people get a page that says so, programs a problem document.
        declared["$default"] = 1
    targets = [
        each["RouteKey"]
        for each in core.properties("AWS::ApiGatewayV2::Route")
        if f"Functions{name.title()}Function" in _integration_of(core, each["Target"])
    ]
    assert Counter(targets) == declared
    assert set(declared.values()) == {1}


def test_there_is_no_other_route(core: Stack) -> None:
    assert len(core.of_type("AWS::ApiGatewayV2::Route")) == len(all_routes()) + len(["$default"])


def test_the_contracts_routes_are_there(core: Stack) -> None:
    routes = {each["RouteKey"] for each in core.properties("AWS::ApiGatewayV2::Route")}
    assert {
        "POST /v1/requests",
        "GET /v1/requests",
        "GET /v1/requests/{request_id}",
        "DELETE /v1/requests/{request_id}",
        "POST /v1/requests/{request_id}/resume-status",
        "GET /v1/decisions",
        "GET /v1/deployments/{deployment_id}/settings",
        "PUT /v1/deployments/{deployment_id}/settings",
        "GET /v1/deployments/{deployment_id}/routing-rules",
        "PUT /v1/deployments/{deployment_id}/routing-rules",
        "POST /v1/deployments/{deployment_id}/routing-rules/dry-run",
        "GET /v1/deployments/{deployment_id}/members",
        "GET /v1/deployments/{deployment_id}/members/{email}",
        "PUT /v1/deployments/{deployment_id}/members/{email}",
        "DELETE /v1/deployments/{deployment_id}/members/{email}",
        "GET /v1/deployments/{deployment_id}/api-keys",
        "POST /v1/deployments/{deployment_id}/api-keys",
        "DELETE /v1/deployments/{deployment_id}/api-keys/{key_id}",
        "POST /v1/callbacks/{token}",
        "GET /review/{token}",
        "HEAD /review/{token}",
        "POST /review/{token}",
    } <= routes


def test_each_function_has_one_integration_and_one_permission(core: Stack) -> None:
    assert len(core.of_type("AWS::ApiGatewayV2::Integration")) == len(HTTP_FUNCTIONS)
    permissions = core.properties("AWS::Lambda::Permission")
    assert (
        len({each["FunctionName"]["Fn::GetAtt"][0] for each in permissions}) == len(permissions) == len(HTTP_FUNCTIONS)
    )


def test_the_stage_is_throttled_and_logged_without_paths(core: Stack) -> None:
    (stage,) = core.properties("AWS::ApiGatewayV2::Stage")
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    logged = json.loads(stage["AccessLogSettings"]["Format"])
    assert logged["route"] == "$context.routeKey"
    assert "$context.path" not in logged.values()


def test_what_waits_and_what_manages_has_limits_of_its_own(core: Stack) -> None:
    """What waits keeps a function busy for 20 seconds: all of it together must leave room for the mails."""
    (stage,) = core.of_type("AWS::ApiGatewayV2::Stage").values()
    ordinary = stage["Properties"]["DefaultRouteSettings"]["ThrottlingRateLimit"]
    settings = stage["Properties"]["RouteSettings"]
    waiting = {"GET /v1/requests/{request_id}", "GET /v1/decisions"}
    of_people = {str(route) for name in ("management", "docs") for route in routes_of(name)}
    assert set(settings) == waiting | of_people
    assert 20 * sum(settings[route]["ThrottlingRateLimit"] for route in waiting) < 1000
    assert all(0 < each["ThrottlingRateLimit"] <= each["ThrottlingBurstLimit"] for each in settings.values())
    assert all(each["ThrottlingRateLimit"] < ordinary for each in settings.values())
    # A stage that names a route which is not there yet is refused.
    routes = core.of_type("AWS::ApiGatewayV2::Route")
    assert {routes[name]["Properties"]["RouteKey"] for name in stage["DependsOn"]} == set(settings)


def test_there_is_no_cors(core: Stack) -> None:
    (api,) = core.properties("AWS::ApiGatewayV2::Api")
    assert "CorsConfiguration" not in api


def _integration_of(core: Stack, target: dict[str, list[object]]) -> str:
    reference = target["Fn::Join"][1]
    assert isinstance(reference, list)
    integration = core.template["Resources"][reference[1]["Ref"]]
    return str(integration["Properties"]["IntegrationUri"])
