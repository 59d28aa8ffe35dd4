"""A routing rule's condition on the flow's state: the spec's "route based on amount thresholds"."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class Condition:
    """What the value at one path of the state must be: it must pass every test, an operator with its operand.

    `eq` and `ne` have any JSON scalar as operand; `gt`, `gte`, `lt` and `lte` a number or a text; `in` a list; and
    `exists` a boolean, which says whether the path must be there at all.
    """

    path: str
    tests: Mapping[str, Any]


class FlowState:
    """A flow's state, of which each path is looked up once, however many rules ask for it."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = state
        self._found: dict[str, tuple[bool, Any]] = {}

    def at(self, path: str) -> tuple[bool, Any]:
        """Return whether there is a dotted path, and its value; a key that itself contains the dots wins."""
        found = self._found.get(path)
        if found is None:
            found = self._found[path] = _lookup(self._state, path)
        return found


_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_ORDERED = ("a number", "text")
_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    type(None): "null",
    list: "a list",
    dict: "an object",
}


class Unmet(NamedTuple):
    """A test of a condition that the state does not pass: the value that was found there, if one was."""

    condition: Condition
    test: str
    found: bool
    value: Any

    @property
    def reason(self) -> str:
        """Why, without what the state holds, which may be confidential."""
        return _reason(self.condition, self.test, self.found, self.value)


def first_unmet(conditions: Sequence[Condition], state: FlowState) -> Unmet | None:
    """Return the first test that the state does not pass, None if it meets every condition.

    A value of another type than the operand's never passes: `"12000"` is not greater than 10000.
    """
    for condition in conditions:
        found, value = state.at(condition.path)
        test = _failed(condition, found, value)
        if test is not None:
            return Unmet(condition, test, found, value)
    return None


def _failed(condition: Condition, found: bool, value: Any) -> str | None:
    for test, operand in condition.tests.items():
        passed = found is operand if test == "exists" else found and _passes(test, value, operand)
        if not passed:
            return test
    return None


def _reason(condition: Condition, test: str, found: bool, value: Any) -> str:
    path, operand = condition.path, condition.tests[test]
    if test == "exists":
        return f"the state has {'no' if operand else 'something at'} {path}"
    if not found:
        return f"the state has no {path}"
    if not _comparable(test, value, operand):
        return f"{path} in the state is {_KINDS[type(value)]}, which {test} cannot compare with {json.dumps(operand)}"
    return f"{path} in the state does not pass {test} {json.dumps(operand)}"


def _lookup(state: Mapping[str, Any], path: str) -> tuple[bool, Any]:
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


def _passes(test: str, value: Any, operand: Any) -> bool:
    """Tell whether a value passes; one that cannot be compared does not."""
    kind = _KINDS[type(value)]
    if test == "in":
        # By kind as well: to Python, 1 and True are equal.
        return any(kind == _KINDS[type(one)] and value == one for one in operand)
    same_kind = kind == _KINDS[type(operand)]
    if test in _ORDERINGS:
        return same_kind and kind in _ORDERED and _ORDERINGS[test](value, operand)
    if test == "eq":
        return same_kind and bool(value == operand)
    return (same_kind and bool(value != operand)) or (value is None) != (operand is None)


def _comparable(test: str, value: Any, operand: Any) -> bool:
    kind = _KINDS[type(value)]
    if test == "in":
        return any(kind == _KINDS[type(one)] for one in operand)
    if test in _ORDERINGS:
        return kind == _KINDS[type(operand)] and kind in _ORDERED
    return kind == _KINDS[type(operand)] or value is None or operand is None
