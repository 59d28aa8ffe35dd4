"""Who is asked: the spec's "Routing Rules"."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from flow_hitl.domain.address import is_mail_address
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
    """The chosen responder, the step and rule that chose them, and why each earlier step did not."""

    email: str
    by: AssignedBy
    rule: str | None
    reasons: tuple[str, ...]


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
) -> Assignment:
    """Choose the responder: the request's own wish, else the first matching rule, else the deployment creator.

    Within the rule the spec's "Assignment Priority" holds: `assign_from_input`, then `assign_to_email`. A step that
    yields no mail address falls through to the next and leaves its reason.
    """
    if requested_email is not None:
        return Assignment(requested_email, AssignedBy.REQUEST, None, ("the request names the responder",))
    rule = next((rule for rule in rules if matches(rule.method_pattern, method_name)), None)
    reasons: list[str] = []
    if rule is None:
        reasons.append(f"no routing rule matches {method_name}")
    else:
        reasons.append(f'rule "{rule.name}" matches {method_name} by {rule.method_pattern}')
        for by, value, reason in _steps(rule, state):
            reasons.append(reason)
            if value is not None:
                return Assignment(value, by, rule.name, tuple(reasons))
    reasons.append("assigned to the deployment creator")
    return Assignment(creator_email, AssignedBy.DEPLOYMENT_CREATOR, rule.name if rule else None, tuple(reasons))


def _steps(rule: RoutingRule, state: Mapping[str, Any]) -> Iterator[tuple[AssignedBy, str | None, str]]:
    if rule.assign_from_input:
        found, value = _lookup(state, rule.assign_from_input)
        by, path = AssignedBy.ASSIGN_FROM_INPUT, rule.assign_from_input
        if not found:
            yield by, None, f"assign_from_input: the state has no {path}"
        elif is_mail_address(value):
            yield by, value, f"assign_from_input: {path} in the state"
        else:
            yield by, None, f"assign_from_input: {path} in the state is no mail address"
    if rule.assign_to_email:
        yield AssignedBy.ASSIGN_TO_EMAIL, rule.assign_to_email, "assign_to_email of the rule"


def _lookup(state: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Return whether the state holds a path, and its value; a key that itself contains the dots wins."""
    if path in state:
        return True, state[path]
    value: Any = state
    for part in path.split("."):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return False, None
    return True, value
