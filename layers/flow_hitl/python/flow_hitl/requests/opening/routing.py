"""Who is asked: the spec's "Routing Rules"."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple

from flow_hitl.deployments.conditions import FlowState, Unmet, first_unmet
from flow_hitl.deployments.deployment import RoutingRule
from flow_hitl.platform.address import read_mailbox
from flow_hitl.platform.records import dataclass


class AssignedBy(StrEnum):
    """The step that chose the responder; the names are the contract's."""

    REQUEST = "request"
    ASSIGN_FROM_INPUT = "assign_from_input"
    ASSIGN_TO_EMAIL = "assign_to_email"
    DEPLOYMENT_CREATOR = "deployment_creator"
    REASSIGNMENT = "reassignment"


@dataclass(frozen=True)
class ConsideredRule:
    """The result for one rule when a request was routed."""

    name: str
    """The rule's name."""
    matched: bool
    """Whether it matched."""
    reason: str
    """Why, or why not."""


class RuleLook(NamedTuple):
    """One evaluation of a rule, put into words only when read: a thousand take under a millisecond."""

    rule: RoutingRule
    method_name: str
    fits: bool
    unmet: Unmet | None

    @property
    def matched(self) -> bool:
        return self.fits and self.unmet is None

    @property
    def reason(self) -> str:
        if not self.fits:
            return f"{self.method_name} does not fit {self.rule.method_pattern}"
        if self.unmet is not None:
            return self.unmet.reason
        condition = " and its condition on the state" if self.rule.conditions else ""
        return f'rule "{self.rule.name}" matches {self.method_name} by {self.rule.method_pattern}{condition}'

    @property
    def in_words(self) -> ConsideredRule:
        return ConsideredRule(self.rule.name, self.matched, self.reason)


@dataclass(frozen=True)
class Assignment:
    """The responder, the step and rule that chose them, and why earlier steps did not.

    `looks` are the rules evaluated, in order, up to the one that matched. `matched` is that rule. `shortfall` says why
    the rule's own choice could not be followed, as a clause without its name, or None.
    """

    email: str
    by: AssignedBy
    rule: str | None
    reasons: tuple[str, ...]
    matched: RoutingRule | None = None
    shortfall: str | None = None
    looks: tuple[RuleLook, ...] = ()

    def considered(self, rules: Sequence[RoutingRule]) -> tuple[ConsideredRule, ...]:
        """Return the result for each of the `rules`, including those not reached."""
        why = f'not reached: the rule "{self.rule}" before it matches'
        not_reached = (ConsideredRule(rule.name, False, why) for rule in rules[len(self.looks) :])
        return (*(look.in_words for look in self.looks), *not_reached)


@lru_cache(maxsize=4096)
def _pattern(glob: str) -> re.Pattern[str]:
    first, *rest = ("".join("." if char == "?" else re.escape(char) for char in part) for part in glob.split("*"))
    # Atomic groups keep patterns with many stars linear: each part is found once and never given back.
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1])
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.DOTALL)


def matches(glob: str, method_name: str) -> bool:
    """Tell whether a method name matches a pattern: `*` any characters, `?` one, case-sensitive."""
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
    """Choose the responder: the request's own choice, else the first matching rule's, else the creator.

    Within a rule, `assign_from_input` comes before `assign_to_email`, as in the spec's "Assignment Priority". A step
    that yields no address, or one with a `refusal`, falls through to the next and leaves its reason. The caller checks
    the request's own choice.
    """
    if requested_email is not None:
        return Assignment(requested_email, AssignedBy.REQUEST, None, ("the request names the responder",))
    flow_state = FlowState(state)
    looks = tuple(_look(method_name, flow_state, rules))
    rule = looks[-1].rule if looks and looks[-1].matched else None
    reasons: list[str] = []
    shortfall: str | None = None
    if rule is None:
        reasons.append(f"no routing rule matches {method_name}")
    else:
        reasons.append(looks[-1].reason)
        for step in _steps(rule, flow_state):
            against = refusal(step.email) if step.email is not None else None
            reasons.append(f"{step.reason}{step.whom}: {against}" if against else step.reason)
            if step.email is not None and not against:
                return Assignment(step.email, step.by, rule.name, tuple(reasons), rule, shortfall, looks)
            if step.is_there or rule.assign_to_email is None:
                problem = f"{step.named} may not be asked: {against}" if against else step.problem
                shortfall = shortfall or problem
    reasons.append("assigned to the deployment creator")
    by_creator = AssignedBy.DEPLOYMENT_CREATOR
    name = rule.name if rule else None
    return Assignment(creator_email, by_creator, name, tuple(reasons), rule, shortfall, looks)


def _look(method_name: str, state: FlowState, rules: Sequence[RoutingRule]) -> Iterator[RuleLook]:
    """Evaluate each rule once, up to the first that matches."""
    for rule in rules:
        fits = matches(rule.method_pattern, method_name)
        look = RuleLook(rule, method_name, fits, first_unmet(rule.conditions, state) if fits else None)
        yield look
        if look.matched:
            return


@dataclass(frozen=True)
class _Step:
    """One way a rule names a responder: their address, or the `problem` with it, as a clause.

    `whom` names the responder in the reason; values from the state are not repeated. A value missing from the state is
    normal if the rule also names someone.
    """

    by: AssignedBy
    reason: str
    named: str
    email: str | None = None
    problem: str = ""
    whom: str = ""
    is_there: bool = True


def _steps(rule: RoutingRule, state: FlowState) -> Iterator[_Step]:
    if rule.assign_from_input:
        by, path = AssignedBy.ASSIGN_FROM_INPUT, rule.assign_from_input
        named = f"{path} in the state"
        found, value = state.at(path)
        if not found:
            missing = f"the state has no {path}"
            yield _Step(by, f"assign_from_input: {missing}", named, problem=missing, is_there=False)
        else:
            try:
                yield _Step(by, f"assign_from_input: {named}", named, read_mailbox(value))
            except ValueError as error:
                problem = f"{named} was not a usable address: it {error}"
                yield _Step(by, f"assign_from_input: {named} {error}", named, problem=problem)
    if rule.assign_to_email:
        by, assignee = AssignedBy.ASSIGN_TO_EMAIL, rule.assign_to_email
        yield _Step(by, "assign_to_email of the rule", assignee, assignee, whom=f", {assignee}")
