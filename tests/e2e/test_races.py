"""Two answers at once, the same mail twice, the clock against a person: one decision, and each effect of it once.

Real threads against the local stack, whose emulator keeps DynamoDB's promises under concurrency. Answers do not take
equally long (a mail goes through four services), so each round shifts the start towards whoever lost the last one:
the rounds close in on the tie.
"""

import itertools
import json
import os
import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial
from typing import Any, TypeVar

import pytest

from flow_hitl.audit.audit_log import event_from_item, event_image
from flow_hitl.audit.bound import STATE_BEFORE
from flow_hitl.audit.chain import CHAIN_START, event_hash, request_subject
from flow_hitl.platform.dynamodb import values
from flow_hitl.requests.store.request_store import document_text
from flow_hitl_client import signature
from infra.local.inbound import VERDICTS, ReceivedMail, receipt_notification
from infra.local.patience import HANG_SECONDS
from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address
from tests.support.receiver import Receiver, receiving
from tests.support.slices import WHOLE

pytestmark = [pytest.mark.e2e, pytest.mark.exhaustive]

# What the assignee is told of an answer that is not theirs, by who gave it.
_HANDLED = {"cancel": "Cancelled: ", "auto_response": "Answered automatically: "}
CHANNELS = ("email", "dashboard", "api", "auto_response", "cancel")
PAIRS = list(itertools.combinations_with_replacement(CHANNELS, 2))
# Who is asked changes, so both may come to pass: first this, then an answer.
CHANGES = ("reassign", "delegate by email", "delegate on the page")
PAIRS_WITH_CHANGE = [
    *itertools.product(CHANGES, CHANNELS),
    *itertools.combinations_with_replacement(CHANGES, 2),
]
# `FLOW_HITL_ROUNDS=20` for another number.
ROUNDS = int(os.environ.get("FLOW_HITL_ROUNDS") or (100 if WHOLE else 2))
TRIED = "tried: rounds of two who act at once, on the local stack"
FIRST_SHIFT_SECONDS, CLOSEST_SECONDS = 0.12, 0.004
CREATORS = 8
AUTO_RESPONSE = {"timeout_minutes": 60, "default_outcome": "rejected"}
QUEUES = ("InboundMailQueueUrl", "DeadlineQueueUrl", "EmailQueueUrl", "ResumeQueueUrl")

Call = Callable[[], Any]
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Asked:
    """An open request, with every way to answer it."""

    id: str
    assignee: str
    callback_url: str
    reply_to: str
    review_link: str


@dataclass(frozen=True)
class Side:
    """One who answers: by which channel, and what."""

    channel: str
    outcome: str


# A request, those who raced to answer it, and what each was told at once.
Raced = tuple[Asked, Sequence[Side], Sequence[Any]]


@dataclass(frozen=True)
class Races:
    """The stack, the server of the flows, and the clients for what nobody does from outside."""

    local: LocalClient
    flow: Receiver
    sqs: Any
    sns: Any
    s3: Any
    dynamodb: Any

    # --- before

    def open(self, count: int, **fields: object) -> list[Asked]:
        """Open requests with the flow's resume URL and return them when each assignee has the mail."""
        return in_parallel(lambda _: self._open(fields), range(count))

    def _open(self, fields: dict[str, object]) -> Asked:
        assignee = fresh_address("racer")
        created = self.local.ask(assigned_to_email=assignee, resume_url=self.flow.url, **fields)
        mail, request_id = self.local.wait_for_mail(assignee), created["request"]["id"]
        self.local.wait_for_event(request_id, "notification_sent")
        link = self.local.review_link(mail)
        return Asked(request_id, assignee, created["callback_url"], mail["reply_to"], link)

    def make_due(self, asked: Asked) -> None:
        """Put the due time of a request's auto-response into the past: nobody has to wait for it.

        Nothing would be decided on a request that is not as the log says. So its events become those of a release that
        did not bind its state yet.
        """
        last_hash = self._unbind(asked)
        table = self.local.operator.outputs["RequestsTable"]
        key = {"pk": {"S": asked.id}, "sk": {"S": "r#head"}}
        head = self.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        doc = json.loads(document_text(values(head)["doc"]))
        doc["auto_response"]["due_at"] = f"{head['created_key']['S'][:19]}Z"
        doc["last_hash"] = last_hash
        self.dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET doc = :doc",
            ConditionExpression="seq = :seq",
            ExpressionAttributeValues={":doc": {"S": json.dumps(doc)}, ":seq": head["seq"]},
        )

    def _unbind(self, asked: Asked) -> str:
        """Let a request's events say nothing of its state; return the hash of the last one."""
        table, last_hash = self.local.operator.outputs["AuditTable"], CHAIN_START
        found = self.dynamodb.query(
            TableName=table,
            ConsistentRead=True,
            KeyConditionExpression="subject = :subject",
            ExpressionAttributeValues={":subject": {"S": request_subject(asked.id)}},
        )
        for wire in found["Items"]:
            event = event_from_item(wire)
            data = {name: value for name, value in event.data.items() if name not in ("head_sha256", STATE_BEFORE)}
            unbound = replace(event, data=data, prev_hash=last_hash)
            unbound = replace(unbound, hash=event_hash(unbound))
            self.dynamodb.put_item(TableName=table, Item=wire | event_image(unbound))
            last_hash = unbound.hash
        return last_hash

    # --- the answers

    def call(self, asked: Asked, side: Side) -> Call:
        """Return what one side does when the race starts; its result is what that side is told at once, if anything."""
        local = self.local
        calls: dict[str, Call] = {
            "email": lambda: local.send(asked.assignee, asked.reply_to, f"{side.outcome}\n"),
            "dashboard": lambda: web.post(asked.review_link, {"outcome": side.outcome}),
            "api": lambda: web.post(asked.callback_url, json={"feedback": side.outcome}),
            "auto_response": lambda: self.sqs.send_message(
                QueueUrl=local.operator.outputs["DeadlineQueueUrl"], MessageBody=json.dumps({"request_id": asked.id})
            ),
            "cancel": lambda: local.call("DELETE", f"/v1/requests/{asked.id}"),
            "reassign": lambda: local.call(
                "POST", f"/v1/requests/{asked.id}/reassign", {"assigned_to_email": side.outcome}
            ),
            "delegate by email": lambda: local.send(asked.assignee, asked.reply_to, f"delegate: {side.outcome}\n"),
            "delegate on the page": lambda: web.post(asked.review_link, {"delegate_to": side.outcome}),
        }
        return calls[side.channel]

    def winner(self, asked: Asked, sides: Sequence[Side]) -> Side:
        """Return the side whose answer counts, when there is one."""
        request = eventually(lambda: self._closed(asked), "a decision")
        if request["status"] == "cancelled":
            return next(side for side in sides if side.channel == "cancel")
        response = request["response"]
        return next(side for side in sides if side == Side(response["responded_via"], response["outcome"]))

    def _closed(self, asked: Asked) -> dict[str, Any] | None:
        request = self.local.request(asked.id)
        return request if request["status"] != "pending" else None

    # --- after

    def check(self, *raced: Raced) -> None:
        """Check that one side has decided, that the other was told so, and that everything followed just once."""
        in_parallel(self._check, raced)

    def _check(self, race: Raced) -> None:
        asked, sides, told = race
        winner = self.winner(asked, sides)
        cancelled = winner.channel == "cancel"
        replies = [side for side in sides if side.channel == "email"]
        # Nobody who says the same as the winner, by the same way, is told off.
        confirmed, refused = int(winner in replies), sum(side != winner for side in replies)
        handled = _HANDLED.get(winner.channel, "")
        expected = Counter(
            {
                "request_created": 1,
                "notification_sent": 1,
                "request_cancelled" if cancelled else "response_submitted": 1,
                "resume_attempted": int(not cancelled),
                "confirmation_sent": confirmed,
                "reply_rejected": refused,
                "error_mail_sent": refused,
                "handled_mail_sent": int(bool(handled)),
            }
        )
        eventually(
            lambda: Counter(self.local.kinds(asked.id)) >= expected,
            f"{dict(expected)} in the timeline of {sides}, won by {winner}",
        )
        self.wait_until_quiet()
        timeline = self.local.timeline(asked.id)
        assert Counter(event["kind"] for event in timeline) == +expected
        assert [event["seq"] for event in timeline] == list(range(1, len(timeline) + 1))
        assert [event["prev_hash"] for event in timeline[1:]] == [event["hash"] for event in timeline[:-1]]
        request = self.local.request(asked.id)
        refusal = "This request was " + ("cancelled" if cancelled else "already answered")
        recorded = f"Recorded: {winner.outcome.capitalize()}"
        self._check_mails(asked, {recorded: confirmed, refusal: refused, handled: bool(handled)})
        self._check_resumption(asked, request)
        for side, answer in zip(sides, told, strict=True):
            check_answer(side, answer, request, won=side == winner)

    def _check_mails(self, asked: Asked, expected: dict[str, int]) -> None:
        _, *subjects = (mail["subject"] for mail in self.local.mails(asked.assignee))
        begins = [next((one for one in expected if one and each.startswith(one)), each) for each in subjects]
        assert Counter(begins) == +Counter(expected)

    def _check_resumption(self, asked: Asked, request: dict[str, Any]) -> None:
        posts = [post for post in self.flow.received if post.headers["idempotency-key"] == asked.id]
        if request["status"] == "cancelled":
            assert (posts, request["response"], request["resume"]) == ([], None, None)
            return
        (post,) = posts
        secret = self.local.credentials.resume_signing_secret
        stamp, signed = post.headers["x-timestamp"], post.headers["x-signature"]
        # By the clock of the moment in which it came: whoever looks at it here may come late.
        signature.verify(secret, post.body, signature=signed, timestamp=stamp, now=post.at)
        assert json.loads(post.body)["request"]["response"] == request["response"]
        assert request["resume"] == {"status": "delivered", "attempts": 1, "last_status": 200}

    def check_change(self, asked: Asked, sides: Sequence[Side], told: Sequence[Any]) -> None:
        """Check that what two did at once happened in one order, whatever it was, and that everything followed once."""
        replies = sum("email" in side.channel for side in sides)

        def ended() -> bool:
            timeline = self.local.timeline(asked.id)
            kinds = Counter(event["kind"] for event in timeline)
            by_email = sum(_by_email(event) for event in timeline)
            mailed, needed = _mailed_and_asked(timeline)
            closed = kinds["response_submitted"] + kinds["request_cancelled"] > 0
            return (
                by_email + kinds["reply_rejected"] >= replies
                and kinds["resume_attempted"] >= kinds["response_submitted"]
                and kinds["error_mail_sent"] >= kinds["reply_rejected"]
                and kinds["confirmation_sent"] >= by_email
                and (closed or list(needed)[-1] in mailed)
            )

        # Once the queues are empty everybody has acted; what follows from the last act comes after that.
        for _ in range(2):
            eventually(ended, f"the end of {sides} at request {asked.id}")
            self.wait_until_quiet()
        request, timeline = self.local.request(asked.id), self.local.timeline(asked.id)
        kinds = [event["kind"] for event in timeline]
        where = f"{sides}: {kinds}"
        decided, cancelled = kinds.count("response_submitted"), kinds.count("request_cancelled")
        assert decided + cancelled <= 1, where
        assert request["status"] == ("responded" if decided else "cancelled" if cancelled else "pending"), where
        assert [event["seq"] for event in timeline] == list(range(1, len(timeline) + 1)), where
        assert [event["prev_hash"] for event in timeline[1:]] == [event["hash"] for event in timeline[:-1]], where
        if decided or cancelled:
            end = kinds.index("response_submitted" if decided else "request_cancelled")
            assert "request_reassigned" not in kinds[end:], where
        posts = [post for post in self.flow.received if post.headers["idempotency-key"] == asked.id]
        assert len(posts) == decided, where
        for post in posts:
            assert json.loads(post.body)["request"]["response"] == request["response"], where
        # One of two who act at once comes to pass at least; each is told what became of it.
        assert kinds.count("request_reassigned") + decided + cancelled >= 1, where
        assert kinds.count("reply_rejected") == kinds.count("error_mail_sent") <= replies, where
        mailed, needed = _mailed_and_asked(timeline)
        assert not mailed - needed, f"asked twice, or though nobody wanted it: {where}"
        # Who had the request for a moment only may not have been sent anything.
        assert request["status"] != "pending" or request["assigned_to_email"] in mailed, where
        sent = Counter(mail["subject"] for mail in self.local.mails(asked.assignee))
        assert all(count == 1 or "not" in subject for subject, count in sent.items()), f"{sent} {where}"
        assert all(answer.status_code < 500 for answer in told if hasattr(answer, "status_code")), where

    def was_first(self, asked: Asked, sides: Sequence[Side]) -> bool:
        """Tell whether the first of two sides came to pass, and before the other if that did."""
        timeline = self.local.timeline(asked.id)
        places = [next((number for number, event in enumerate(timeline) if _of(side, event)), 99) for side in sides]
        return places[0] < places[1]

    def wait_until_quiet(self) -> None:
        """Wait until every message that is there by now has been worked off."""
        eventually(
            lambda: not any(map(self._waiting, QUEUES)),
            "empty queues; a test that leaves a flow behind which is down keeps one busy",
        )

    def _waiting(self, queue: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        url = self.local.operator.outputs[queue]
        counts = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        return sum(int(counts[name]) for name in names)

    # --- the same mail again

    def deliver(self, mail: EmailMessage, **verdicts: str) -> Call:
        """Store a mail as SES does and return the call that publishes its receipt, however often it is called."""
        outputs, message_id = self.local.operator.outputs, secrets.token_hex(20)
        key, topic = f"inbound/{message_id}", outputs["ReceiptsTopicArn"]
        statuses = dict.fromkeys(VERDICTS, "PASS") | verdicts
        received = ReceivedMail(str(mail["From"]), (str(mail["To"]),), mail.as_bytes(), statuses)
        self.s3.put_object(Bucket=outputs["MailBucket"], Key=key, Body=received.raw)
        message = json.dumps(receipt_notification(received, message_id, outputs["MailBucket"], key, topic))
        return lambda: self.sns.publish(TopicArn=topic, Message=message)


def _by_email(event: dict[str, Any]) -> bool:
    """Tell whether an event is what somebody wanted by email."""
    data = event["data"]
    return (event["kind"], data.get("responded_via") or data.get("via")) in (
        ("response_submitted", "email"),
        ("request_reassigned", "email"),
    )


def _mailed_and_asked(timeline: Sequence[dict[str, Any]]) -> tuple[Counter[str], Counter[str]]:
    """Return who was sent the question, and who was to be asked, and how often."""
    mailed = Counter(event["data"]["to"] for event in timeline if event["kind"] == "notification_sent")
    kinds = ("request_created", "request_reassigned")
    asked = Counter(event["data"]["assigned_to_email"] for event in timeline if event["kind"] in kinds)
    return mailed, asked


def _of(side: Side, event: dict[str, Any]) -> bool:
    """Tell whether an event is what a side wanted."""
    data = event["data"]
    if side.channel in CHANGES:
        return (event["kind"], data.get("assigned_to_email")) == ("request_reassigned", side.outcome)
    if side.channel == "cancel":
        return bool(event["kind"] == "request_cancelled")
    return (event["kind"], data.get("responded_via")) == ("response_submitted", side.channel)


def check_answer(side: Side, answer: Any, request: dict[str, Any], *, won: bool) -> None:
    """Check what one side was told at once; who answers by mail is told by mail, and the clock by nobody."""
    cancelled = request["status"] == "cancelled"
    if side.channel == "dashboard":
        assert answer.status_code == 200, answer.text
        lost = "This request was cancelled" if cancelled else "Already answered"
        assert ("Thank you" if won else lost) in answer.text
    elif side.channel == "cancel" and won:
        assert (answer.status_code, answer.json()["request"]["status"]) == (200, "cancelled")
    elif side.channel == "api" and won:
        assert (answer.status_code, answer.json()["status"]) == (200, "accepted")
        assert answer.json()["request"]["response"] == request["response"]
    elif side.channel in ("api", "cancel"):
        problem = answer.json()
        assert (answer.status_code, answer.headers["Content-Type"]) == (409, "application/problem+json")
        if cancelled:
            assert problem["type"] == "urn:flow-hitl:problem:not-pending"
            assert problem["request_status"] == "cancelled"
        else:
            assert problem["type"] == "urn:flow-hitl:problem:already-responded"
            named = {name: problem[name] for name in ("responded_via", "responded_at", "outcome")}
            assert named == {name: request["response"][name] for name in named}


def at_once(calls: Sequence[Call], delays: Sequence[float] | None = None) -> list[Any]:
    """Make all calls at the same moment, or each so many seconds after it; return their results."""
    barrier = threading.Barrier(len(calls))

    def run(call: Call, delay: float) -> Any:
        barrier.wait(HANG_SECONDS)
        time.sleep(delay)
        return call()

    with ThreadPoolExecutor(len(calls)) as executor:
        return list(executor.map(run, calls, delays or [0.0] * len(calls)))


def in_parallel(work: Callable[[T], R], items: Iterable[T], workers: int = 3) -> list[R]:
    """Return what `work` makes of each item; for what may happen in any order.

    Few at a time: every further call at once is one more process of a function that the emulator has to start.
    """
    with ThreadPoolExecutor(workers) as executor:
        return list(executor.map(work, items))


@pytest.fixture(scope="session")
def races(local: LocalClient) -> Iterator[Races]:
    """What the races need: also a log of their own, since verification finds a due time that was put into the past."""
    with receiving() as flow:
        yield Races(local.on_a_deployment_of_its_own(), flow, *map(local.aws, ("sqs", "sns", "s3", "dynamodb")))


@pytest.fixture(scope="session")
def races_with_delegation(races: Races) -> Races:
    """What races need in which responders delegate."""
    return replace(races, local=races.local.on_a_deployment_of_its_own(allow_delegation=True))


@pytest.fixture(scope="session", autouse=True)
def minute(races: Races) -> "Iterator[Future[Minute | None]]":
    """The race against the clock itself takes a minute, so it runs beside the other tests, from the first one on."""
    nobody_asks = threading.Event()
    with ThreadPoolExecutor(1) as executor:
        yield executor.submit(race_the_minute, races, nobody_asks)
        nobody_asks.set()


# --- two answers at once


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_two_answers_at_once_make_one_decision(
    races: Races, one: str, other: str, record_property: Callable[[str, object], None]
) -> None:
    # The clock has one answer, and to cancel is one thing: there both sides want the same.
    sides = Side(one, "rejected" if one in ("auto_response", "cancel") else "approved"), Side(other, "rejected")
    clock = {"auto_response": AUTO_RESPONSE} if "auto_response" in (one, other) else {}
    raced: list[Raced] = []
    lead, shift = 0.0, FIRST_SHIFT_SECONDS
    for asked in races.open(ROUNDS, **clock):
        if clock:
            races.make_due(asked)
        told = at_once([races.call(asked, side) for side in sides], [max(0.0, -lead), max(0.0, lead)])
        raced.append((asked, sides, told))
        if sides[0] != sides[1]:
            lead += -shift if races.winner(asked, sides) == sides[0] else shift
            shift = max(shift / 2, CLOSEST_SECONDS)
    races.check(*raced)
    record_property(TRIED, len(raced))


@pytest.mark.exhaustive(7)
@pytest.mark.parametrize(("one", "other"), PAIRS_WITH_CHANGE)
def test_a_change_of_who_is_asked_and_another_act_at_once_come_one_after_the_other(
    races_with_delegation: Races, one: str, other: str, record_property: Callable[[str, object], None]
) -> None:
    races, clock = races_with_delegation, {"auto_response": AUTO_RESPONSE} if other == "auto_response" else {}
    raced: list[Raced] = []
    lead, shift = 0.0, FIRST_SHIFT_SECONDS
    for asked in races.open(ROUNDS, **clock):
        if clock:
            races.make_due(asked)
        sides = [Side(channel, _wanted(channel)) for channel in (one, other)]
        told = at_once([races.call(asked, side) for side in sides], [max(0.0, -lead), max(0.0, lead)])
        raced.append((asked, sides, told))
        races.wait_until_quiet()
        lead += -shift if races.was_first(asked, sides) else shift
        shift = max(shift / 2, CLOSEST_SECONDS)
    in_parallel(lambda race: races.check_change(*race), raced)
    record_property(TRIED, len(raced))


def _wanted(channel: str) -> str:
    """Return a new address for who is to be asked instead, or the answer."""
    return fresh_address("other") if channel in CHANGES else "rejected"


def test_every_channel_at_once_makes_one_decision(races: Races) -> None:
    # Each says something else: a program that says what was decided already is not told off.
    outcomes = ("approved", "shortened", "postponed", AUTO_RESPONSE["default_outcome"], "")
    sides = [Side(channel, str(outcome)) for channel, outcome in zip(CHANNELS, outcomes, strict=True)]
    options = [side.outcome for side in sides if side.outcome]
    raced: list[Raced] = []
    for asked in races.open(ROUNDS, emit_options=options, auto_response=AUTO_RESPONSE):
        races.make_due(asked)
        raced.append((asked, sides, at_once([races.call(asked, side) for side in sides])))
    races.check(*raced)


@pytest.mark.parametrize("channel", ["email", "api"])
def test_the_same_answer_twice_at_once_is_one_answer(races: Races, channel: str) -> None:
    sides = [Side(channel, "approved")] * 2
    races.check(*[(asked, sides, at_once([races.call(asked, side) for side in sides])) for asked in races.open(ROUNDS)])


def test_a_button_that_is_pressed_twice_answers_once(races: Races) -> None:
    side = Side("dashboard", "approved")
    raced: list[Raced] = []
    for asked in races.open(ROUNDS):
        pages = at_once([races.call(asked, side)] * 2)
        # The second press may find the answer there already; either page says which answer that is.
        assert all("Thank you" in page.text or "Already answered" in page.text for page in pages)
        raced.append((asked, [side], [next(page for page in pages if "Thank you" in page.text)]))
    races.check(*raced)


# --- the same mail twice


def test_a_receipt_that_comes_twice_decides_once(races: Races) -> None:
    opened = races.open(ROUNDS)
    publish = [races.deliver(reply(asked, "approved\n")) for asked in opened]
    raced: list[Raced] = [(asked, [Side("email", "approved")], [None]) for asked in opened]
    for call in publish:
        at_once([call, call])
    races.check(*raced)
    for call in publish:
        call()
    races.check(*raced)


def test_a_forged_mail_whose_receipt_comes_twice_is_told_of_once(races: Races) -> None:
    opened = races.open(ROUNDS)
    for asked in opened:
        publish = races.deliver(reply(asked, "approved\n"), dmarcVerdict="FAIL")
        at_once([publish, publish])
        races.local.wait_for_mail(asked.assignee, after=1)
        publish()
    races.wait_until_quiet()
    for asked in opened:
        kinds = ["request_created", "notification_sent", "reply_rejected", "error_mail_sent"]
        assert races.local.kinds(asked.id) == kinds
        assert len(races.local.mails(asked.assignee)) == 2


def test_a_mail_that_is_sent_twice_decides_once(races: Races) -> None:
    raced: list[Raced] = []
    for asked in races.open(ROUNDS):
        send = partial(races.local.send_mail, reply(asked, "Approved.\n\nFine with me.\n"))
        raced.append((asked, [Side("email", "approved")] * 2, at_once([send, send])))
    races.check(*raced)


def reply(asked: Asked, text: str) -> EmailMessage:
    """Return the assignee's reply, as a mail program builds it."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = asked.assignee, asked.reply_to, "Re: your answer is needed"
    mail["Message-ID"] = f"<{secrets.token_hex(8)}@example.com>"
    mail.set_content(text)
    return mail


# --- the same request twice


@pytest.mark.parametrize("by", ["id", "Idempotency-Key"])
def test_a_request_that_is_made_eight_times_at_once_is_one_request(races: Races, by: str) -> None:
    made: dict[str, str] = {}
    for _ in range(ROUNDS):
        assignee, key = fresh_address("racer"), str(uuid.uuid4())
        answers = at_once([creation(races, by, key, assignee)] * CREATORS)
        assert sorted(answer.status_code for answer in answers) == [200] * (CREATORS - 1) + [201]
        (made[assignee],) = {answer.json()["request"]["id"] for answer in answers}
        assert len({answer.json()["callback_url"] for answer in answers}) == 1
    for request_id in made.values():
        races.local.wait_for_event(request_id, "notification_sent")
    races.wait_until_quiet()
    for assignee, request_id in made.items():
        assert races.local.kinds(request_id) == ["request_created", "notification_sent"]
        assert len(races.local.mails(assignee)) == 1


@pytest.mark.parametrize("by", ["id", "Idempotency-Key"])
def test_of_two_requests_under_one_key_the_first_stands(races: Races, by: str) -> None:
    for _ in range(ROUNDS):
        assignees, key = [fresh_address("racer") for _ in range(2)], str(uuid.uuid4())
        answers = at_once([creation(races, by, key, assignee) for assignee in assignees])
        created, refused = sorted(answers, key=lambda answer: int(answer.status_code))
        assert (created.status_code, refused.status_code) == (201, 422)
        assert refused.json()["type"] == "urn:flow-hitl:problem:idempotency-mismatch"
        races.local.wait_for_mail(created.json()["request"]["assigned_to_email"])
        races.wait_until_quiet()
        assert sorted(len(races.local.mails(assignee)) for assignee in assignees) == [0, 1]


def creation(races: Races, by: str, key: str, assignee: str) -> Call:
    """Return the call that opens a request under the caller's id or idempotency key."""
    body = {"flow_id": "flow_1", "method_name": "review", "message": "Once?", "assigned_to_email": assignee}
    if by == "id":
        return lambda: races.local.call("POST", "/v1/requests", {**body, "id": key})
    return lambda: races.local.call("POST", "/v1/requests", body, headers={by: key})


# --- the clock itself


@dataclass(frozen=True)
class Minute:
    """How the minute went for the requests that somebody raced for, and for the one that was left alone."""

    raced: list[Raced]
    left_alone: Raced


def race_the_minute(races: Races, nobody_asks: threading.Event) -> Minute | None:
    """Open requests that the clock answers in a minute, and answer all but one of them in the second it is over.

    None if by then nobody asks any more.
    """
    clock = Side("auto_response", "rejected")
    people = [[Side(channel, "approved"), clock] for channel in CHANNELS if channel != clock.channel]
    left_alone, *opened = races.open(1 + len(people), auto_response={**AUTO_RESPONSE, "timeout_minutes": 1})
    dues = {asked.id: races.local.request(asked.id)["auto_response"]["due_at"] for asked in (left_alone, *opened)}

    def wait_until_due(due: str) -> bool:
        return nobody_asks.wait((datetime.fromisoformat(due) - datetime.now(UTC)).total_seconds())

    def race(pair: tuple[Asked, list[Side]]) -> Raced:
        asked, sides = pair
        calls = [races.call(asked, side) for side in sides]
        wait_until_due(dues[asked.id])
        return asked, sides, at_once(calls)

    if wait_until_due(min(dues.values())):
        return None
    raced = in_parallel(race, zip(opened, people, strict=True), len(people))
    return Minute(raced, (left_alone, [clock], [None]))


@pytest.mark.last
def test_when_the_minute_is_over_the_clock_answers_unless_somebody_is_faster(
    races: Races, minute: "Future[Minute | None]"
) -> None:
    over = minute.result(HANG_SECONDS)
    assert over is not None
    # Nothing but the stack's own clock was there to answer the last one.
    everyone = [*over.raced, over.left_alone]
    races.check(*everyone)
    for asked, *_ in everyone:
        request = races.local.request(asked.id)
        if request["response"]:
            assert request["response"]["responded_at"] >= request["auto_response"]["due_at"], "nobody was too early"
    response = races.local.request(over.left_alone[0].id)["response"]
    assert (response["responder"], response["responder_verified"]) == (None, False)
    assert response["response_seconds"] >= 60
