"""A deployment that has been in use for days: 116 requests, as many people and flows as a team has."""

from typing import Any

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import callback

WAITING, ANSWERED = 78, 38
_PEOPLE = ("creator@example.com", "ann@example.com", "bob.somebody@finance.example.com")
_KINDS: tuple[dict[str, Any], ...] = (
    {"method_name": "approve_payment", "flow_name": "PaymentsFlow", "emit": ["approved", "rejected"]},
    {"method_name": "review_article", "flow_name": "ContentFlow", "emit": ["publish", "needs_revision", "rejected"]},
    {"method_name": "triage_alert", "flow_name": "SecurityFlow", "emit": ["dismiss", "escalate_to_ciso"]},
)
_SUPPLIERS = ("ACME Ltd.", "Sunrise Catering", "Nordwind GmbH", "Bluebird Travel")


def busy(hitl: Hitl, waiting: int = WAITING, answered: int = ANSWERED) -> list[AskedRequest]:
    """Ask it all, twenty minutes apart, and answer the first ones; return them in the order they were asked."""
    for email in _PEOPLE[1:]:
        current().manage_deployments.set_member(hitl.deployment_id, Member(email, frozenset({Permission.RESPOND}), ()))
    # The pages are what is looked at, and nobody reads these emails.
    hitl.configure(settings={"email_notifications": False})
    asked = [_ask(hitl, number, decided=number < answered) for number in range(waiting + answered)]
    hitl.configure(settings={"email_notifications": True})
    return asked


def _ask(hitl: Hitl, number: int, *, decided: bool) -> AskedRequest:
    kind = dict(_KINDS[number % 3])
    supplier, amount = _SUPPLIERS[number % 4], 120 + number * 37
    message = (
        f"Pay {amount:,} € to {supplier}?",
        f"Fit to print? The newsletter about {supplier}, issue {number}.",
        f"Login from a new country by user{number}@example.com: what should happen?",
    )[number % 3]
    asked = hitl.ask(
        message,
        **kind,
        flow_id=f"flow_{number}",
        state={"invoice": f"INV-{20900 + number}", "supplier": supplier, "amount": amount},
        output=f"# {supplier}\n\nThe draft, number {number}.",
        assigned_to_email=_PEOPLE[number % 3 if number % 5 else 0],
        sla_target_minutes=60 + 30 * (number % 7) if number % 4 else None,
    )
    hitl.advance(minutes=20)
    if decided:
        callback(hitl, asked, f"{kind['emit'][number % len(kind['emit'])]}\nFine by me.", responder=_PEOPLE[number % 3])
    return asked
