"""What an event binds of a record: every member that was set, at every depth, and none that was added since."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from flow_hitl.audit.bound import bound_digest, is_as_written
from flow_hitl.audit.chain import AuditEvent, EventKind, data_of, deployment_of
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import digest
from tests.support import examples
from tests.support.examples import NOON


@dataclass(frozen=True)
class Before:
    """A record as it was."""

    name: str
    part: "Part"
    parts: tuple["Part", ...] = ()
    by_name: Mapping[str, Any] = field(default_factory=dict)
    at: Any = None


@dataclass(frozen=True)
class Part:
    size: int
    unit: str = "m"


@dataclass(frozen=True)
class Since(Before):
    """The same record with members that were added later."""

    note: str | None = None
    tags: list[str] = field(default_factory=list)


RECORD = Before("n", Part(1), (Part(2, "cm"),), {"a": Part(3), "b": [NOON]}, NOON)


def test_a_digest_is_of_what_was_set() -> None:
    assert bound_digest(RECORD) == digest(
        {
            "name": "n",
            "part": {"size": 1},
            "parts": [{"size": 2, "unit": "cm"}],
            "by_name": {"a": {"size": 3}, "b": ["2026-01-14T12:00:00Z"]},
            "at": "2026-01-14T12:00:00Z",
        }
    )


def test_members_that_are_added_later_change_no_digest_until_they_are_set() -> None:
    members = (RECORD.name, RECORD.part, RECORD.parts, RECORD.by_name, RECORD.at)
    assert bound_digest(Since(*members)) == bound_digest(RECORD)
    assert bound_digest(Since(*members, note="x")) != bound_digest(RECORD)
    assert bound_digest(Since(*members, tags=["x"])) != bound_digest(RECORD)


def test_what_is_kept_apart_is_not_bound() -> None:
    assert bound_digest(RECORD, "at", "by_name") == bound_digest(Before("n", Part(1), (Part(2, "cm"),)))
    assert bound_digest(RECORD, "name") != bound_digest(RECORD)


READ = {"name": "n", "number": 1, "yes": True, "all": ["b", "a"], "parts": [{"size": 1, "unit": "m"}], "none": None}


@pytest.mark.parametrize(
    "doc",
    [
        json.dumps(READ),
        "{}",
        '{"number":1}',
        '{"parts":[{"size":1}],"none":null}',
        # Sets are written in any order.
        '{"all":["a","b"]}',
    ],
)
def test_a_document_may_leave_out_what_has_its_default(doc: str) -> None:
    assert is_as_written(doc, READ)


@pytest.mark.parametrize(
    "doc",
    [
        '{"note":"x"}',
        '{"parts":[{"note":"x"}]}',
        '{"number":"1"}',
        '{"number":1.0}',
        '{"number":true}',
        '{"yes":1}',
        '{"yes":"true"}',
        '{"all":["a"]}',
        '{"all":["a","b","b"]}',
        '{"parts":[]}',
        '{"parts":[{},{}]}',
        '{"none":0}',
        "[]",
        b"{}",
        None,
        1,
    ],
)
def test_what_a_reader_overlooks_was_not_written(doc: object) -> None:
    assert not is_as_written(doc, READ)


@pytest.mark.parametrize("doc", ['{"name":"x","name":"n"}', '{"parts":[{"size":2,"size":1}]}', "", "\ufeff{}", "{} x"])
def test_what_says_something_twice_is_no_document(doc: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any problem
        is_as_written(doc, READ)


def test_an_event_is_read_back_as_it_was_shown() -> None:
    event = examples.event(EventKind.REQUEST_CREATED, {"deployment_id": 456})
    assert AuditEvent.from_dict(as_json(event)) == event
    assert event.request_id == examples.REQUEST_ID
    for wrong in ({"kind": "nothing"}, {"at": "yesterday"}, {"more": 1}):
        with pytest.raises((ValueError, TypeError)):
            AuditEvent.from_dict({**as_json(event), **wrong})


@pytest.mark.parametrize(
    ("record", "deployment"),
    [
        ({"subject": "deployment#456", "data": {"deployment_id": 7}}, 456),
        ({"subject": "deployment#x", "data": {"deployment_id": 7}}, 7),
        ({"subject": "request#7", "data": {"deployment_id": 456}}, 456),
        ({"subject": "request#7", "data": {"deployment_id": "456"}}, None),
        ({"subject": "request#7", "data": {}}, None),
        ({"subject": "request#7", "data": [456]}, None),
        ({"subject": "request#7"}, None),
        ({"subject": 7}, None),
        ({"subject": "deployment#4#5"}, None),
    ],
)
def test_an_event_names_its_deployment_also_when_it_was_forged(record: dict[str, Any], deployment: int | None) -> None:
    assert deployment_of(record) == deployment


def test_what_is_no_object_holds_no_facts() -> None:
    assert data_of({"data": {"a": 1}}) == {"a": 1}
    assert data_of({"data": []}) == data_of({"data": None}) == data_of({}) == {}
