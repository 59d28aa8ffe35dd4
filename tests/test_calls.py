"""Which AWS calls a whole review makes, of all functions that it runs: with them go its time and much of its price."""

from typing import Any
from unittest.mock import patch

from flow_hitl.platform.http_poster import SafeHttpPoster
from flow_hitl.platform.ports import PostResult
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import watched
from tests.support.receiver import receiving

Made = list[tuple[str, str]]

CREATED: Made = [
    # The configuration and what is used of the quotas; then head, content, and event.
    ("intake", "Query"),
    ("intake", "TransactWriteItems"),
]
COUNTED: Made = [("relay", "UpdateItem")]
NOTIFIED: Made = [
    ("relay", "SendMessage"),
    # The request, its event, and whether the address is suppressed; the claim; the email; that it was sent.
    ("send_email", "BatchGetItem"),
    ("send_email", "UpdateItem"),
    ("send_email", "SendEmail"),
    ("send_email", "TransactWriteItems"),
]
ANSWERED_BY_API: Made = [("respond", "Query"), ("respond", "TransactWriteItems")]
ANSWERED_BY_EMAIL: Made = [
    # The request; the email; the configuration and the request's events, for what they saw; the answer.
    ("inbound_mail", "Query"),
    ("inbound_mail", "GetObject"),
    ("inbound_mail", "BatchGetItem"),
    ("inbound_mail", "TransactWriteItems"),
]
CONFIRMED = NOTIFIED
# Whether a webhook wants to know, which an email's answer says.
LOOKED_UP: Made = [("relay", "GetItem")]
RESUMED: Made = [
    ("relay", "SendMessage"),
    # The claim; the request, its event, and the configuration; then what came of it.
    ("resume_flow", "UpdateItem"),
    ("resume_flow", "BatchGetItem"),
    ("resume_flow", "TransactWriteItems"),
]


def review(hitl: Hitl, *, by_email: bool) -> Made:
    """Return the calls of the second of two equal reviews, from its creation until its flow has resumed."""
    with receiving() as flow:
        for _ in range(2):
            with watched(hitl) as calls:
                request = hitl.ask(emit=EMIT, resume_url=flow.url, message="Publish this article?")
                if by_email:
                    hitl.reply("approved")
                else:
                    callback(hitl, request)
        assert len(flow.received) == 2
    return [(call.function, call.operation.partition(".")[2]) for call in calls.begun]


def test_a_review_without_emails(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    calls = review(hitl, by_email=False)
    assert sorted(calls) == sorted(CREATED + COUNTED + ANSWERED_BY_API + LOOKED_UP + RESUMED)
    assert len(calls) == 10


def test_a_review_by_email(hitl: Hitl) -> None:
    calls = review(hitl, by_email=True)
    expected = CREATED + COUNTED + NOTIFIED + ANSWERED_BY_EMAIL + CONFIRMED + RESUMED
    assert sorted(calls) == sorted(expected)
    assert len(calls) == 21


def test_the_function_that_resumes_a_flow_makes_two_calls_before_it_tells_the_flow(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    before: list[Made] = []
    post = SafeHttpPoster.post

    def posted(poster: SafeHttpPoster, *what: Any) -> PostResult:
        before.append([(call.function, call.operation.partition(".")[2]) for call in calls.begun])
        return post(poster, *what)

    with receiving() as flow, patch.object(SafeHttpPoster, "post", posted):
        request = hitl.ask(emit=EMIT, resume_url=flow.url)
        with watched(hitl) as calls:
            callback(hitl, request)
    (made,) = before
    assert [one for one in made if one[0] == "resume_flow"] == RESUMED[1:3]
