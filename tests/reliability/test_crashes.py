"""Every function dies at every AWS call it makes, before it and after it; then AWS delivers again, or the caller asks
again. There is one decision, every effect happens, nothing is lost, and only a mail or a POST whose worker died before
it could say so is sent twice.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl, hitl_on_moto
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import NO_DEATH, Calls, When, crashing, deaths
from tests.support.receiver import Receiver, receiving


@dataclass(frozen=True)
class Round:
    """One death: the stack that it happens on, the flow's server, and the one request that it is about."""

    hitl: Hitl
    flow: Receiver
    request: AskedRequest
    calls: Calls
    when: When

    @property
    def where(self) -> str:
        return f"died {self.when} {self.calls.died_at}"

    def died_between(self, function: str, first: str, last: str) -> bool:
        """Tell whether the function died after its call `first` had happened and before its call `last` had."""
        died = self.calls.died_at
        if died is None or died.function != function:
            return False
        of_run = [call.operation for call in self.calls.begun if call.run == died.run]
        happened = of_run if self.when == "after" else of_run[:-1]
        return first in happened and last not in happened

    @property
    def sent_but_not_noted(self) -> bool:
        return self.died_between("send_email", "sesv2.SendEmail", "dynamodb.TransactWriteItems")

    @property
    def maybe_posted_but_not_noted(self) -> bool:
        # The POST is no AWS call: it comes after all that it says was read.
        return self.died_between("resume_flow", "dynamodb.BatchGetItem", "dynamodb.TransactWriteItems")


Act = Callable[[Hitl, AskedRequest], object]
Ask = Callable[[Hitl, Receiver], AskedRequest]


def ask(hitl: Hitl, flow: Receiver, **fields: Any) -> AskedRequest:
    return hitl.ask(emit=EMIT, resume_url=flow.url, **fields)


def rounds(when: When, act: Act, ask: Ask = ask) -> Iterator[Round]:
    """Die at the first call that `act` leads to; with all as it was before, at the second; at last at none.

    After each death `act` is done again, as its caller would, and time passes; then the round is yielded.
    """
    with hitl_on_moto() as hitl, receiving() as flow:
        request = ask(hitl, flow)
        as_it_was, away = hitl.checkpoint(), flow.away
        numbers = deaths(hitl, when, lambda: act(hitl, request))
        for number in numbers:
            as_it_was()
            flow.received, flow.away = [], away
            with crashing(hitl, number, when) as calls:
                act(hitl, request)
            if calls.died_at is not None:
                act(hitl, request)
            hitl.advance(minutes=10)
            assert (calls.died_at is None) == (number == NO_DEATH)
            yield Round(hitl, flow, request, calls, when)


def check(this: Round, *, via: str, mails: int, confirmations: int = 0) -> None:
    """Check that exactly one decision was made and that everything that follows from it happened."""
    now, chain, where = this.request.now(), this.request.timeline, this.where
    kinds = [event["kind"] for event in chain]
    assert now["status"] == "responded", where
    assert (now["response"]["outcome"], now["response"]["responded_via"]) == ("approved", via), where
    assert kinds.count("request_created") == 1, where
    assert kinds.count("response_submitted") == 1, where
    assert kinds.count("notification_sent") == 1, where
    assert kinds.count("confirmation_sent") == confirmations, where
    assert "reply_rejected" not in kinds, where
    assert now["resume"]["status"] == "delivered", where
    assert 1 <= len(this.flow.received) <= 1 + this.maybe_posted_but_not_noted, where
    assert len(this.hitl.inbox) == mails + this.sent_but_not_noted, where
    assert [event["seq"] for event in chain] == list(range(1, len(chain) + 1)), where
    assert [event["prev_hash"] for event in chain[1:]] == [event["hash"] for event in chain[:-1]], where


def functions(calls: Calls) -> set[str]:
    return {call.function for call in calls.begun}


pytestmark = pytest.mark.exhaustive
BOTH = pytest.mark.parametrize("when", ["before", "after"])


@BOTH
def test_an_answer_by_api(when: When) -> None:
    def answer(hitl: Hitl, request: AskedRequest) -> None:
        assert callback(hitl, request, "approved\nok").status == 200

    for this in rounds(when, answer):
        check(this, via="api", mails=1)
    assert functions(this.calls) == {"respond", "relay", "resume_flow"}


@BOTH
def test_an_answer_on_the_page(when: When) -> None:
    def press(hitl: Hitl, _request: AskedRequest) -> None:
        form = {"outcome": "approved", "comment": "ok"}
        assert hitl.page("POST", hitl.review_url(hitl.inbox[0]), form).status == 200

    for this in rounds(when, press):
        check(this, via="dashboard", mails=1)
    assert functions(this.calls) == {"dashboard", "relay", "resume_flow"}


def reply_from(sender: str) -> Act:
    """Return the act of sending one and the same mail."""

    def reply(hitl: Hitl, _request: AskedRequest) -> None:
        reply_to = hitl.inbox[0].reply_to
        assert reply_to
        raw = f"From: {sender}\r\nTo: {reply_to}\r\nSubject: Re\r\n\r\napproved\r\n".encode()
        hitl.receive(raw, recipients=[reply_to], mail_from=sender, message_id="the-reply")

    return reply


@BOTH
def test_an_answer_by_mail(when: When) -> None:
    for this in rounds(when, reply_from("creator@example.com")):
        check(this, via="email", mails=2, confirmations=1)
    assert functions(this.calls) == {"inbound_mail", "relay", "send_email", "resume_flow"}


@BOTH
def test_the_answer_of_the_clock(when: When) -> None:
    def wait(hitl: Hitl, _request: AskedRequest) -> None:
        hitl.advance(minutes=2)

    def ask_with_deadline(hitl: Hitl, flow: Receiver) -> AskedRequest:
        return ask(hitl, flow, auto_response={"timeout_minutes": 2, "default_outcome": "approved"})

    for this in rounds(when, wait, ask_with_deadline):
        check(this, via="auto_response", mails=2)
        assert this.request.kinds.count("handled_mail_sent") == 1, this.where
    assert functions(this.calls) == {"deadline", "relay", "resume_flow", "send_email"}


@BOTH
def test_opening_a_request(when: When) -> None:
    own_id = "0192f0c1-7e11-7abc-8def-0123456789ab"
    auto = {"timeout_minutes": 5, "default_outcome": "approved"}
    with hitl_on_moto() as hitl, receiving() as flow:
        empty = hitl.checkpoint()
        for number in deaths(hitl, when, lambda: ask(hitl, flow, id=own_id, auto_response=auto)):
            empty()
            flow.received = []
            with crashing(hitl, number, when) as calls:
                ask(hitl, flow, id=own_id, auto_response=auto)
            request = ask(hitl, flow, id=own_id, auto_response=auto)
            hitl.advance(minutes=15)
            assert (calls.died_at is None) == (number == NO_DEATH)
            check(Round(hitl, flow, request, calls, when), via="auto_response", mails=2)
    assert functions(calls) == {"intake", "relay", "send_email"}
    assert "scheduler.CreateSchedule" in calls.operations


@BOTH
def test_a_refused_reply(when: When) -> None:
    for this in rounds(when, reply_from("mallory@example.com")):
        kinds, where = this.request.kinds, this.where
        assert this.request.status == "pending", where
        assert (kinds.count("reply_rejected"), kinds.count("error_mail_sent")) == (1, 1), where
        assert len(this.hitl.inbox) == 2 + this.sent_but_not_noted, where
    assert functions(this.calls) == {"inbound_mail", "relay", "send_email"}


@BOTH
def test_a_flow_that_was_not_at_home(when: When) -> None:
    def ask_while_away(hitl: Hitl, flow: Receiver) -> AskedRequest:
        flow.away = 1
        return ask(hitl, flow)

    for this in rounds(when, callback, ask_while_away):
        resume, kinds, where = this.request.now()["resume"], this.request.kinds, this.where
        assert resume["status"] == "delivered", where
        attempts = kinds.count("resume_attempted")
        assert resume["attempts"] == attempts, where
        assert attempts <= len(this.flow.received) <= attempts + this.maybe_posted_but_not_noted, where
        assert kinds.count("response_submitted") == 1, where
    assert "sqs.ChangeMessageVisibility" in this.calls.operations


ANN, BOB = "ann@example.com", "bob@example.com"


def check_mails(this: Round, to: Sequence[str], **events: int) -> None:
    """Check that each of these people was written to, once for each time they are named, and nobody else was.

    `events` is all that the timeline holds beside the request's creation.
    """
    chain, inbox = this.request.timeline, [mail.to for mail in this.hitl.inbox]
    assert Counter(event["kind"] for event in chain) == {"request_created": 1, **events}, this.where
    assert Counter(to) <= Counter(inbox), this.where
    assert len(inbox) == len(to) + this.sent_but_not_noted, this.where
    assert [event["seq"] for event in chain] == list(range(1, len(chain) + 1)), this.where
    assert [event["prev_hash"] for event in chain[1:]] == [event["hash"] for event in chain[:-1]], this.where


def reply_once(text: str) -> Act:
    """Return the act of answering Ann's first mail by one and the same mail."""

    def reply(hitl: Hitl, _request: AskedRequest) -> None:
        reply_to = next(mail.reply_to for mail in hitl.inbox if mail.to == ANN)
        assert reply_to
        raw = f"From: {ANN}\r\nTo: {reply_to}\r\nSubject: Re\r\n\r\n{text}\r\n".encode()
        hitl.receive(raw, recipients=[reply_to], mail_from=ANN, message_id="the-reply")

    return reply


@BOTH
def test_a_reminder(when: When) -> None:
    def ask_with_reminder(hitl: Hitl, flow: Receiver) -> AskedRequest:
        hitl.configure(settings={"reminders": [{"minutes_before_timeout": 58}]})
        in_an_hour = {"timeout_minutes": 60, "default_outcome": "rejected"}
        return ask(hitl, flow, assigned_to_email=ANN, auto_response=in_an_hour)

    def wait(hitl: Hitl, _request: AskedRequest) -> None:
        hitl.advance(minutes=3)

    for this in rounds(when, wait, ask_with_reminder):
        check_mails(this, [ANN, ANN], notification_sent=1, reminder_due=1, reminder_sent=1)
        first, *reminders = (mail.message for mail in this.hitl.inbox)
        thread = {reminder["In-Reply-To"] for reminder in reminders}
        assert len(thread) == 1, this.where
        assert thread != {None}, this.where
        assert {reminder["Subject"] for reminder in reminders} == {f"Re: {first['Subject']}"}, this.where
    assert functions(this.calls) == {"deadline", "relay", "send_email"}


@BOTH
def test_the_others_of_a_group_are_told(when: When) -> None:
    def ask_both(hitl: Hitl, flow: Receiver) -> AskedRequest:
        hitl.configure(settings={"groups": [{"name": "finance", "members": [ANN, BOB]}]})
        return ask(hitl, flow, assigned_to_email="group:finance")

    for this in rounds(when, reply_once("approved"), ask_both):
        check_mails(
            this,
            [ANN, BOB, ANN, BOB],
            notification_sent=2,
            response_submitted=1,
            confirmation_sent=1,
            handled_mail_sent=1,
            resume_attempted=1,
        )
        assert this.request.response["responder"] == ANN, this.where
        handled = [mail for mail in this.hitl.inbox if mail.subject.startswith("Answered by")]
        assert {mail.to for mail in handled} == {BOB}, this.where
    assert functions(this.calls) == {"inbound_mail", "relay", "send_email", "resume_flow"}


@BOTH
def test_passing_on_by_mail(when: When) -> None:
    def ask_ann(hitl: Hitl, flow: Receiver) -> AskedRequest:
        hitl.configure(settings={"allow_delegation": True})
        return ask(hitl, flow, assigned_to_email=ANN)

    for this in rounds(when, reply_once(f"delegate: {BOB}"), ask_ann):
        check_mails(this, [ANN, BOB, ANN], notification_sent=2, request_reassigned=1, confirmation_sent=1)
        assert this.request.now()["assigned_to_email"] == BOB, this.where
        this.hitl.reply("approved", to=next(mail for mail in this.hitl.inbox if mail.to == BOB))
        assert this.request.response["responder"] == BOB, this.where
    assert functions(this.calls) == {"inbound_mail", "relay", "send_email"}
