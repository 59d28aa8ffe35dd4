"""The one door for answers: what it decides, what it refuses, and whom it tells that they have answered already."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from flow_hitl.contract.shapes import Channel
from flow_hitl.deployments.deployment import FreeText
from flow_hitl.people.access import Actor, AutoResponder, CallbackHolder, ProvenAddress
from flow_hitl.platform.digests import digest
from flow_hitl.platform.errors import (
    AlreadyResponded,
    AnsweredAlike,
    Conflict,
    Forbidden,
    NotAnOption,
    NotPending,
    ValidationFailed,
)
from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
from flow_hitl.requests.deciding.auto_respond import AutoRespond
from flow_hitl.requests.deciding.record_response import MAX_ANSWER_CHARS, RecordResponse, Submission
from flow_hitl.requests.deciding.reply_address import parse
from flow_hitl.requests.deciding.web_tokens import (
    CallbackLink,
    WebhookName,
    read_callback,
    read_content_link,
    read_review_link,
)
from flow_hitl.requests.evidence import Shown, ShownKind
from flow_hitl.requests.ports import RequestStore, Taken
from flow_hitl.requests.request import Change, Head, Request, Status, cancel, request_shown
from flow_hitl.requests.request import Stamp as When
from tests.support.examples import ASSIGNEE, CONTENT, NOON, REQUEST_ID, head
from tests.support.in_memory import Requests
from tests.support.key_rings import FixedKeys

LATER = NOON + timedelta(minutes=5)
PERSON = ProvenAddress(ASSIGNEE)


class Store(Requests):
    """A store in which others may come in between: `conflicts` are before a write, `lost` after it."""

    conflicts, lost = 0, 0
    seen: Head | None = None

    def head(self, request_id: str) -> Head:
        return self.seen or self.load(request_id).head

    def commit(self, change: Change, takes: Taken | None = None) -> None:
        if self.conflicts:
            self.conflicts -= 1
            raise Conflict("somebody was faster")
        super().commit(change, takes)
        if self.lost:
            self.lost -= 1
            raise Conflict("the answer was lost")


class Door:
    """A request that waits, and the door for its answers."""

    def __init__(self, **about: Any) -> None:
        self.requests, self.at = Store(), LATER
        self.requests.kept[REQUEST_ID] = Request(head(**about), CONTENT)
        self.pauses: list[int] = []
        clock = SimpleNamespace(now=lambda: self.at, sleep=None)
        ids = SimpleNamespace(event_id=lambda: "e2", request_id=None)
        store = cast("RequestStore", self.requests)
        self.record = RecordResponse(store, cast("Any", clock), cast("Any", ids), self.pauses.append)
        self.postponed: list[tuple[str, datetime, datetime]] = []
        deadlines = SimpleNamespace(postpone=lambda *args: self.postponed.append(args))
        as_logged: Any = lambda seen: store.load(seen.request_id)  # noqa: E731
        self.auto_respond = AutoRespond(store, cast("Any", deadlines), as_logged, self.record, cast("Any", clock))

    @property
    def request(self) -> Request:
        return self.requests.load(REQUEST_ID)

    def answer(
        self,
        text: str = "approved",
        *,
        actor: Actor = PERSON,
        via: Channel = Channel.EMAIL,
        decision_id: str = "mail/1",
        responder: str | None = ASSIGNEE,
        responder_verified: bool = True,
        **more: Any,
    ) -> Request:
        return self.record(
            Submission(
                REQUEST_ID,
                actor,
                via,
                decision_id,
                text,
                responder=responder,
                responder_verified=responder_verified,
                **more,
            )
        )

    def by_program(self, text: str = "approved", decision_id: str = "api/1", **more: Any) -> Request:
        said = {"responder": None, "responder_verified": False, **more}
        return self.answer(text, actor=CallbackHolder(REQUEST_ID), via=Channel.API, decision_id=decision_id, **said)

    def problem(self, text: str, **more: Any) -> tuple[str, str]:
        """Return where the answer is wrong, and how."""
        with pytest.raises(ValidationFailed) as refused:
            self.answer(text, **more)
        (error,) = refused.value.errors
        assert self.request.head.status is Status.PENDING
        return error.field, error.message


@pytest.fixture
def door() -> Door:
    return Door()


def test_an_answer_decides_with_all_that_was_said_and_how_it_was_proven(door: Door) -> None:
    shown = Shown(ShownKind.MAIL, "ab" * 32, "e1")
    decided = door.answer(
        "Approved!\n\nGo ahead.", source="Gmail", verification={"method": "reply_address"}, shown=shown, is_cut=True
    )
    assert decided == door.request
    assert decided.content is CONTENT
    assert decided.head.status is Status.RESPONDED
    response = decided.response
    assert response is not None
    said = (response.decision_id, response.outcome, response.feedback, response.comment)
    assert said == ("mail/1", "approved", "Approved!", "Go ahead.")
    assert (response.responded_via, response.responder, response.responder_verified) == (Channel.EMAIL, ASSIGNEE, True)
    assert (response.source, response.responded_at) == ("Gmail", LATER)
    (change,) = door.requests.changes
    event = change.event
    assert (event.event_id, event.at, event.actor) == ("e2", LATER, ASSIGNEE)
    assert (event.data["verification"], event.data["is_cut"]) == ({"method": "reply_address"}, True)
    assert event.data["shown"] == {"kind": "mail", "sha256": "ab" * 32, "event_id": "e1"}


def test_without_more_an_answer_is_of_somebody_who_is_not_proven_and_not_cut(door: Door) -> None:
    decided = door.record(Submission(REQUEST_ID, PERSON, Channel.DASHBOARD, "web/1", "approved"))
    assert decided.response is not None
    assert (decided.response.responder, decided.response.responder_verified) == (None, False)
    (change,) = door.requests.changes
    assert change.event.data["verification"] == {}
    assert "is_cut" not in change.event.data


def test_who_is_not_asked_decides_nothing(door: Door) -> None:
    with pytest.raises(Forbidden):
        door.answer(actor=ProvenAddress("b@example.com"))
    assert door.requests.changes == []


def test_an_answer_by_api_is_to_what_the_request_shows(door: Door) -> None:
    before = door.request
    door.by_program()
    (change,) = door.requests.changes
    assert change.event.data["shown"] == {"kind": "content", "sha256": digest(request_shown(before)), "event_id": None}


def test_an_answer_by_email_is_to_no_more_than_is_known_to_have_been_shown(door: Door) -> None:
    door.answer()
    assert door.requests.changes[0].event.data["shown"] is None


# --- who comes second


def test_the_same_email_again_changes_nothing(door: Door) -> None:
    first = door.answer()
    assert door.answer() == first
    assert door.answer("something else", decision_id="mail/1") == first
    assert len(door.requests.changes) == 1


def test_a_program_that_repeats_itself_gets_the_same_answer_and_another_one_an_error(door: Door) -> None:
    first = door.by_program("approved\nlooks good")
    assert door.by_program("approved\nlooks good", "api/2") == first
    for other in ("rejected\nlooks good", "approved\nlooks bad", "Approved\nlooks good"):
        with pytest.raises(AlreadyResponded) as late:
            door.by_program(other, "api/2")
        assert type(late.value) is AlreadyResponded
        assert (late.value.responded_via, late.value.outcome) == ("api", "approved")


def test_a_program_that_repeats_a_persons_answer_gets_it_too(door: Door) -> None:
    first = door.answer("approved")
    assert door.by_program("approved") == first


def test_a_person_who_repeats_their_own_answer_in_the_same_way_gets_it(door: Door) -> None:
    first = door.answer()
    assert door.answer(decision_id="mail/2") == first


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("approved", {"via": Channel.DASHBOARD}),
        ("approved\nnow with a comment", {}),
        ("Approved!", {}),
    ],
)
def test_a_person_who_gives_the_same_answer_in_another_way_is_told_that_it_counts(
    door: Door, text: str, more: Any
) -> None:
    door.answer()
    with pytest.raises(AnsweredAlike, match="answered before; the first answer counts") as alike:
        door.answer(text, decision_id="mail/2", **more)
    told = alike.value
    assert (told.responded_via, told.responded_at, told.outcome) == ("email", "2026-01-14T12:05:00Z", "approved")


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("rejected", {}),
        ("approved", {"responder": "b@example.com"}),
        ("approved", {"via": Channel.DASHBOARD, "responder_verified": False}),
    ],
)
def test_whoever_answers_otherwise_or_is_somebody_else_is_told_that_it_is_decided(
    door: Door, text: str, more: Any
) -> None:
    door.answer()
    with pytest.raises(AlreadyResponded) as late:
        door.answer(text, decision_id="mail/2", **more)
    assert type(late.value) is AlreadyResponded
    assert len(door.requests.changes) == 1


def test_an_answer_after_one_that_nobody_proved_is_no_repetition(door: Door) -> None:
    door.answer(responder_verified=False)
    with pytest.raises(AlreadyResponded) as late:
        door.answer(decision_id="mail/2", via=Channel.DASHBOARD)
    assert type(late.value) is AlreadyResponded


def test_free_text_counts_as_the_same_only_word_for_word(door: Door) -> None:
    door.answer("Not yet.\nAsk Bob.")
    with pytest.raises(AnsweredAlike):
        door.answer("Not yet.\nAsk Bob.", decision_id="web/1", via=Channel.DASHBOARD)
    for other in ("Not yet!\nAsk Bob.", "Not yet.\nAsk Jim."):
        with pytest.raises(AlreadyResponded) as late:
            door.answer(other, decision_id="web/1", via=Channel.DASHBOARD)
        assert type(late.value) is AlreadyResponded


def test_what_was_canceled_takes_no_answer(door: Door) -> None:
    before = door.request
    door.requests.kept[REQUEST_ID] = replace(before, head=cancel(before.head, stamp=When("e2", NOON, "flow")).after)
    with pytest.raises(NotPending):
        door.answer()


def test_where_somebody_comes_in_between_it_looks_again(door: Door) -> None:
    door.requests.conflicts = 2
    assert door.answer().head.status is Status.RESPONDED
    assert door.pauses == [0, 1]


def test_an_answer_that_was_written_although_we_never_heard_is_found_again(door: Door) -> None:
    door.requests.lost = 1
    assert door.answer() == door.request
    assert len(door.requests.changes) == 1


# --- what is no answer


def test_a_blank_or_endless_text_is_no_answer(door: Door) -> None:
    assert door.problem(" \n\t\n") == ("/feedback", "must not be blank")
    long = "x" * (MAX_ANSWER_CHARS + 1)
    assert door.problem(long) == ("/feedback", "must not be longer than 50000 characters")
    assert door.answer(long[1:]).head.status is Status.RESPONDED


def test_free_text_is_taken_where_the_flow_takes_it(door: Door) -> None:
    decided = door.answer("Let us talk")
    assert decided.response is not None
    assert (decided.response.outcome, decided.response.feedback) == (None, "Let us talk")


def test_free_text_is_asked_again_where_the_flow_wants_an_option() -> None:
    door = Door(free_text=FreeText.ASK_AGAIN)
    with pytest.raises(NotAnOption) as asked:
        door.answer("Let us talk\nplease")
    assert (asked.value.first_line, asked.value.meant) == ("Let us talk", None)
    assert asked.value.errors[0].message == "must have one of these as its first line: approved, rejected"
    assert door.answer("approved").head.status is Status.RESPONDED


def test_without_options_every_text_is_an_answer() -> None:
    assert Door(free_text=FreeText.ASK_AGAIN, emit_options=()).answer("Whatever").response is not None


def test_an_option_further_down_is_asked_about(door: Door) -> None:
    with pytest.raises(NotAnOption) as asked:
        door.answer("Thanks for asking.\nrejected")
    assert (asked.value.first_line, asked.value.meant) == ("Thanks for asking.", "rejected")
    assert 'did you mean "rejected"' in asked.value.errors[0].message


def test_after_the_decision_nobody_is_asked_again() -> None:
    door = Door(free_text=FreeText.ASK_AGAIN)
    door.answer()
    for text in ("Thanks for asking.\nrejected", "Let us talk"):
        with pytest.raises(AlreadyResponded):
            door.answer(text, decision_id="mail/2")
    with pytest.raises(AlreadyResponded):
        door.by_program("why", outcome="none of these")


def test_a_button_says_the_outcome_and_the_text_is_only_a_comment(door: Door) -> None:
    decided = door.answer("approved is not what I would say\nrejected", outcome="rejected", via=Channel.DASHBOARD)
    assert decided.response is not None
    said = (decided.response.outcome, decided.response.feedback, decided.response.comment)
    assert said == ("rejected", "approved is not what I would say", "rejected")
    greeted = Door().answer("Hi,\nrejected", outcome="rejected", via=Channel.DASHBOARD).response
    assert greeted is not None
    assert (greeted.feedback, greeted.comment) == ("Hi,", "rejected")


def test_a_programs_outcome_must_be_one_of_the_options(door: Door) -> None:
    assert door.problem("why", outcome="later") == ("/outcome", "must be one of: approved, rejected")
    without = Door(emit_options=())
    says = "must be absent: this request has no emit options"
    assert without.problem("why", outcome="approved") == ("/outcome", says)


# --- the clock


def waiting(minutes: int = 60, **about: Any) -> Door:
    return Door(auto_response=(minutes, "rejected"), **about)


def test_the_clock_answers_at_its_time_and_not_before() -> None:
    door = waiting()
    due = NOON + timedelta(minutes=60)
    door.at = due - timedelta(seconds=1)
    door.auto_respond(REQUEST_ID)
    assert (door.request.head.status, door.postponed) == (Status.PENDING, [(REQUEST_ID, due, door.at)])
    door.at = due
    door.auto_respond(REQUEST_ID)
    response = door.request.response
    assert response is not None
    assert (response.outcome, response.feedback, response.responded_via) == (
        "rejected",
        "rejected",
        Channel.AUTO_RESPONSE,
    )
    assert (response.decision_id, response.responder, response.responder_verified) == (
        f"auto/{REQUEST_ID}",
        None,
        False,
    )
    verified = {"method": "clock", "due_at": "2026-01-14T13:00:00Z"}
    assert door.requests.changes[0].event.data["verification"] == verified
    assert len(door.postponed) == 1


def test_without_options_the_clocks_answer_is_text_alone() -> None:
    door = waiting(emit_options=())
    door.at = NOON + timedelta(hours=2)
    door.auto_respond(REQUEST_ID)
    response = door.request.response
    assert response is not None
    assert (response.outcome, response.feedback) == (None, "rejected")


def test_the_clock_leaves_alone_what_is_decided_or_has_no_answer_of_its_own() -> None:
    door = waiting()
    door.answer()
    for one in (door, Door()):
        one.at = NOON + timedelta(days=1)
        before = one.request
        one.auto_respond(REQUEST_ID)
        assert (one.request, one.postponed) == (before, [])


def answered(door: Door) -> None:
    door.answer()


def canceled(door: Door) -> None:
    change = cancel(door.request.head, stamp=When("e3", NOON, "flow"))
    door.requests.kept[REQUEST_ID] = replace(door.request, head=change.after)


@pytest.mark.parametrize(("close", "status"), [(answered, Status.RESPONDED), (canceled, Status.CANCELLED)])
def test_a_person_who_is_faster_than_the_clock_wins(close: Callable[[Door], None], status: Status) -> None:
    door = waiting()
    # What the clock has seen was true a moment ago.
    door.requests.seen = door.request.head
    close(door)
    decided = door.request
    door.at = NOON + timedelta(hours=2)
    door.auto_respond(REQUEST_ID)
    assert door.request == decided
    assert door.request.head.status is status


def test_only_a_clock_that_is_due_may_answer_as_the_clock() -> None:
    door = waiting()
    with pytest.raises(Forbidden):
        door.answer(actor=AutoResponder(NOON), via=Channel.AUTO_RESPONSE)


# --- where answers are taken

KEYS = FixedKeys()
ADDRESSES = AnswerAddresses(KEYS, "https://hitl.example.com", "reply.example.com")
UNTIL = NOON + timedelta(days=7)


def after(url: str, prefix: str) -> str:
    assert url.startswith(prefix)
    return url.removeprefix(prefix)


def test_a_person_answers_at_addresses_of_their_own() -> None:
    local, _, domain = ADDRESSES.reply_to(head(), ASSIGNEE).partition("@")
    token = parse(local)
    assert token is not None
    assert (token.request_id, datetime.fromtimestamp(token.expires_at, UTC), domain) == (
        REQUEST_ID,
        UNTIL,
        "reply.example.com",
    )
    link = read_review_link(KEYS, after(ADDRESSES.review_url(head(), ASSIGNEE), "https://hitl.example.com/review/"))
    assert (link.request_id, link.issued_to(ASSIGNEE), link.expires_at) == (REQUEST_ID, True, UNTIL)
    assert ADDRESSES.dashboard_url(head()) == f"https://hitl.example.com/d/456/requests/{REQUEST_ID}"


@pytest.mark.parametrize("webhook", [None, WebhookName(456, "wh_1")])
def test_a_program_answers_at_an_address_of_its_own(webhook: WebhookName | None) -> None:
    token = after(ADDRESSES.callback_url(REQUEST_ID, webhook), "https://hitl.example.com/v1/callbacks/")
    assert read_callback(KEYS, token) == CallbackLink(REQUEST_ID, webhook)


def test_content_that_was_left_out_is_found_at_its_address() -> None:
    url = ADDRESSES.content_url(REQUEST_ID, WebhookName(456, "wh_1"), UNTIL)
    link = read_content_link(KEYS, after(url, "https://hitl.example.com/v1/contents/"))
    assert (link.request_id, link.webhook, link.expires_at) == (REQUEST_ID, WebhookName(456, "wh_1"), UNTIL)
