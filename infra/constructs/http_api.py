"""The HTTP API, with the routes that the functions' resolvers declare."""

import json
from typing import Any, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from flow_hitl.platform import telemetry
from infra.constructs.findings import accept
from infra.options import Options
from infra.routes import routes_of
from infra.topology import API_TIMEOUT_SECONDS, ORDINARY, HttpFunction, Throttle

# Each call may keep a function busy for 20 seconds, and an account runs 1,000 at once by default.
WAITING = {
    "GET /v1/requests/{request_id}": Throttle(steady=30, burst=100),
    "GET /v1/decisions": Throttle(steady=10, burst=50),
}

REFUSED_CALLS = "RefusedCalls"

# The route, never the path: paths of callbacks and review pages hold tokens.
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

    def __init__(self, scope: Construct, construct_id: str, options: Options) -> None:
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
            throttle=apigateway.ThrottleSettings(rate_limit=ORDINARY.steady, burst_limit=ORDINARY.burst),
        )
        self._cfn_stage = cast("apigateway.CfnStage", self.stage.node.default_child)
        self._cfn_stage.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            destination_arn=log_group.log_group_arn, format=json.dumps({"service": options.stack_name} | ACCESS_LOG)
        )
        self._route_settings: dict[str, Any] = {}
        # API Gateway counts throttled calls as client errors; its access log tells them apart.
        logs.MetricFilter(
            self,
            "RefusedCalls",
            log_group=log_group,
            filter_pattern=logs.FilterPattern.string_value("$.status", "=", "429"),
            metric_namespace=telemetry.NAMESPACE,
            metric_name=REFUSED_CALLS,
            dimensions={"service": "$.service"},
        )

    def serve(self, declared: HttpFunction, function: lambda_.Function) -> None:
        """Add each route of the function's resolver, with one permission for the whole API."""
        integration = integrations.HttpLambdaIntegration(
            declared.name,
            function,
            scope_permission_to_route=False,
            timeout=Duration.seconds(API_TIMEOUT_SECONDS),
        )
        for one in routes_of(declared.name):
            for route in self.api.add_routes(
                path=one.path, methods=[apigateway.HttpMethod(one.method)], integration=integration
            ):
                accept(
                    route,
                    "The function itself checks the API key, the session, or the signed token in the path; signing in "
                    "and the API's description are for everybody.",
                    "AwsSolutions-APIG4",
                )
                self._throttle(route, str(one), WAITING.get(str(one), declared.throttle))
        if declared.the_rest:
            default = apigateway.HttpRouteKey.DEFAULT
            rest = apigateway.HttpRoute(self, "TheRest", http_api=self.api, route_key=default, integration=integration)
            accept(rest, "It leads to nothing but the answer that there is nothing.", "AwsSolutions-APIG4")

    def _throttle(self, route: apigateway.HttpRoute, key: str, throttle: Throttle) -> None:
        if throttle is ORDINARY:
            return
        limits = {"ThrottlingRateLimit": throttle.steady, "ThrottlingBurstLimit": throttle.burst}
        self._route_settings[key] = limits
        self._cfn_stage.route_settings = self._route_settings
        # AWS refuses a stage that names a route which does not exist yet.
        self._cfn_stage.add_dependency(cast("apigateway.CfnRoute", route.node.default_child))
