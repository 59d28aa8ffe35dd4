"""Whatever is away for however long: when it is back, every request ends decided, mailed and resumed, once each, and no
person has to act.
"""

import json
from collections import Counter

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.requests.test_attachments import wish
from tests.requests.test_questions import ANSWER, answer_it, ask_back
from tests.support.asserts import EMIT
from tests.support.aws_calls import new_process, unsettled
from tests.support.outages import COMPONENTS, away
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import ALL_EVENTS, hook

TEN_DAYS = 10 * 24 * 60


def ask(hitl: Hitl, flow: Receiver, minutes: int, message: str = "Publish?") -> AskedRequest:
    auto = {"timeout_minutes": minutes, "default_outcome": "rejected"}
    return hitl.ask(message, emit=EMIT, resume_url=flow.url, auto_response=auto)


def go_on(hitl: Hitl) -> None:
    """Let follow what follows, in processes that remember no key."""
    new_process()
    hitl.advance(seconds=1)


@pytest.mark.parametrize("hours", [1, 25, 72])
@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.exhaustive(40, "hours")
def test_after_an_outage_everything_that_should_happen_does(hitl: Hitl, component: str, hours: int) -> None:
    with receiving() as flow, receiving() as app:
        hook(hitl, app.url, events=ALL_EVENTS)
        answered, timed_out = ask(hitl, flow, TEN_DAYS), ask(hitl, flow, 30)
        mail = hitl.inbox[0]
        with away(hitl, flow, component):
            with unsettled(hitl):
                late, late_timed_out = ask(hitl, flow, TEN_DAYS, "Late question"), ask(hitl, flow, 45)
                new_process()
                hitl.reply("approved", to=mail)
            go_on(hitl)
            hitl.advance(minutes=hours * 60)
        go_on(hitl)
        hitl.advance(days=2)
        (asked_late,) = [sent for sent in hitl.inbox if "Late question" in sent.text]
        hitl.reply("approved", to=asked_late)
        hitl.advance(minutes=10)
        everything = {
            "answered": (answered, "email"),
            "timed out": (timed_out, "auto_response"),
            "late": (late, "email"),
            "late and timed out": (late_timed_out, "auto_response"),
        }
        for name, (request, via) in everything.items():
            check(request, name, via, flow, app)
        assert len(hitl.inbox) == sum(mails_of(request) for request, _ in everything.values())
        assert rest_in_dead_letter_queues(hitl) == {}


@pytest.mark.parametrize("hours", [1, 25, 72])
@pytest.mark.parametrize("component", COMPONENTS)
@pytest.mark.exhaustive(40, "hours")
def test_after_an_outage_questions_and_cancellations_have_reached_everybody_once(
    hitl: Hitl, component: str, hours: int
) -> None:
    with receiving() as flow, receiving() as app:
        hook(hitl, app.url, events=ALL_EVENTS)

        def open_one(message: str) -> AskedRequest:
            return hitl.ask(
                message, title=message, emit=EMIT, resume_url=flow.url, questions=True, attachments=[wish()]
            )

        asked, told, cancelled = open_one("Asked late"), open_one("Told late"), open_one("Canceled late")
        assert ask_back(hitl, told).status == 200
        with away(hitl, flow, component):
            with unsettled(hitl):
                new_process()
                assert ask_back(hitl, asked).status == 200
                assert answer_it(hitl, told).status == 200
                assert hitl.api("DELETE", f"/v1/requests/{cancelled.id}").status == 200
            go_on(hitl)
            hitl.advance(minutes=hours * 60)
        go_on(hitl)
        hitl.advance(days=2)
        assert answer_it(hitl, asked).status == 200
        for request in (asked, told):
            (mail,) = [sent for sent in hitl.inbox if ANSWER in sent.text and request.now()["title"] in sent.subject]
            hitl.reply("approved", to=mail)
        hitl.advance(minutes=10)
        for request in (asked, told):
            kinds, now = Counter(request.kinds), request.now()
            assert (now["status"], now["resume"]["status"]) == ("responded", "delivered")
            assert [remark["kind"] for remark in now["thread"]] == ["question", "answer"]
            once = ("notification_sent", "question_asked", "question_answered", "answer_mail_sent", "confirmation_sent")
            assert {kind: kinds[kind] for kind in once} == dict.fromkeys(once, 1)
            for kind in ("question_attempted", "resume_attempted"):
                delivered = [one for one in request.timeline if one["kind"] == kind and one["data"]["delivered"]]
                assert len(delivered) == 1, kind
        assert cancelled.status == "cancelled"
        assert cancelled.kinds.count("handled_mail_sent") == 1
        assert rest_in_dead_letter_queues(hitl) == {}


def check(request: AskedRequest, name: str, via: str, flow: Receiver, app: Receiver) -> None:
    kinds, now = Counter(request.kinds), request.now()
    assert (now["status"], now["response"]["responded_via"]) == ("responded", via), name
    assert kinds["response_submitted"] == 1, name
    # Whoever was not asked in time need not be asked any more.
    assert kinds["notification_sent"] == 1 or (via == "auto_response" and not kinds["notification_sent"]), name
    assert kinds["confirmation_sent"] == (via == "email"), name
    assert now["resume"]["status"] == "delivered", name
    delivered = [
        event for event in request.timeline if event["kind"] == "resume_attempted" and event["data"]["delivered"]
    ]
    assert len(delivered) == 1, name
    posts = [post for post in flow.received if post.headers["idempotency-key"] == request.id]
    assert len(posts) == kinds["resume_attempted"], name
    told = Counter(
        body["event"]
        for body in map(json.loads, (post.body for post in app.received))
        if body["request"]["id"] == request.id
    )
    assert told == {"new_request": 1, "response_submitted": 1}, name


def mails_of(request: AskedRequest) -> int:
    return sum(kind in ("notification_sent", "confirmation_sent", "handled_mail_sent") for kind in request.kinds)


def rest_in_dead_letter_queues(hitl: Hitl) -> dict[str, int]:
    from moto.sqs.models import sqs_backends

    from infra.local.hitl_fixture.stack import ACCOUNT, REGION

    queues = sqs_backends[ACCOUNT][REGION].queues
    return {name: len(queue._messages) for name, queue in queues.items() if name.endswith("-dlq") and queue._messages}
