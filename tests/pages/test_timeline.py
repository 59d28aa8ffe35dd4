"""The timeline tells every event in words, and keeps to itself what nobody should read there."""

from typing import Any

import pytest

from flow_hitl.audit.chain import EventKind
from flow_hitl.pages.requests.timeline import timeline_of
from flow_hitl.people.names import person_of
from tests.support import examples

BY_ANNA = {"responder": "a@example.com", "responder_verified": True}
ANSWER = {**BY_ANNA, "outcome": "approved", "responded_via": "dashboard", "comment": "Nice."}


def told(kind: EventKind, data: dict[str, Any]) -> tuple[str, str, str]:
    (entry,) = timeline_of([examples.event(kind, data)])
    return entry.title, entry.detail, entry.tone


@pytest.mark.parametrize("kind", list(EventKind))
def test_every_kind_of_event_is_an_entry_whatever_it_holds(kind: EventKind) -> None:
    for data in ({}, {"to": "a@example.com", "reason": None, "outcome": None, "responded_via": "email"}):
        assert told(kind, data)[0]


@pytest.mark.parametrize(
    ("kind", "data", "title", "detail"),
    [
        (EventKind.REQUEST_CREATED, {"assigned_to_email": "a@x.org", "routing": ["a", "b"]}, "Asked a@x.org", "a; b"),
        (EventKind.RESPONSE_SUBMITTED, ANSWER, 'a@example.com answered "Approved" on the page', "Nice."),
        (
            EventKind.RESPONSE_SUBMITTED,
            {**ANSWER, "outcome": None, "feedback": "Shorter", "responded_via": "email"},
            "a@example.com answered with feedback by email",
            "Shorter",
        ),
        (
            EventKind.RESPONSE_SUBMITTED,
            {"outcome": "rejected", "responded_via": "auto_response", "responder": None},
            'Answered "Rejected" automatically',
            "",
        ),
        (EventKind.RESUME_ATTEMPTED, {"delivered": True, "attempt": 1}, "The flow has the answer", ""),
        (
            EventKind.RESUME_ATTEMPTED,
            {"delivered": False, "attempt": 2, "result": "HTTP 500"},
            "The flow could not be reached (try 2)",
            "HTTP 500",
        ),
        (
            EventKind.REQUEST_REASSIGNED,
            {"delegated_by": "a@x.org", "delegated_to": "b@x.org", "assigned_to_email": "b@x.org"},
            "a@x.org passed it on to b@x.org",
            "",
        ),
    ],
)
def test_events_in_words(kind: EventKind, data: dict[str, Any], title: str, detail: str) -> None:
    assert told(kind, data)[:2] == (title, detail)


@pytest.mark.parametrize(
    ("actor", "person"),
    [
        ("member/a@example.com", "a@example.com"),
        ("api_key/k1", "a program (API key k1)"),
        ("flow-hitl", ""),
        ("flow", ""),
        ("operator", "the operator"),
    ],
)
def test_actors_as_people_say(actor: str, person: str) -> None:
    assert person_of(actor) == person
