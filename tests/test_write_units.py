"""How many write units a review costs: with the emails, they are its price, so one more must be meant."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from infra import prices
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import watched
from tests.support.receiver import receiving
from tests.support.units import Units, counted

MILLION = 1_000_000
# Stored in S3 and read, and announced by SNS to a queue.
RECEIVED_EMAIL = prices.OBJECT_WRITTEN + prices.OBJECT_READ + prices.NOTIFICATION + prices.QUEUED_MESSAGE

# Of each: the transaction's write, which is billed twice, and the index entries.
OPENED = {"requests r#head": 2, "requests r#content": 2, "audit request_created": 2}
LISTED = {"requests r#head by_created": 2, "requests r#head by_status": 3, "requests r#head by_assignee": 3}
DECIDED = {"requests r#head by_decision": 1}


@dataclass
class Cost:
    """What the second of two equal reviews costs, from its creation until its flow has resumed."""

    units: Units
    invocations: Counter[str]
    messages: int

    @property
    def dollars(self) -> float:
        """Dollars per million, without the time of functions and without SES."""
        calls = self.invocations
        return MILLION * (
            self.units.writes * prices.WRITE_UNIT
            + self.units.reads * prices.READ_UNIT
            + calls.total() * prices.INVOCATION
            + (calls["intake"] + calls["respond"]) * prices.API_CALL
            + self.messages * prices.QUEUED_MESSAGE
            + calls["inbound_mail"] * RECEIVED_EMAIL
        )


def review(hitl: Hitl, *, by_email: bool) -> Cost:
    find, invocations = hitl._function, Counter[str]()

    def function(name: str) -> Callable[[Any, Any], Any]:
        invocations[name] += 1
        return find(name)

    with receiving() as flow, patch.object(hitl, "_function", function):
        for _ in range(2):
            invocations.clear()
            with counted() as units, watched(hitl) as calls:
                request = hitl.ask(emit=EMIT, resume_url=flow.url, message="Publish this article?")
                if by_email:
                    hitl.reply("approved")
                else:
                    callback(hitl, request)
        assert len(flow.received) == 2
    return Cost(units, invocations, calls.operations.count("sqs.SendMessage"))


def test_a_review_without_emails(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    cost = review(hitl, by_email=False)
    units = cost.units
    assert units.written == {
        **{name: n for name, n in OPENED.items() if name != "requests r#head"},
        **LISTED,
        **DECIDED,
        "audit request_created by_day": 1,
        "requests r#head": 6,
        "audit response_submitted": 2,
        "audit response_submitted by_day": 1,
        "requests effect": 1,
        "deployments activity": 1,
        "audit resume_attempted": 2,
        "audit resume_attempted by_day": 1,
    }
    assert units.writes == 28
    assert (units.reads, round(cost.dollars, 2)) == (6.5, 22.51)


def test_a_review_by_email(hitl: Hitl) -> None:
    cost = review(hitl, by_email=True)
    units = cost.units
    assert units.written["requests r#head"] == 10, "five steps, each in a transaction, and below a kilobyte"
    assert units.written["requests effect"] == 3, (
        "one claim each for the notification, the confirmation, and the resumption"
    )
    assert units.writes == 40
    assert (units.reads, round(cost.dollars, 2)) == (15.0, 39.98)


def test_a_long_answer_costs_its_own_record_and_each_reader_a_call(hitl: Hitl) -> None:
    def written(feedback: str) -> tuple[Units, int]:
        with counted() as units, watched(hitl) as calls:
            callback(hitl, hitl.ask(emit=EMIT, resume_url=flow.url), feedback)
        return units, calls.operations.count("dynamodb.GetItem")

    with receiving() as flow:
        short, calls = written("approved\nFine with me, but please mention the second source in the next edition.")
        long, more_calls = written("approved\n" + "Fine with me. " * 60)
    assert "requests r#response" not in short.written
    assert long.written["requests r#response"] == 2
    assert long.written["requests r#head"] == short.written["requests r#head"] == 8
    assert more_calls == calls + 1, "only the resumption reads it without having written it"


def test_what_people_write_at_length_is_stored_in_less_room(hitl: Hitl) -> None:
    def written(**fields: Any) -> int:
        with counted() as units:
            hitl.ask(emit=EMIT, **fields)
        return units.written["requests r#content"]

    assert written(output="A long draft, as people write it. " * 60) == written(output="short")


def test_a_long_message_costs_nothing_more(hitl: Hitl) -> None:
    with counted() as short:
        hitl.ask(emit=EMIT, message="Publish?")
    with counted() as long:
        hitl.ask(emit=EMIT, message="Publish this article, which says much about many things? " * 20)
    assert long.written["requests r#head"] == short.written["requests r#head"]


def test_an_sla_costs_its_index_when_a_request_is_opened_and_when_it_is_answered(hitl: Hitl) -> None:
    with counted() as units:
        callback(hitl, hitl.ask(emit=EMIT, sla_target_minutes=60))
    assert units.written["requests r#head by_due"] == 2
