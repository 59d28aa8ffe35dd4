"""The managers' routes to a deployment's audit log, which `functions/management.py` serves.

They import what they need when called, so that a cold start of management's other routes does not pay for it.
"""

from flow_hitl.bootstrap import current
from functions.http_api import body_bytes, call_of, json_response, query, query_integer, query_moment
from functions.management_access import manager
from functions.routing import Response, Routes

router = Routes()


@router.get("/v1/deployments/<deployment_id>/audit")
def list_events(deployment_id: str) -> Response:
    from flow_hitl.audit.answers import AuditLogEvent, AuditLogPage

    deployment, read = manager(router, deployment_id).id, current().read_audit
    limit = query_integer(router, "limit", 100, 1, 200)
    wanted = read.range_of(deployment, query_moment(router, "from"), query_moment(router, "to"))
    page = read.page(deployment, wanted, limit, query(router, "cursor"))
    return json_response(200, AuditLogPage([AuditLogEvent(**event) for event in page.events], page.next_cursor))


@router.get("/v1/deployments/<deployment_id>/audit/verify")
def verify(deployment_id: str) -> Response:
    from flow_hitl.proof.answers import verification

    deployment = manager(router, deployment_id).id
    verify_log, since = current().verify_audit_log, query_moment(router, "from")
    since = since or verify_log.beginning(deployment)
    wanted = current().read_audit.range_of(deployment, since, query_moment(router, "to"))
    verified = verify_log(deployment, wanted, query(router, "cursor"))
    return json_response(200, verification(wanted, verified))


@router.post("/v1/deployments/<deployment_id>/audit/export")
def start_export(deployment_id: str) -> Response:
    from flow_hitl.contract.validation import parse_document
    from flow_hitl.proof.answers import AuditExportAnswer
    from flow_hitl.proof.export_audit import ExportWish

    caller = manager(router, deployment_id)
    wish = parse_document(ExportWish, body_bytes(router) or b"{}")
    exports, call = current().manage_exports, call_of(router, caller.id, "export-audit")
    export = exports.start(caller.id, wish, actor=caller.actor, call=call)
    return json_response(202, AuditExportAnswer(exports.document(export)))


@router.get("/v1/deployments/<deployment_id>/audit/export/<export_id>")
def show_export(deployment_id: str, export_id: str) -> Response:
    from flow_hitl.proof.answers import AuditExportAnswer

    export = current().manage_exports.show(manager(router, deployment_id).id, export_id)
    return json_response(200, AuditExportAnswer(export))
