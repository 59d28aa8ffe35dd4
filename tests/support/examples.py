"""Ordinary values that the unit tests start from, and change in the one respect that they are about."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind, next_event, request_subject
from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import ApiKey, Deployment, DeploymentSettings, FreeText, Permission
from flow_hitl.mails.contexts import OptionView
from flow_hitl.people.access import KeyHolder, SignedInMember
from flow_hitl.requests.opening.routing import AssignedBy, Assignment
from flow_hitl.requests.request import Answer, Change, Content, Head, Stamp, opened
from flow_hitl.requests.wording import option_shown

NOON = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
REQUEST_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"
ASSIGNEE = "a@example.com"

CONTENT = Content(
    message="Publish?",
    output="# Draft",
    state={"amount": 12},
    metadata={},
    history=[],
    resume_url="https://flows.example.com/resume",
    warnings=(),
    deployment_name="Content Review",
)


def deployment(**changes: Any) -> Deployment:
    """Return deployment 456 with no rules, no keys and the default settings."""
    made = Deployment(
        deployment_id=456,
        name="Content Review",
        organization_id=789,
        creator_email="creator@example.com",
        settings=DeploymentSettings(),
        rules=(),
        api_keys={},
        resume_key_id="1",
        version=1,
    )
    return replace(made, **changes)


def key_holder(*permissions: Permission, deployment_id: int = 456) -> KeyHolder:
    """Return somebody who proved an API key with these permissions."""
    key = ApiKey("k1", "tests", "0" * 64, frozenset(permissions), NOON)
    return KeyHolder(deployment(deployment_id=deployment_id), key)


def signed_in(email: str, *permissions: Permission, deployment_id: int = 456, **more: Any) -> SignedInMember:
    """Return a person who has signed in and has these permissions."""
    return SignedInMember(
        deployment(deployment_id=deployment_id), email, more.get("known_as", ()), frozenset(permissions)
    )


def assigned_to(assignee: str) -> Assignment:
    """Return the assignment of a request that names its responder itself."""
    return Assignment(assignee, AssignedBy.REQUEST, None, ("the request names the responder",))


def opening(**changes: Any) -> Change:
    """Return the first step of a request with two emit options."""
    arguments: dict[str, Any] = {
        "request_id": REQUEST_ID,
        "stamp": Stamp(changes.pop("event_id", "e1"), changes.pop("at", NOON), "flow"),
        "deployment": deployment(),
        "content": CONTENT,
        "assignment": assigned_to(ASSIGNEE),
        "flow_id": "flow_1",
        "flow_name": "ContentApprovalFlow",
        "method_name": "review_article",
        "emit_options": ("approved", "rejected"),
        "free_text": FreeText.ACCEPT,
        "auto_response": None,
        "sla_target_minutes": None,
        "body_sha256": "b" * 64,
    }
    return opened(**{**arguments, **changes})


def head(**changes: Any) -> Head:
    """Return the head of a pending request."""
    return opening(**changes).after


def answer(**changes: Any) -> Answer:
    """Return an approval by mail."""
    given = Answer(
        decision_id="mail/1",
        outcome="approved",
        feedback="Approved!",
        comment="",
        via=Channel.EMAIL,
        responder=ASSIGNEE,
        responder_verified=True,
    )
    return replace(given, **changes)


def event(kind: EventKind, data: dict[str, Any]) -> AuditEvent:
    """Return the third event of the request's chain."""
    return next_event(
        subject=request_subject(REQUEST_ID),
        seq=3,
        prev_hash="f" * 64,
        event_id="e3",
        kind=kind,
        at=NOON,
        actor="flow",
        data=data,
    )


def option_views(*values: str) -> tuple[OptionView, ...]:
    """Return options as a request shows them that says only their values."""
    shown = ((value, option_shown(value, {})) for value in values)
    return tuple(
        OptionView(value=value, number=number, label=option.label, tone=option.tone)
        for number, (value, option) in enumerate(shown, 1)
    )
