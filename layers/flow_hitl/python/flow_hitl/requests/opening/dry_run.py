"""A dry run of the routing rules: who would be asked, and why. Nothing is written or sent."""

from collections.abc import Sequence
from typing import ClassVar

from pydantic import JsonValue

from flow_hitl.contract.validation import Document, Name
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.opening.open_request import inherited_approval_ttl, inherited_auto_response, inherited_sla
from flow_hitl.requests.opening.routing import AssignedBy, ConsideredRule, assign
from flow_hitl.requests.request import RequestShown


class DryRun(Document):
    """The body of `POST routing-rules/dry-run`: a request's method and state."""

    explained_by: ClassVar = RequestShown

    method_name: Name
    state: dict[str, JsonValue] = {}


@dataclass(frozen=True)
class InheritedAutoResponse:
    """The auto-response of a request that does not specify one."""

    timeout_minutes: int
    """Minutes from the request's creation."""
    default_outcome: str
    """The outcome the flow would get."""


@dataclass(frozen=True)
class DryRunResult:
    """Who would be asked, and why."""

    assigned_to_email: str
    """Who would be asked."""
    assigned_by: AssignedBy
    """The step that chose them."""
    routing_rule: str | None
    """The rule that matched."""
    reasons: Sequence[str]
    """The steps that led to this choice, in order."""
    considered: Sequence[ConsideredRule]
    """The result for each rule, in order."""
    sla_target_minutes: int | None
    """The SLA that would apply."""
    auto_response: InheritedAutoResponse | None
    """The auto-response that would apply; null for none."""
    approval_ttl_minutes: int | None
    """Minutes for which an answer would be valid; null for no limit."""


def dry_run(deployment: Deployment, wish: DryRun) -> DryRunResult:
    """Return the assignment, with each step's reason and the deadlines that would apply."""
    assignment = assign(
        method_name=wish.method_name,
        state=wish.state,
        rules=deployment.rules,
        creator_email=deployment.creator_email,
        refusal=deployment.refusal_of,
    )
    auto_response = inherited_auto_response(assignment.matched, deployment)
    return DryRunResult(
        assigned_to_email=assignment.email,
        assigned_by=assignment.by,
        routing_rule=assignment.rule,
        reasons=assignment.reasons,
        considered=assignment.considered(deployment.rules),
        sla_target_minutes=inherited_sla(assignment.matched, deployment),
        auto_response=InheritedAutoResponse(*auto_response) if auto_response else None,
        approval_ttl_minutes=inherited_approval_ttl(assignment.matched, deployment),
    )
