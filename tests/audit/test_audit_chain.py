"""The audit chain: nothing in it can be changed without its hash saying so."""

import hashlib
import json
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.audit.chain import AuditEvent, EventKind, event_hash
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import canonical_json
from tests.support import examples

EVENT = examples.event(EventKind.NOTIFICATION_SENT, {"to": "a@example.com", "parts": [1, {"deep": True}]})

OTHER: dict[str, Any] = {
    "subject": "request#0192f0c1-7e11-7abc-8def-0123456789ac",
    "seq": 4,
    "event_id": "e4",
    "kind": EventKind.CONFIRMATION_SENT,
    "at": EVENT.at + timedelta(seconds=1),
    "actor": "somebody",
    "data": {"to": "b@example.com", "parts": [1, {"deep": True}]},
    "prev_hash": "e" * 64,
}


def test_every_member_is_tried() -> None:
    assert set(OTHER) | {"hash"} == {field.name for field in fields(AuditEvent)}


@pytest.mark.parametrize("member", sorted(OTHER))
def test_a_change_of_any_member_changes_the_hash(member: str) -> None:
    assert event_hash(replace(EVENT, **{member: OTHER[member]})) != EVENT.hash


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"to": "a@example.com"},
        {"to": "a@example.com", "parts": [1, {"deep": False}]},
        {"to": "a@example.com", "parts": [{"deep": True}, 1]},
        {"to": "a@example.com", "parts": ["1", {"deep": True}]},
        {"to": "a@example.com", "parts": [1, {"deep": True}], "more": None},
    ],
)
def test_a_change_deep_in_the_data_changes_the_hash(data: dict[str, Any]) -> None:
    assert event_hash(replace(EVENT, data=data)) != EVENT.hash


def test_the_hash_can_be_rebuilt_from_what_an_export_shows() -> None:
    shown = as_json(EVENT)
    claimed = shown.pop("hash")
    text = json.dumps(json.loads(json.dumps(shown)), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode("utf-8")).hexdigest() == claimed == EVENT.hash


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_json({"b": 1, "a": {"d": "ä", "c": None}}) == '{"a":{"c":null,"d":"ä"},"b":1}'


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_json_has_no_canonical_form(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json({"x": number})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_canonical_json_survives_a_round_trip(value: Any) -> None:
    text = canonical_json(value)
    assert canonical_json(json.loads(text)) == text
