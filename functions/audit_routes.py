"""The managers' routes to a deployment's audit log, which `functions/management.py` serves.

What they need is imported when they are called: nothing else of management pays for it at cold start.
"""

from datetime import datetime

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.router import APIGatewayHttpRouter

from flow_hitl.bootstrap import current
from flow_hitl.domain.access import KeyHolder
from flow_hitl.domain.errors import FieldError, ValidationFailed
from flow_hitl.domain.times import parse_rfc3339, rfc3339
from functions.http_api import body_bytes, json_response, query_integer
from functions.management_access import actor_of, manager

router = APIGatewayHttpRouter()  # type: ignore[no-untyped-call]


@router.get("/v1/deployments/<deployment_id>/audit")
def list_events(deployment_id: str) -> Response[str]:
    deployment, read = _id(_manager(deployment_id)), current().read_audit
    limit = query_integer(router, "limit", 100, 1, 200)
    wanted = read.range_of(deployment, _moment("from"), _moment("to"))
    page = read.page(deployment, wanted, limit, _query("cursor"))
    return json_response(200, {"events": list(page.events), "next_cursor": page.next_cursor})


@router.get("/v1/deployments/<deployment_id>/audit/verify")
def verify(deployment_id: str) -> Response[str]:
    deployment = _id(_manager(deployment_id))
    wanted = current().read_audit.range_of(deployment, _moment("from"), _moment("to"))
    verified = current().verify_audit_log(deployment, wanted, _query("cursor"))
    return json_response(200, {"from": rfc3339(wanted.since), "to": rfc3339(wanted.to), **verified.to_dict()})


@router.post("/v1/deployments/<deployment_id>/audit/export")
def start_export(deployment_id: str) -> Response[str]:
    from flow_hitl.services.documents import parse_document
    from flow_hitl.services.export_audit import ExportWish

    holder = _manager(deployment_id)
    wish = parse_document(ExportWish, body_bytes(router) or b"{}")
    exports = current().manage_exports
    return json_response(202, {"export": exports.document(exports.start(_id(holder), wish, actor=actor_of(holder)))})


@router.get("/v1/deployments/<deployment_id>/audit/export/<export_id>")
def show_export(deployment_id: str, export_id: str) -> Response[str]:
    return json_response(200, {"export": current().manage_exports.show(_id(_manager(deployment_id)), export_id)})


def _manager(deployment_id: str) -> KeyHolder:
    return manager(router, deployment_id)


def _id(holder: KeyHolder) -> int:
    return holder.deployment.deployment_id


def _query(name: str) -> str | None:
    return router.current_event.query_string_parameters.get(name) or None


def _moment(name: str) -> datetime | None:
    text = _query(name)
    try:
        return parse_rfc3339(text) if text else None
    except ValueError:
        raise ValidationFailed([FieldError(f"/{name}", "must be a time such as 2026-01-14T12:00:00Z")]) from None
