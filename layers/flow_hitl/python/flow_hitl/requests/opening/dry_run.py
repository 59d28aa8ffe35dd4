"""A dry run of the routing rules: who would be asked, and why; nothing is written and nobody is mailed."""

from typing import Any

from pydantic import JsonValue

from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import Document, Name
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.requests.opening.open_request import inherited_auto_response, inherited_sla
from flow_hitl.requests.opening.routing import assign


class DryRun(Document):
    """The body of `POST routing-rules/dry-run`: what a request would say of its method and state."""

    method_name: Name
    state: dict[str, JsonValue] = {}


def dry_run(deployment: Deployment, wish: DryRun) -> dict[str, Any]:
    """Return the contract's answer, with each step's reason and the deadlines that would hold."""
    assignment = assign(
        method_name=wish.method_name,
        state=wish.state,
        rules=deployment.rules,
        creator_email=deployment.creator_email,
        refusal=deployment.refusal_of,
    )
    auto_response = inherited_auto_response(assignment.matched, deployment)
    return {
        "assigned_to_email": assignment.email,
        "assigned_by": assignment.by.value,
        "routing_rule": assignment.rule,
        "reasons": list(assignment.reasons),
        "considered": as_json(assignment.considered(deployment.rules)),
        "sla_target_minutes": inherited_sla(assignment.matched, deployment),
        "auto_response": {"timeout_minutes": auto_response[0], "default_outcome": auto_response[1]}
        if auto_response
        else None,
    }
