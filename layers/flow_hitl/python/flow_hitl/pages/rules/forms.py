"""A routing rule as a form, and in words."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flow_hitl.pages.settings.forms import (
    Document,
    Fields,
    auto_response_fields,
    auto_response_in,
    number_in,
    sentence,
    text_in,
    text_of,
)
from flow_hitl.platform.errors import FieldError

CONDITION_TESTS: Sequence[tuple[str, str]] = (
    ("eq", "is"),
    ("ne", "is not"),
    ("gt", "is greater than"),
    ("gte", "is at least"),
    ("lt", "is less than"),
    ("lte", "is at most"),
    ("in", "is one of"),
    ("exists", "exists"),
    ("missing", "does not exist"),
)
"""The tests of a condition in the form; "missing" is `exists` with false."""

MOST_ROWS = 40
_STATE = "state."
_NO_VALUE = ("exists", "missing")
_TEST_NAMES = frozenset(test for test, _ in CONDITION_TESTS)
# Raised by json.loads for invalid JSON and for JSON that is too deep.
_NO_JSON = (ValueError, RecursionError)
_LONGEST_SHOWN = 80


class RepeatedTest(Exception):
    """Two rows of conditions test the same value in the same way; carries the second."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row}")
        self.row = row


def rule_fields(rule: Document) -> Fields:
    """Return the form's fields for a rule, `{}` for a new one."""
    match = rule.get("match", {})
    auto_response = rule.get("auto_response")
    fields = {
        "name": rule.get("name", ""),
        "method_name": match.get("method_name", ""),
        "assign_from_input": _named(rule.get("assign_from_input")),
        "assign_to_email": rule.get("assign_to_email") or "",
        "sla_target_minutes": text_of(rule.get("sla_target_minutes")),
        "approval_ttl_minutes": text_of(rule.get("approval_ttl_minutes")),
        "auto_response": "deployment" if auto_response is None else "own" if auto_response["enabled"] else "never",
        **auto_response_fields(auto_response),
    }
    rows = [(path, *_shown(test, operand)) for path, test, operand in _tests(rule)]
    spare = [("", "eq", "")] * (1 if rows else 2)
    for row, (path, test, value) in enumerate([*rows, *spare][:MOST_ROWS]):
        fields |= {f"condition_{row}_path": path, f"condition_{row}_test": test, f"condition_{row}_value": value}
    return fields


def rule_of(fields: Fields) -> Document:
    """Return the rule in a form; raises RepeatedTest."""
    condition: dict[str, dict[str, Any]] = {}
    for row in _filled_rows(fields):
        path, test, operand = _condition(fields, row)
        tests = condition.setdefault(path, {})
        if test in tests:
            raise RepeatedTest(row)
        tests[test] = operand
    kind = fields.get("auto_response", "deployment")
    return {
        "name": fields.get("name", "").strip(),
        "match": {
            "method_name": fields.get("method_name", "").strip(),
            **({"condition": condition} if condition else {}),
        },
        "assign_to_email": text_in(fields, "assign_to_email"),
        "assign_from_input": _in_state(text_in(fields, "assign_from_input")),
        "sla_target_minutes": number_in(fields, "sla_target_minutes"),
        "approval_ttl_minutes": number_in(fields, "approval_ttl_minutes"),
        "auto_response": None if kind == "deployment" else auto_response_in(fields, enabled=kind == "own"),
    }


def rule_problem(fields: Fields, error: FieldError) -> tuple[str, str]:
    """Return which field of a rule's form an error of the rules document is about, and what to say there."""
    parts = [part.replace("~1", "/").replace("~0", "~") for part in error.field.lstrip("/").split("/")]
    match parts[2:]:
        case [] if parts[1:]:
            return "assign_to_email", "Enter an address, the field of the state that holds it, or both."
        case ["name"]:
            return "name", "Enter a name that no other rule has, up to 256 characters."
        case ["match", "method_name"]:
            return "method_name", "Enter a method name or a pattern such as approve_*, up to 256 characters."
        case ["match", "condition", path, *tests]:
            test = next((one for one in tests if one in _TEST_NAMES), None)
            row = _row_of(fields, path, test)
            return (f"condition_{row}_value" if test else f"condition_{row}_path"), sentence(error)
        case [*_, name]:
            return name, sentence(error)
        case _:
            return "", sentence(FieldError("", error.message))


def condition_rows(fields: Fields) -> int:
    """Return how many rows of conditions a form has."""
    return sum(f"condition_{row}_path" in fields for row in range(MOST_ROWS))


def conditions_in_words(rule: Document) -> Sequence[str]:
    """Return a rule's conditions, a line for each test."""
    words = dict(CONDITION_TESTS)
    shown = [(path, *_shown(test, operand)) for path, test, operand in _tests(rule)]
    return [f"{path} {words[test]} {_cut(value)}".rstrip() for path, test, value in shown]


def deadlines_in_words(rule: Document) -> Sequence[str]:
    """Return the deadlines that a rule sets, or that a dry run says would apply."""
    told: list[str] = []
    if rule.get("sla_target_minutes") is not None:
        told.append(f"SLA target {rule['sla_target_minutes']} min")
    auto_response = rule.get("auto_response")
    if auto_response is not None and not auto_response.get("enabled", True):
        told.append("never answered automatically")
    elif auto_response is not None:
        outcome = _cut(str(auto_response["default_outcome"]))
        told.append(f'answered "{outcome}" after {auto_response["timeout_minutes"]} min')
    if rule.get("approval_ttl_minutes") is not None:
        told.append(f"answers valid for {rule['approval_ttl_minutes']} min")
    return told


def _tests(rule: Document) -> list[tuple[str, str, Any]]:
    condition: Mapping[str, Mapping[str, Any]] = rule.get("match", {}).get("condition", {})
    return [(path, test, operand) for path, tests in condition.items() for test, operand in tests.items()]


def _filled_rows(fields: Fields) -> list[int]:
    """Return the rows with a path, or with a value that needs one."""
    names = ("path", "value")
    return [row for row in range(MOST_ROWS) if any(text_in(fields, f"condition_{row}_{name}") for name in names)]


def _named(path: str | None) -> str:
    """Return a path as conditions name it."""
    return f"{_STATE}{path}" if path else ""


def _in_state(path: str | None) -> str | None:
    """Return the path that a field names, with or without the word in front; None for an empty one."""
    return (path or "").removeprefix(_STATE) or None


def _condition(fields: Fields, row: int) -> tuple[str, str, Any]:
    path = fields.get(f"condition_{row}_path", "").strip()
    test, value = fields.get(f"condition_{row}_test", ""), fields.get(f"condition_{row}_value", "")
    path = path if path.startswith(_STATE) else f"{_STATE}{path}"
    if test in _NO_VALUE:
        return path, "exists", test == "exists"
    return path, test, _several(value) if test == "in" else _operand(value)


def _row_of(fields: Fields, path: str, test: str | None) -> int:
    rows = _filled_rows(fields)
    for row in rows:
        found = _condition(fields, row)
        if found[0] == path and test in (None, found[1]):
            return row
    return rows[0] if rows else 0


def _operand(text: str) -> Any:
    """Return what a value means: a number, true, false, null, or a quoted text as in JSON, else the text itself."""
    value = text.strip()
    try:
        read = json.loads(value, parse_constant=lambda _: value)
    except _NO_JSON:
        return value
    return value if isinstance(read, dict | list) else read


def _several(text: str) -> list[Any]:
    """Return several values: a JSON list, or values separated by commas."""
    try:
        read = json.loads(text)
    except _NO_JSON:
        read = None
    if isinstance(read, list):
        return read
    return [_operand(one) for one in text.split(",") if one.strip()]


def _shown(test: str, operand: Any) -> tuple[str, str]:
    """Return a test and its value for the form, such that they are read back unchanged."""
    if test == "exists":
        return ("exists" if operand else "missing"), ""
    if test != "in":
        return test, _text(operand)
    texts = [_text(one) for one in operand]
    joined = ", ".join(texts)
    return test, joined if _several(joined) == list(operand) else json.dumps(operand, ensure_ascii=False)


def _text(value: Any) -> str:
    if isinstance(value, str) and _same(_operand(value), value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal and of one type: to Python, 1 and True are equal."""
    return type(one) is type(other) and bool(one == other)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
