"""A webhook's worker, and all before it, dies at every AWS call. Each event is delivered and noted exactly once; it is
posted twice only where the worker died before it knew what came of the first, with the same X-Webhook-Id.
"""

from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl, hitl_on_moto
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import NO_DEATH, Call, Calls, Crash, When, crashing, deaths, new_process, watched
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import Hook, hook

OWN_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"
pytestmark = pytest.mark.exhaustive
BOTH = pytest.mark.parametrize("when", ["before", "after"])


def ask(hitl: Hitl, **fields: Any) -> AskedRequest:
    return hitl.ask(emit=EMIT, id=OWN_ID, **fields)


def writes_the_result(call: Call, calls: Calls) -> bool:
    """Tell whether it is the last call so far, by which a worker writes what came of its POST: its second write."""
    of_run = [one.operation.partition(".")[2] for one in calls.begun if one.run == call.run]
    writes = [operation for operation in of_run if operation in ("UpdateItem", "TransactWriteItems")]
    return call.function == "send_webhook" and "Decrypt" in of_run and len(writes) == 2 and of_run[-1] == writes[-1]


def died_with_the_result(calls: Calls, when: When) -> bool:
    """Tell whether a worker had POSTed and died before the result was written."""
    return when == "before" and calls.died_at is not None and writes_the_result(calls.died_at, calls)


def check(made: Hook, app: Receiver, request: AskedRequest, where: str, *, posts: int, status: int = 200) -> None:
    kinds = request.kinds
    noted = kinds.count("webhook_delivered"), kinds.count("webhook_failed")
    assert noted == ((1, 0) if status == 200 else (0, 1)), where
    assert len(app.received) == posts, where
    assert len({post.headers["x-webhook-id"] for post in app.received}) == 1, where
    (delivery,) = made.deliveries
    assert (delivery["http_status"], delivery["redelivery_of"]) == (status, None), where
    assert delivery["attempts"] >= posts, where
    chain = request.timeline
    assert [event["prev_hash"] for event in chain[1:]] == [event["hash"] for event in chain[:-1]], where


@pytest.mark.parametrize(("when", "status"), [("before", 200), ("before", 500), ("after", 500)])
def test_a_new_request(when: When, status: int) -> None:
    twice = []
    with hitl_on_moto() as hitl, receiving() as app:
        app.status = status
        made = hook(hitl, app.url)
        as_it_was = hitl.checkpoint()
        for number in deaths(hitl, when, lambda: ask(hitl), surely=writes_the_result):
            as_it_was()
            app.received = []
            with crashing(hitl, number, when) as calls:
                ask(hitl)
            request = ask(hitl)
            hitl.advance(minutes=15)
            again = died_with_the_result(calls, when)
            twice.append(again)
            assert (calls.died_at is None) == (number == NO_DEATH)
            check(made, app, request, f"died {when} {calls.died_at}", posts=1 + again, status=status)
    assert {call.function for call in calls.begun} == {"intake", "relay", "send_email", "send_webhook"}
    assert sum(twice) == (1 if when == "before" else 0)


@BOTH
def test_an_answer_and_a_webhook_that_asked_for_it(when: When) -> None:
    with hitl_on_moto() as hitl, receiving() as app:
        made = hook(hitl, app.url, events=["response_submitted"])
        request = ask(hitl)
        as_it_was = hitl.checkpoint()
        for number in deaths(hitl, when, lambda: callback(hitl, request)):
            as_it_was()
            app.received = []
            with crashing(hitl, number, when) as calls:
                callback(hitl, request)
            callback(hitl, request)
            hitl.advance(minutes=15)
            posts = 1 + died_with_the_result(calls, when)
            assert (calls.died_at is None) == (number == NO_DEATH)
            check(made, app, request, f"died {when} {calls.died_at}", posts=posts)


@BOTH
def test_a_test_ping_and_a_redelivery(when: When) -> None:
    """The manager's call dies, is made again, and may so have been made twice: each that was taken is sent."""
    with hitl_on_moto() as hitl, receiving() as app:
        made = hook(hitl, app.url)
        ask(hitl)
        (first,) = made.deliveries
        as_it_was, received = hitl.checkpoint(), list(app.received)

        def call_both() -> None:
            made.call("POST", f"/deliveries/{first['id']}/redeliver")
            made.call("POST", "/test")

        for number in deaths(hitl, when, call_both):
            as_it_was()
            app.received = list(received)
            with crashing(hitl, number, when) as calls:
                call_both()
            hitl.advance(minutes=15)
            where = f"died {when} {calls.died_at}"
            waiting = [one for one in made.deliveries if one["status"] == "pending"]
            # A delivery whose message was never sent: the manager's call failed, and says so by its status.
            lost = calls.died_at is not None and calls.died_at.function == "management"
            assert len(waiting) <= lost, where
            sent = len(made.deliveries) - len(waiting)
            assert len(app.received) == sent + died_with_the_result(calls, when), where
            assert (calls.died_at is None) == (number == NO_DEATH)
            assert calls.died_at or sent == 3


@pytest.mark.parametrize("deaths", [0, 1, 2, 5])
def test_whose_worker_dies_each_time_is_sent_once_more_and_no_oftener(deaths: int) -> None:
    with hitl_on_moto() as hitl, receiving() as app:
        made = hook(hitl, app.url)
        lives = deaths

        def at_call(call: Call, moment: When) -> None:
            nonlocal lives
            if moment == "before" and writes_the_result(call, calls) and lives:
                lives -= 1
                raise Crash(str(call))

        with watched(hitl, at_call) as calls:
            for _ in range(deaths + 1):
                try:
                    request = ask(hitl)
                    hitl.advance(minutes=10)
                except Crash:
                    new_process()
            request = ask(hitl)
            hitl.advance(minutes=15)
        (delivery,) = made.deliveries
        assert len(app.received) == delivery["attempts"] == min(deaths + 1, 2)
        assert len({post.headers["x-webhook-id"] for post in app.received}) == 1
        if deaths < 2:
            assert (delivery["status"], delivery["http_status"]) == ("delivered", 200)
            assert request.kinds.count("webhook_delivered") == 1
        else:
            assert (delivery["status"], delivery["http_status"]) == ("failed", None)
            assert "before the answer came" in delivery["reason"]
            assert (request.kinds.count("webhook_failed"), request.kinds.count("webhook_delivered")) == (1, 0)


def test_while_one_worker_sends_another_leaves_it_alone() -> None:
    with hitl_on_moto() as hitl, receiving() as app:
        from flow_hitl.audit.ports import EffectBusy
        from flow_hitl.bootstrap import current
        from flow_hitl.platform.ports import PostResult
        from flow_hitl.webhooks.webhook import DeliveryName

        made = hook(hitl, app.url)
        sender = current().send_webhook
        busy: list[bool] = []

        class Meanwhile:
            """Posts, and lets a second worker try the same delivery while it does."""

            def post(self, *_: Any) -> PostResult:
                (delivery,) = made.deliveries
                with pytest.raises(EffectBusy):
                    sender(DeliveryName(made.id, delivery["id"]))
                busy.append(True)
                return PostResult(200, "HTTP 200")

        object.__setattr__(sender, "poster", Meanwhile())
        request = ask(hitl)
        assert busy == [True]
        assert request.kinds.count("webhook_delivered") == 1


def test_what_fails_on_our_side_before_the_post_costs_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    from flow_hitl.platform.kms_secret_box import KmsSecretBox

    with hitl_on_moto() as hitl, receiving() as app:
        made = hook(hitl, app.url)
        with monkeypatch.context() as patch:

            def refused(*_: object) -> str:
                raise ConnectionError("KMS is away")

            patch.setattr(KmsSecretBox, "open", refused)
            request = ask(hitl)
            hitl.advance(minutes=20)
            (delivery,) = made.deliveries
            assert (delivery["status"], delivery["attempts"], app.received) == ("pending", 0, [])
        hitl.advance(minutes=30)
        (delivery,) = made.deliveries
        assert (delivery["status"], delivery["attempts"]) == ("delivered", 1)
        assert request.kinds.count("webhook_delivered") == 1
