"""The managers' side of the API: a deployment's settings, routing rules, members, API keys and checks."""

from typing import Any

from flow_hitl.bootstrap import current
from flow_hitl.contract.etags import etag
from flow_hitl.contract.rotation import Rotation
from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import parse_document
from flow_hitl.deployments.access_documents import NewApiKey, parse_member
from flow_hitl.deployments.answers import (
    ApiKeyAnswer,
    ApiKeys,
    ChangedRoutingRules,
    ChangedSettings,
    IssuedApiKey,
    Members,
    key_shown,
    rules_shown,
)
from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.manage_deployments import key_of, member_of
from flow_hitl.platform.errors import PreconditionRequired
from flow_hitl.requests.opening.dry_run import DryRun, dry_run
from functions.analytics_routes import router as analytics_routes
from functions.audit_routes import router as audit_routes
from functions.check_routes import router as check_routes
from functions.http_api import body_bytes, call_of, json_response, lambda_entry, make_routes, no_content
from functions.management_access import address_in, manager
from functions.routing import Response
from functions.webhook_routes import router as webhook_routes

app = make_routes()
for routes in (webhook_routes, check_routes, audit_routes, analytics_routes):
    app.include(routes)


@app.get("/v1/deployments/<deployment_id>/settings")
def get_settings(deployment_id: str) -> Response:
    return _tagged(_deployment(deployment_id).settings)


@app.put("/v1/deployments/<deployment_id>/settings")
def put_settings(deployment_id: str) -> Response:
    caller, settings = manager(app, deployment_id), parse_settings(body_bytes(app))
    changed = current().manage_deployments.set_settings(caller.id, settings, if_match=_if_match(), actor=caller.actor)
    warnings = current().configuration_warnings(changed)
    return _tagged(changed.settings, ChangedSettings(**vars(changed.settings), warnings=warnings))


@app.get("/v1/deployments/<deployment_id>/routing-rules")
def get_rules(deployment_id: str) -> Response:
    return _tagged(rules_shown(_deployment(deployment_id).rules))


@app.put("/v1/deployments/<deployment_id>/routing-rules")
def put_rules(deployment_id: str) -> Response:
    caller, rules = manager(app, deployment_id), parse_rules(body_bytes(app))
    changed = current().manage_deployments.set_rules(caller.id, rules, if_match=_if_match(), actor=caller.actor)
    shown = rules_shown(changed.rules)
    return _tagged(shown, ChangedRoutingRules(shown.rules, current().configuration_warnings(changed)))


@app.post("/v1/deployments/<deployment_id>/routing-rules/dry-run")
def try_rules(deployment_id: str) -> Response:
    deployment = _deployment(deployment_id)
    return json_response(200, dry_run(deployment, parse_document(DryRun, body_bytes(app))))


@app.post("/v1/deployments/<deployment_id>/rotate-resume-secret")
def rotate_resume_secret(deployment_id: str) -> Response:
    caller, wish = manager(app, deployment_id), parse_document(Rotation, body_bytes(app) or b"{}")
    call = call_of(app, caller.id, "rotate-resume-secret")
    issued = current().manage_deployments.rotate_resume_secret(caller.id, wish, actor=caller.actor, call=call)
    return json_response(200, issued)


@app.get("/v1/deployments/<deployment_id>/members")
def list_members(deployment_id: str) -> Response:
    return json_response(200, Members(_deployment(deployment_id).members))


@app.get("/v1/deployments/<deployment_id>/members/<email>")
def get_member(deployment_id: str, email: str) -> Response:
    return json_response(200, member_of(_deployment(deployment_id), address_in(email)))


@app.put("/v1/deployments/<deployment_id>/members/<email>")
def put_member(deployment_id: str, email: str) -> Response:
    caller, member = manager(app, deployment_id), parse_member(address_in(email), body_bytes(app))
    current().manage_deployments.set_member(caller.id, member, actor=caller.actor)
    return json_response(200, member)


@app.delete("/v1/deployments/<deployment_id>/members/<email>")
def delete_member(deployment_id: str, email: str) -> Response:
    caller = manager(app, deployment_id)
    current().manage_deployments.remove_member(caller.id, address_in(email), actor=caller.actor)
    return no_content()


@app.get("/v1/deployments/<deployment_id>/api-keys")
def list_keys(deployment_id: str) -> Response:
    deployment = _deployment(deployment_id)
    uses = current().manage_deployments.last_uses(deployment.deployment_id)
    return json_response(200, ApiKeys([key_shown(key, uses.get(key.key_id)) for key in deployment.keys_by_age]))


@app.get("/v1/deployments/<deployment_id>/api-keys/<key_id>")
def get_key(deployment_id: str, key_id: str) -> Response:
    deployment = _deployment(deployment_id)
    key, uses = key_of(deployment, key_id), current().manage_deployments.last_uses(deployment.deployment_id)
    return json_response(200, ApiKeyAnswer(key_shown(key, uses.get(key_id))))


@app.post("/v1/deployments/<deployment_id>/api-keys")
def issue_key(deployment_id: str) -> Response:
    caller, wish = manager(app, deployment_id), parse_document(NewApiKey, body_bytes(app))
    issued = current().manage_deployments.issue_key(
        caller.id,
        name=wish.name,
        permissions=wish.allowed,
        expires_at=wish.expiry,
        actor=caller.actor,
        call=call_of(app, caller.id, "issue-api-key"),
    )
    return json_response(201, IssuedApiKey(key_shown(issued.api_key), issued.text))


@app.delete("/v1/deployments/<deployment_id>/api-keys/<key_id>")
def delete_key(deployment_id: str, key_id: str) -> Response:
    caller = manager(app, deployment_id)
    current().manage_deployments.revoke_key(caller.id, key_id, actor=caller.actor)
    return no_content()


handler = lambda_entry(app)


def _deployment(deployment_id: str) -> Deployment:
    return manager(app, deployment_id).holder.deployment


def _if_match() -> str:
    """Return the `If-Match` header, which keeps a change from undoing one that its author has not seen."""
    if_match = app.asked.headers.get("if-match")
    if if_match is None:
        raise PreconditionRequired(
            "Send the ETag of what you have read as `If-Match`, or `If-Match: *` to replace whatever is there."
        )
    return if_match


def _tagged(document: Any, answer: Any = None) -> Response:
    """Return a document, or the answer that has more, with the document's ETag."""
    response = json_response(200, answer or document)
    response.headers["ETag"] = etag(as_json(document))
    return response
