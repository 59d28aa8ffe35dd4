"""The managers' route to the figures of a deployment, which `functions/management.py` serves."""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from flow_hitl.bootstrap import current
from functions.http_api import json_response
from functions.management_access import manager

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@router.get("/v1/deployments/<deployment_id>/analytics")
def get_analytics(deployment_id: str) -> Response[str]:
    from flow_hitl.metrics.answers import analytics_of

    holder, query = manager(router, deployment_id), router.current_event.query_string_parameters
    begin, end, group_by = (query.get(name) or None for name in ("from", "to", "group_by"))
    found = current().read_analytics(holder, begin=begin, end=end, group_by=group_by)
    return json_response(200, analytics_of(found))
