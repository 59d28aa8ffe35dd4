"""The managers' route to a deployment's figures, which `functions/management.py` serves."""

from flow_hitl.bootstrap import current
from functions.http_api import json_response, query
from functions.management_access import manager
from functions.routing import Response, Routes

router = Routes()


@router.get("/v1/deployments/<deployment_id>/analytics")
def get_analytics(deployment_id: str) -> Response:
    from flow_hitl.metrics.answers import analytics_of

    holder = manager(router, deployment_id).holder
    begin, end, group_by = (query(router, name) for name in ("from", "to", "group_by"))
    found = current().read_analytics(holder, begin=begin, end=end, group_by=group_by)
    return json_response(200, analytics_of(found))
