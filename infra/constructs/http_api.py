"""The HTTP API: its routes are those that the functions' resolvers declare."""

import json
from typing import cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_logs as logs
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from constructs import Construct

from infra.constructs.findings import accept
from infra.constructs.functions import API_TIMEOUT_SECONDS, HitlFunction

STEADY_REQUESTS_PER_SECOND = 200
BURST_REQUESTS = 400
METHODS = ("get", "head", "post", "put", "patch", "delete")

# The route, never the path: the paths of callbacks and review pages hold tokens.
ACCESS_LOG = {
    "request_id": "$context.requestId",
    "time": "$context.requestTime",
    "route": "$context.routeKey",
    "status": "$context.status",
    "latency_ms": "$context.responseLatency",
    "response_bytes": "$context.responseLength",
    "source_ip": "$context.identity.sourceIp",
    "integration_error": "$context.integrationErrorMessage",
}


class HttpApi(Construct):
    """An HTTP API with one stage: throttled, with an access log, without CORS."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.api = apigateway.HttpApi(self, "Api", create_default_stage=False)
        log_group = logs.LogGroup(
            self, "AccessLog", retention=logs.RetentionDays.THREE_MONTHS, removal_policy=RemovalPolicy.DESTROY
        )
        self.stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(rate_limit=STEADY_REQUESTS_PER_SECOND, burst_limit=BURST_REQUESTS),
        )
        stage = cast("apigateway.CfnStage", self.stage.node.default_child)
        stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group.log_group_arn, format=json.dumps(ACCESS_LOG)
        )

    def serve(self, resolver: APIGatewayHttpResolver, target: HitlFunction, *, and_the_rest: bool = False) -> None:
        """Add each route of the function's resolver, with one permission for the whole API.

        `and_the_rest` gives it what no route matches too, so that this is answered by a problem document as well.
        """
        integration = integrations.HttpLambdaIntegration(
            target.name,
            target.function,
            scope_permission_to_route=False,
            timeout=Duration.seconds(API_TIMEOUT_SECONDS),
        )
        for method, path in routes_of(resolver):
            for route in self.api.add_routes(
                path=path, methods=[apigateway.HttpMethod(method)], integration=integration
            ):
                accept(
                    route,
                    "The function itself checks the API key, or the signed token in the path.",
                    "AwsSolutions-APIG4",
                )
        if and_the_rest:
            default = apigateway.HttpRouteKey.DEFAULT
            rest = apigateway.HttpRoute(self, "TheRest", http_api=self.api, route_key=default, integration=integration)
            accept(rest, "It leads to nothing but the answer that there is nothing.", "AwsSolutions-APIG4")


def routes_of(resolver: APIGatewayHttpResolver) -> list[tuple[str, str]]:
    """Return the method and the path, as API Gateway writes it, of each route that a resolver declares."""
    paths = resolver.get_openapi_schema().paths or {}
    return [(method.upper(), path) for path, item in paths.items() for method in METHODS if getattr(item, method)]
