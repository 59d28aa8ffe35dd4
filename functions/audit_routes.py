"""The managers' routes to a deployment's audit log, which `functions/management.py` serves.

What they need is imported when they are called: nothing else of management pays for it at cold start.
"""

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from flow_hitl.bootstrap import current
from flow_hitl.people.access import KeyHolder
from functions.http_api import body_bytes, call_of, json_response, query, query_integer, query_moment
from functions.management_access import actor_of, manager

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@router.get("/v1/deployments/<deployment_id>/audit")
def list_events(deployment_id: str) -> Response[str]:
    from flow_hitl.audit.answers import AuditLogEvent, AuditLogPage

    deployment, read = _id(_manager(deployment_id)), current().read_audit
    limit = query_integer(router, "limit", 100, 1, 200)
    wanted = read.range_of(deployment, query_moment(router, "from"), query_moment(router, "to"))
    page = read.page(deployment, wanted, limit, query(router, "cursor"))
    return json_response(200, AuditLogPage([AuditLogEvent(**event) for event in page.events], page.next_cursor))


@router.get("/v1/deployments/<deployment_id>/audit/verify")
def verify(deployment_id: str) -> Response[str]:
    from flow_hitl.proof.answers import verification

    deployment = _id(_manager(deployment_id))
    wanted = current().read_audit.range_of(deployment, query_moment(router, "from"), query_moment(router, "to"))
    verified = current().verify_audit_log(deployment, wanted, query(router, "cursor"))
    return json_response(200, verification(wanted, verified))


@router.post("/v1/deployments/<deployment_id>/audit/export")
def start_export(deployment_id: str) -> Response[str]:
    from flow_hitl.contract.validation import parse_document
    from flow_hitl.proof.answers import AuditExportAnswer
    from flow_hitl.proof.export_audit import ExportWish

    holder = _manager(deployment_id)
    wish = parse_document(ExportWish, body_bytes(router) or b"{}")
    exports, call = current().manage_exports, call_of(router, _id(holder), "export-audit")
    export = exports.start(_id(holder), wish, actor=actor_of(holder), call=call)
    return json_response(202, AuditExportAnswer(exports.document(export)))


@router.get("/v1/deployments/<deployment_id>/audit/export/<export_id>")
def show_export(deployment_id: str, export_id: str) -> Response[str]:
    from flow_hitl.proof.answers import AuditExportAnswer

    return json_response(200, AuditExportAnswer(current().manage_exports.show(_id(_manager(deployment_id)), export_id)))


def _manager(deployment_id: str) -> KeyHolder:
    return manager(router, deployment_id)


def _id(holder: KeyHolder) -> int:
    return holder.deployment.deployment_id
