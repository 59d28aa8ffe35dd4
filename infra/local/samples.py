"""Requests to look around with: what flows of a small company might ask, opened by one click on the local stack."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_DRAFT = """# Spring newsletter

Meet the **planner** that plans itself: *less* typing, more doing.

- Ships in May
- Works with your calendar

| Plan | Price |
|---|---:|
| Solo | 9 € |
| Team | 29 € |
"""
_PAYMENTS: Sequence[tuple[str, str, int]] = (
    ("INV-20931", "ACME Ltd.", 12_400),
    ("INV-20932", "Sunrise Catering", 380),
    ("INV-20933", "Nordwind GmbH", 2_150),
    ("INV-20934", "Bluebird Travel", 940),
)
_ALERTS: Sequence[tuple[str, str]] = (
    ("ann@example.com", "Login from a new country"),
    ("bob@example.com", "Forty downloads in a minute"),
    ("build-bot", "A key was used from two networks"),
)

SAMPLES: Sequence[Mapping[str, Any]] = (
    *(
        {
            "flow_id": f"payments-{invoice}",
            "flow_name": "PaymentsFlow",
            "method_name": "approve_payment",
            "message": f"Pay {amount:,} € to {supplier}?",
            "output": {"invoice": invoice, "supplier": supplier, "total": amount, "due": "2026-12-31", "paid": False},
            "state": {"invoice": invoice, "supplier": supplier, "amount": amount},
            "emit_options": ["approved", "rejected"],
            "sla_target_minutes": 240,
        }
        for invoice, supplier, amount in _PAYMENTS
    ),
    *(
        {
            "flow_id": f"security-{number}",
            "flow_name": "SecurityFlow",
            "method_name": "triage_alert",
            "message": f"{what}: {who}. What should happen?",
            "state": {"account": who, "alert": what},
            "emit_options": ["dismiss", "lock_account", "escalate"],
            "sla_target_minutes": 30,
        }
        for number, (who, what) in enumerate(_ALERTS, start=1)
    ),
    {
        "flow_id": "content-1",
        "flow_name": "ContentFlow",
        "method_name": "review_article",
        "message": "Fit to print? It goes out on Monday.",
        "output": _DRAFT,
        "state": {"issue": "2026-05", "author": "writer-agent"},
        "emit_options": ["publish", "needs_revision", "rejected"],
    },
    {
        "flow_id": "content-2",
        "flow_name": "ContentFlow",
        "method_name": "name_the_campaign",
        "message": "What shall we call the spring campaign?",
    },
)


def open_samples(ask: Callable[[Mapping[str, Any]], int]) -> int:
    """Ask for each sample; returns how many were opened."""
    return sum(ask(sample) == 201 for sample in SAMPLES)
