"""The routing rules of the examples ask whom the examples say."""

from pathlib import Path
from typing import Any

import pytest

from flow_hitl.deployments.configuration_documents import parse_rules
from flow_hitl.requests.opening.routing import assign

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize(
    ("name", "method", "state", "asked"),
    [
        ("finance_approval", "approve_expense", {"approver_email": "cfo@example.com"}, "cfo@example.com"),
        ("finance_approval", "approve_expense", {}, "finance@example.com"),
        ("account_owner", "review_quote", {"account_owner_email": "alice@example.com"}, "alice@example.com"),
        ("account_owner", "review_quote", {"account_owner_email": None}, "sales@example.com"),
        ("security_questionnaire", "review_answers", {}, "security@example.com"),
        ("output_qa", "check_answer", {}, "qa@example.com"),
        ("output_qa", "something_else", {}, "creator@example.com"),
    ],
)
def test_who_is_asked(name: str, method: str, state: dict[str, Any], asked: str) -> None:
    rules = parse_rules((EXAMPLES / name / "rules.json").read_bytes())
    assigned = assign(
        method_name=method,
        state=state,
        rules=rules,
        creator_email="creator@example.com",
        requested_email=None,
        refusal=lambda _email: None,
    )
    assert assigned.email == asked
