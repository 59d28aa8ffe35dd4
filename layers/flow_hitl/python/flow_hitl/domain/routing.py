"""Who is asked: the spec's "Routing Rules"."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from flow_hitl.domain.address import is_mail_address
from flow_hitl.domain.conditions import FlowState, all_met, why_unmet
from flow_hitl.domain.deployment import RoutingRule


class AssignedBy(StrEnum):
    """The step that chose the responder, by the contract's names."""

    REQUEST = "request"
    ASSIGN_FROM_INPUT = "assign_from_input"
    ASSIGN_TO_EMAIL = "assign_to_email"
    DEPLOYMENT_CREATOR = "deployment_creator"
    REASSIGNMENT = "reassignment"


@dataclass(frozen=True)
class Assignment:
    """The chosen responder, the step and rule that chose them, and why each earlier step did not.

    `matched` is the rule itself, for its deadlines.
    """

    email: str
    by: AssignedBy
    rule: str | None
    reasons: tuple[str, ...]
    matched: RoutingRule | None = None


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    first, *rest = ("".join("." if char == "?" else re.escape(char) for char in part) for part in glob.split("*"))
    # Atomic groups keep a pattern with many stars linear: each part is found once and never given back.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.DOTALL)


def matches(glob: str, method_name: str) -> bool:
    """Tell whether a method name fits a rule's pattern: `*` any characters, `?` one, all else itself, by case."""
    return _pattern(glob).fullmatch(method_name) is not None


def assign(
    *,
    method_name: str,
    state: Mapping[str, Any],
    rules: Sequence[RoutingRule],
    creator_email: str,
    requested_email: str | None = None,
    refusal: Callable[[str], str | None] = lambda _assignee: None,
) -> Assignment:
    """Choose the responder: the request's own wish, else the first matching rule, else the deployment creator.

    Within the rule the spec's "Assignment Priority" holds: `assign_from_input`, then `assign_to_email`. A step that
    yields no mail address, or one that `refusal` gives a reason against, falls through to the next and leaves its
    reason. What the request itself names is for the caller to check.
    """
    if requested_email is not None:
        return Assignment(requested_email, AssignedBy.REQUEST, None, ("the request names the responder",))
    flow_state = FlowState(state)
    rule = next((rule for rule in rules if _is_for(rule, method_name, flow_state)), None)
    reasons: list[str] = []
    if rule is None:
        reasons.append(f"no routing rule matches {method_name}")
    else:
        reasons.append(_why(rule, method_name))
        for by, value, reason in _steps(rule, flow_state):
            against = refusal(value) if value is not None else None
            reasons.append(f"{reason}: {against}" if against else reason)
            if value is not None and not against:
                return Assignment(value, by, rule.name, tuple(reasons), rule)
    reasons.append("assigned to the deployment creator")
    by_creator = AssignedBy.DEPLOYMENT_CREATOR
    return Assignment(creator_email, by_creator, rule.name if rule else None, tuple(reasons), rule)


@dataclass(frozen=True)
class Considered:
    """What became of one rule when a request was routed."""

    name: str
    matched: bool
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as a dry run and a request's first event show it."""
        return {"name": self.name, "matched": self.matched, "reason": self.reason}


def consider(method_name: str, state: Mapping[str, Any], rules: Sequence[RoutingRule]) -> tuple[Considered, ...]:
    """Return for each rule, in order, whether it is the one for a request, and why or why not."""
    considered: list[Considered] = []
    winner: str | None = None
    flow_state = FlowState(state)
    for rule in rules:
        if winner is not None:
            reason = f'the rule "{winner}" before it matches'
        elif not matches(rule.method_pattern, method_name):
            reason = f"{method_name} does not fit {rule.method_pattern}"
        elif unmet := why_unmet(rule.conditions, flow_state):
            reason = unmet
        else:
            winner, reason = rule.name, _why(rule, method_name)
            considered.append(Considered(rule.name, True, reason))
            continue
        considered.append(Considered(rule.name, False, reason))
    return tuple(considered)


def _is_for(rule: RoutingRule, method_name: str, state: FlowState) -> bool:
    return matches(rule.method_pattern, method_name) and (not rule.conditions or all_met(rule.conditions, state))


def _why(rule: RoutingRule, method_name: str) -> str:
    condition = " and its condition on the state" if rule.conditions else ""
    return f'rule "{rule.name}" matches {method_name} by {rule.method_pattern}{condition}'


def _steps(rule: RoutingRule, state: FlowState) -> Iterator[tuple[AssignedBy, str | None, str]]:
    if rule.assign_from_input:
        found, value = state.at(rule.assign_from_input)
        by, path = AssignedBy.ASSIGN_FROM_INPUT, rule.assign_from_input
        if not found:
            yield by, None, f"assign_from_input: the state has no {path}"
        elif is_mail_address(value):
            yield by, value, f"assign_from_input: {path} in the state"
        else:
            yield by, None, f"assign_from_input: {path} in the state is no mail address"
    if rule.assign_to_email:
        yield AssignedBy.ASSIGN_TO_EMAIL, rule.assign_to_email, "assign_to_email of the rule"
