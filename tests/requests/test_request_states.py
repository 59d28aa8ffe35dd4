"""What a request may become, and what each step writes down."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from flow_hitl.audit.chain import CHAIN_START, EventKind, event_hash
from flow_hitl.contract.shapes import Channel, as_json
from flow_hitl.deployments.deployment import DeploymentSettings
from flow_hitl.platform.errors import AlreadyResponded, NotPending
from flow_hitl.requests.request import Change, Head, Request, ResumeStatus, Stamp, Status, cancel, decide, note
from tests.support import examples
from tests.support.examples import NOON


def decided(head: Head, **changes: Any) -> Change:
    answer = examples.answer(**changes)
    stamp = Stamp("e2", NOON + timedelta(seconds=90), answer.actor)
    return decide(head, answer, examples.CONTENT, stamp=stamp)


def test_a_request_opens_pending_with_the_first_event_of_its_chain() -> None:
    change = examples.opening()
    assert change.before is None
    assert (change.after.status, change.after.seq) == (Status.PENDING, 1)
    assert (change.event.kind, change.event.seq, change.event.prev_hash) == (
        EventKind.REQUEST_CREATED,
        1,
        CHAIN_START,
    )
    assert change.after.last_hash == change.event.hash == event_hash(change.event)


def test_the_opening_event_says_who_was_chosen_and_why() -> None:
    data = examples.opening().event.data
    assert data["assigned_to_email"] == examples.ASSIGNEE
    assert data["assigned_by"] == "request"
    assert data["routing"] == ["the request names the responder"]


def test_the_audit_log_holds_no_state_and_no_output() -> None:
    data = examples.opening().event.data
    assert not {"state", "output", "message", "resume_url"} & set(data)


def test_deadlines_are_whole_seconds_and_never_early() -> None:
    at = NOON + timedelta(microseconds=1)
    head = examples.head(auto_response=(1, "approved"), sla_target_minutes=2, at=at)
    assert head.auto_response is not None
    assert head.auto_response.due_at == NOON + timedelta(seconds=61)
    assert head.sla_due_at == NOON + timedelta(seconds=121)
    assert head.token_expires_at == NOON + timedelta(days=7, seconds=1)


def test_the_reply_token_lives_as_long_as_the_deployment_says() -> None:
    settings = DeploymentSettings(reply_token_days=3)
    head = examples.head(deployment=examples.deployment(settings=settings))
    assert head.token_expires_at == NOON + timedelta(days=3)


def test_an_answer_decides() -> None:
    before = examples.head()
    change = decided(before)
    assert change.before == before
    assert (change.after.status, change.after.outcome) == (Status.RESPONDED, "approved")
    assert (change.after.seq, change.event.prev_hash) == (2, before.last_hash)
    assert change.after.resume is not None
    assert change.after.resume.status is ResumeStatus.WAITING
    assert change.response is not None
    assert change.response.response_seconds == 90
    assert change.event.actor == examples.ASSIGNEE
    assert change.event.data["responded_via"] == "email"
    assert change.event.data["decision_id"] == "mail/1"


def test_an_answer_by_nobody_in_particular_is_the_channels() -> None:
    assert decided(examples.head(), responder=None, via=Channel.AUTO_RESPONSE).event.actor == "auto_response"


def test_a_clock_that_went_back_gives_no_negative_duration() -> None:
    stamp = Stamp("e2", NOON - timedelta(seconds=5), "flow")
    change = decide(examples.head(), examples.answer(), examples.CONTENT, stamp=stamp)
    assert change.response is not None
    assert change.response.response_seconds == 0


@pytest.mark.parametrize("channel", list(Channel))
def test_a_second_decision_raises_and_says_what_the_first_was(channel: Channel) -> None:
    head = decided(examples.head(), via=Channel.DASHBOARD).after
    with pytest.raises(AlreadyResponded) as raised:
        decided(head, via=channel, outcome="rejected", decision_id="other")
    assert raised.value.extra() == {
        "responded_via": "dashboard",
        "responded_at": "2026-01-14T12:01:30Z",
        "outcome": "approved",
    }


def test_a_cancelled_request_takes_no_answer() -> None:
    head = cancel(examples.head(), stamp=Stamp("e2", NOON, "api_key/k1")).after
    assert head.status is Status.CANCELLED
    with pytest.raises(NotPending) as raised:
        decided(head)
    assert raised.value.extra() == {"request_status": "cancelled"}


def test_an_answered_request_cannot_be_cancelled() -> None:
    with pytest.raises(AlreadyResponded):
        cancel(decided(examples.head()).after, stamp=Stamp("e3", NOON, "api_key/k1"))


def test_a_note_lengthens_the_chain_and_decides_nothing() -> None:
    before = examples.head()
    data = {"to": "a@example.com"}
    change = note(before, EventKind.NOTIFICATION_SENT, data, stamp=Stamp("e2", NOON, "flow-hitl"))
    assert change.response is None
    assert change.after == replace(before, seq=2, last_hash=change.event.hash)


def test_the_request_object_has_exactly_the_contracts_members() -> None:
    change = decided(examples.head(auto_response=(60, "rejected")))
    shown = as_json(Request(change.after, examples.CONTENT, change.response).shown)
    assert set(shown) == {
        *("id", "status", "flow_id", "flow_name", "method_name", "message", "output", "emit_options", "state"),
        *("title", "options", "metadata", "history", "created_at", "assigned_to_email", "assigned_by", "routing_rule"),
        *("auto_response", "sla_due_at", "approval_ttl_minutes", "receipt", "editable", "response_schema"),
        *("attachments", "questions", "thread", "warnings", "test", "response", "resume"),
        "content_erased_at",
    }
    assert shown["auto_response"] == {
        "timeout_minutes": 60,
        "default_outcome": "rejected",
        "due_at": "2026-01-14T13:00:00Z",
    }
    assert shown["response"] == {
        "outcome": "approved",
        "feedback": "Approved!",
        "comment": "",
        "responded_via": "email",
        "responder": "a@example.com",
        "responder_verified": True,
        "source": None,
        "responded_at": "2026-01-14T12:01:30Z",
        "response_seconds": 90,
        "valid_until": None,
        "output": None,
        "data": None,
        "receipt": None,
    }
    assert shown["resume"] == {"status": "waiting", "attempts": 0, "last_status": None}


def test_what_is_not_there_is_null() -> None:
    shown = as_json(Request(examples.head(), examples.CONTENT).shown)
    assert [shown[name] for name in ("auto_response", "response", "resume", "sla_due_at", "routing_rule")] == [None] * 5


def test_events_of_a_chain_stay_in_the_order_of_time_whosever_clock_is_slow() -> None:
    head = examples.head()
    late = decided(head)
    early = note(
        late.after, EventKind.CONFIRMATION_SENT, {}, stamp=Stamp("e3", NOON - timedelta(minutes=5), "flow-hitl")
    )
    assert early.event.at == late.event.at == NOON + timedelta(seconds=90)


def test_a_request_from_before_events_were_ordered_goes_on() -> None:
    old = replace(examples.head(), last_event_at=None)
    assert decided(old).event.at == NOON + timedelta(seconds=90)
