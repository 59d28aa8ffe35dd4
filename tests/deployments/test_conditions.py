"""The spec's "route based on amount thresholds": a rule's condition on the flow's state, and why it does not hold."""

from typing import Any

import pytest

from flow_hitl.deployments.conditions import Condition, FlowState, first_unmet
from flow_hitl.deployments.deployment import RoutingRule
from flow_hitl.requests.opening.routing import assign
from tests.speed import cpu_seconds

STATE: dict[str, Any] = {
    "amount": 12000,
    "rate": 0.5,
    "region": "eu",
    "urgent": True,
    "note": None,
    "lines": [{"sku": "a1"}],
    "customer": {"tier": "gold", "credit.limit": 7},
}


@pytest.mark.parametrize(
    ("path", "tests", "met"),
    [
        ("amount", {"gt": 10000}, True),
        ("amount", {"gt": 12000}, False),
        ("amount", {"gte": 12000}, True),
        ("amount", {"lt": 12000.5}, True),
        ("amount", {"lte": 11999}, False),
        ("amount", {"gt": 10000, "lt": 20000}, True),
        ("amount", {"gt": 10000, "lt": 11000}, False),
        ("amount", {"eq": 12000.0}, True),
        ("amount", {"ne": 12000}, False),
        ("amount", {"ne": 1}, True),
        ("rate", {"gt": 0}, True),
        ("region", {"eq": "eu"}, True),
        ("region", {"eq": "EU"}, False),
        ("region", {"gt": "at"}, True),
        ("region", {"in": ["us", "eu"]}, True),
        ("region", {"in": ["us"]}, False),
        ("amount", {"in": [1, 12000]}, True),
        ("urgent", {"eq": True}, True),
        ("urgent", {"ne": False}, True),
        ("note", {"eq": None}, True),
        ("note", {"ne": None}, False),
        ("region", {"ne": None}, True),
        ("region", {"eq": None}, False),
        ("note", {"exists": True}, True),
        ("missing", {"exists": False}, True),
        ("missing", {"exists": True}, False),
        ("amount", {"exists": False}, False),
        ("lines.0.sku", {"eq": "a1"}, True),
        ("customer.tier", {"eq": "gold"}, True),
        ("customer.credit.limit", {"exists": True}, False),
        # Of another type than the operand: never met, whatever a language might make of it.
        ("urgent", {"eq": 1}, False),
        ("urgent", {"in": [1]}, False),
        ("urgent", {"gt": 0}, False),
        ("amount", {"gt": "10000"}, False),
        ("region", {"lt": 5}, False),
        ("region", {"ne": 5}, False),
        ("lines", {"gt": 0}, False),
        ("customer", {"eq": "gold"}, False),
        ("note", {"gt": 0}, False),
        ("missing", {"ne": 5}, False),
    ],
)
def test_what_holds(path: str, tests: dict[str, Any], met: bool) -> None:
    conditions, state = (Condition(path, tests),), FlowState(STATE)
    assert (first_unmet(conditions, state) is None) is met


@pytest.mark.parametrize(
    ("path", "tests", "reason"),
    [
        ("amount", {"gt": 20000}, "amount in the state does not pass gt 20000"),
        ("region", {"in": ["us"]}, 'region in the state does not pass in ["us"]'),
        ("region", {"gt": 5}, "region in the state is text, which gt cannot compare with 5"),
        ("urgent", {"eq": 1}, "urgent in the state is true or false, which eq cannot compare with 1"),
        ("lines", {"lt": "b"}, 'lines in the state is a list, which lt cannot compare with "b"'),
        ("note", {"gte": 1}, "note in the state is null, which gte cannot compare with 1"),
        ("missing", {"gt": 1}, "the state has no missing"),
        ("missing", {"exists": True}, "the state has no missing"),
        ("amount", {"exists": False}, "the state has something at amount"),
    ],
)
def test_why_it_does_not_hold_is_said_without_the_value(path: str, tests: dict[str, Any], reason: str) -> None:
    unmet = first_unmet((Condition(path, tests),), FlowState(STATE))
    assert unmet is not None
    assert unmet.reason == reason
    assert "12000" not in reason


def rule(name: str, *conditions: Condition, pattern: str = "approve_*") -> RoutingRule:
    return RoutingRule(name, pattern, f"{name}@example.com", None, conditions)


BIG = rule("big", Condition("amount", {"gt": 10000}))
REST = rule("rest")


@pytest.mark.parametrize(("amount", "to"), [(10001, "big"), (10000, "rest"), ("10001", "rest"), (None, "rest")])
def test_requests_are_routed_by_amount(amount: Any, to: str) -> None:
    chosen = assign(
        method_name="approve_invoice", state={"amount": amount}, rules=(BIG, REST), creator_email="c@example.com"
    )
    assert (chosen.email, chosen.rule, chosen.matched) == (f"{to}@example.com", to, BIG if to == "big" else REST)


def test_every_rule_says_why_it_is_the_one_or_not() -> None:
    rules = (rule("other", pattern="review_*"), BIG, REST, rule("late"))
    chosen = assign(method_name="approve_invoice", state={"amount": 1}, rules=rules, creator_email="c@example.com")
    told = [(one.name, one.matched, one.reason) for one in chosen.considered(rules)]
    assert told == [
        ("other", False, "approve_invoice does not fit review_*"),
        ("big", False, "amount in the state does not pass gt 10000"),
        ("rest", True, 'rule "rest" matches approve_invoice by approve_*'),
        ("late", False, 'not reached: the rule "rest" before it matches'),
    ]


def test_a_thousand_conditions_take_less_than_a_millisecond_on_a_quiet_machine() -> None:
    rules = [rule(f"r{number}", Condition("order.amount", {"gt": 10000 + number})) for number in range(1000)]

    def once() -> None:
        assign(
            method_name="approve_invoice",
            state={"order": {"amount": 5}},
            rules=rules,
            creator_email="c@example.com",
        )

    once()
    assert cpu_seconds(once, 0.005) < 0.005, "five times the promise: other work may share the processor"
