"""What managers do about one request: reassign, cancel, send the answer to its flow again, tell a webhook again."""

from collections.abc import Iterator
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.delivery.retries import RESUME
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl
from tests.support.asserts import EMIT, callback
from tests.support.forms import followed, form_of, send, submit
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import hook, told

ANN = "ann@example.com"


@pytest.fixture
def flow() -> Iterator[Receiver]:
    """The flow's HTTP server, or another application's."""
    with receiving() as receiver:
        yield receiver


def path(request: AskedRequest) -> str:
    return f"/d/1/requests/{request.id}"


def act(browser: Browser, request: AskedRequest, do: str, **changes: str) -> Answer:
    """Press one of the buttons for managers on a request's page."""
    return submit(browser, path(request), f"do={do}", changes, f"do={do}")


# --- reassign


def test_a_request_is_given_to_somebody_else(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN)
    page = followed(manager, act(manager, request, "reassign", assigned_to_email="bob@example.com"))
    assert "was reassigned" in page.text
    assert request.now()["assigned_to_email"] == "bob@example.com"
    asked, told, now_asked = (mail for mail in hitl.inbox if mail.to != "creator@example.com")
    assert (asked.to, told.to, now_asked.to) == (ANN, ANN, "bob@example.com"), "who had it is told"
    event = next(event for event in request.timeline if event["kind"] == "request_reassigned")
    assert event["actor"] == "member/creator@example.com"
    hitl.reply("approved", to=asked, sender=ANN)
    assert request.status == "pending", "who had it before can no longer answer"
    hitl.reply("approved", to=now_asked)
    assert request.outcome == "approved"


def test_a_request_is_given_to_a_group(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"groups": [{"name": "legal", "members": [ANN, "al@example.com"]}]})
    request = hitl.ask(emit=EMIT)
    followed(manager, act(manager, request, "reassign", assigned_to_email="group:legal"))
    assert {mail.to for mail in hitl.inbox[-2:]} == {ANN, "al@example.com"}


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("nobody", "must be one plain email address"),
        ("x@elsewhere.org", "is not among the allowed assignee domains"),
        ("group:none", "group:none: is no group of this deployment."),
        ("", "must be one plain email address"),
    ],
)
def test_somebody_who_cannot_be_asked_is_refused_at_the_field(
    hitl: Hitl, manager: Browser, to: str, problem: str
) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["example.com"]})
    request = hitl.ask(emit=EMIT)
    page = act(manager, request, "reassign", assigned_to_email=to)
    assert page.status == 422
    assert problem in page.text.partition('id="assigned_to_email-error">')[2].partition("</p>")[0]
    assert form_of(page, "assigned_to_email").fields["assigned_to_email"] == to
    assert request.now()["assigned_to_email"] == "creator@example.com"


# --- cancel


def test_a_request_is_cancelled_after_a_question(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN)
    question = act(manager, request, "cancel")
    assert f"{ANN} can no longer answer it" in question.text
    assert request.status == "pending"
    page = followed(manager, send(manager, form_of(question, "sure"), press="sure=yes"))
    assert "The request was cancelled." in page.text
    assert request.status == "cancelled"
    event = next(event for event in request.timeline if event["kind"] == "request_cancelled")
    assert event["actor"] == "member/creator@example.com"
    assert "do=" not in "".join(f"{name}={value}" for name, value in _buttons(page)), "nothing is left to do"
    assert followed(manager, send(manager, form_of(question, "sure"), press="sure=yes")).status == 200, "twice is once"


def test_an_answer_that_was_faster_stands(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT)
    opened = manager.get(path(request))
    question = act(manager, request, "cancel")
    callback(hitl, request)
    for answer in (
        send(manager, form_of(question, "sure"), press="sure=yes"),
        send(manager, form_of(opened, "assigned_to_email"), {"assigned_to_email": ANN}, "do=reassign"),
    ):
        assert answer.status == 409
        assert "answered before" in answer.text
    assert request.outcome == "approved"


# --- send the answer to the flow again


def answered(hitl: Hitl, flow: Receiver) -> AskedRequest:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    callback(hitl, request)
    return request


def given_up(hitl: Hitl, flow: Receiver) -> AskedRequest:
    """Return a request whose answer its flow has not taken for a day."""
    flow.status = 500
    request = answered(hitl, flow)
    hitl.advance(seconds=sum(RESUME.pauses) + 300)
    assert request.now()["resume"]["status"] == "failed"
    flow.received.clear()
    return request


def test_what_was_given_up_is_sent_again(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    request = given_up(hitl, flow)
    flow.status = 200
    page = followed(manager, act(manager, request, "retry"))
    assert "creator@example.com resent the answer to the flow" in page.text
    assert len(flow.received) == 1
    assert flow.received[0].headers["idempotency-key"] == request.id
    assert request.now()["resume"] == {"status": "delivered", "attempts": RESUME.attempts + 1, "last_status": 200}
    assert [event["actor"] for event in request.timeline][-2:] == ["member/creator@example.com", "flow-hitl"]
    assert request.kinds[-2:] == ["resume_retried", "resume_attempted"]


def test_a_retry_has_all_the_attempts_of_a_new_answer(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    request = given_up(hitl, flow)
    act(manager, request, "retry")
    assert request.now()["resume"]["status"] == "waiting"
    hitl.advance(seconds=10)
    assert len(flow.received) == 2
    flow.status = 200
    hitl.advance(minutes=5)
    assert request.now()["resume"]["status"] == "delivered"
    received = len(flow.received)
    hitl.advance(days=2)
    assert len(flow.received) == received


def test_what_was_on_its_way_before_is_void(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    flow.status = 500
    request = answered(hitl, flow)
    hitl.advance(minutes=30)
    flow.status = 200
    flow.received.clear()
    act(manager, request, "retry")
    assert len(flow.received) == 1, "at once, not at the next turn"
    hitl.advance(days=2)
    assert len(flow.received) == 1, "and not by the old message again"
    assert request.now()["resume"]["status"] == "delivered"


def test_the_dead_letter_of_an_answer_that_was_sent_again_does_nothing(
    hitl: Hitl, manager: Browser, flow: Receiver
) -> None:
    request = given_up(hitl, flow)
    flow.status = 200
    act(manager, request, "retry")
    sqs, url = hitl._clients["sqs"], current().settings.queue_url("resume")
    (dead,) = sqs.receive_message(QueueUrl=f"{url}-dlq")["Messages"]
    sqs.send_message(QueueUrl=url, MessageBody=dead["Body"])
    hitl.advance(seconds=1)
    assert len(flow.received) == 1


def test_pressing_twice_sends_once(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    from tests.support.aws_calls import unsettled

    request = given_up(hitl, flow)
    opened = form_of(manager.get(path(request)), "do=retry")
    flow.status = 200
    with unsettled(hitl):
        for _ in range(2):
            assert send(manager, opened, press="do=retry").status == 303
    hitl.advance(seconds=1)
    assert len(flow.received) == 1
    assert request.kinds.count("resume_retried") == 1
    late = send(manager, opened, press="do=retry")
    assert late.status == 409
    assert "The flow has the answer." in late.text


def test_a_flow_that_could_do_nothing_with_it_gets_it_again(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    request = answered(hitl, flow)
    report = {"status": "resume_failed", "detail": "out of memory"}
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", report)
    followed(manager, act(manager, request, "retry"))
    assert len(flow.received) == 2
    assert request.now()["resume"] == {"status": "delivered", "attempts": 2, "last_status": 200}
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": "resumed"})
    assert request.now()["resume"]["status"] == "resumed"


@pytest.mark.parametrize("report", [None, "resumed", "paused_again"])
def test_what_the_flow_has_is_not_offered_again(
    hitl: Hitl, manager: Browser, flow: Receiver, report: str | None
) -> None:
    request = answered(hitl, flow)
    if report:
        hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": report})
    assert ("do", "retry") not in _buttons(manager.get(path(request)))
    assert manager.post(f"{path(request)}/manage", {"do": "retry"}).status == 409
    assert len(flow.received) == 1


def test_a_flow_that_fetches_its_answer_itself_is_sent_none(hitl: Hitl, manager: Browser) -> None:
    pulled, open_one = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT, resume_url="https://flow.example.com/resume")
    callback(hitl, pulled)
    for request, why in ((pulled, "fetches the answer itself"), (open_one, "has no answer")):
        assert ("do", "retry") not in _buttons(manager.get(path(request)))
        refused = manager.post(f"{path(request)}/manage", {"do": "retry"})
        assert refused.status == 409
        assert why in refused.text


# --- tell a webhook again


def test_a_webhook_is_told_again_from_the_requests_page(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    flow.status = 500
    made = hook(hitl, flow.url, events=["new_request", "response_submitted"])
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    flow.status = 200
    page = manager.get(path(request))
    assert f'href="/d/1/settings/webhooks/{made.id}#deliveries"' in page.text
    followed(manager, send(manager, form_of(page, "webhook"), press="do=redeliver"))
    assert [told(post)["event"] for post in flow.received] == ["new_request", "response_submitted", "new_request"]
    assert flow.received[2].headers["x-webhook-id"] == flow.received[0].headers["x-webhook-id"]
    assert request.timeline[-1]["kind"] == "webhook_delivered"


def test_only_deliveries_of_the_request_are_sent_from_its_page(hitl: Hitl, manager: Browser, flow: Receiver) -> None:
    made = hook(hitl, flow.url)
    first, second = hitl.ask(), hitl.ask()
    delivery = next(one["id"] for one in made.deliveries if one["request_id"] == second.id)
    manager.get(path(first))
    for form in (
        {"webhook": made.id, "delivery": delivery},
        {"webhook": made.id, "delivery": "dlv_0"},
        {"webhook": "wh_0", "delivery": delivery},
        {},
    ):
        assert manager.post(f"{path(first)}/manage", {"do": "redeliver", **form}).status == 404
    assert len(flow.received) == 2


# --- who may


def test_a_responder_is_offered_none_of_it_and_may_do_none_of_it(hitl: Hitl, flow: Receiver) -> None:
    manage = current().manage_deployments
    for email in (ANN, "al@example.com"):
        manage.set_member(1, Member(email, frozenset({Permission.RESPOND})))
    flow.status = 500
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN, resume_url=flow.url)
    ann, al = hitl.signed_in(ANN), hitl.signed_in("al@example.com")
    page = ann.get(path(request))
    assert page.status == 200
    assert "/manage" not in page.text
    al.get("/d/1/requests")
    callback(hitl, request)
    for do in ("reassign", "cancel", "retry", "redeliver", "", "x"):
        form = {"do": do, "sure": "yes", "assigned_to_email": "al@example.com"}
        assert ann.post(f"{path(request)}/manage", form).status == 403
        assert al.post(f"{path(request)}/manage", form).status == 404
    assert request.outcome == "approved"
    assert "resume_retried" not in request.kinds


def test_what_is_no_action_is_not_found(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask()
    manager.get(path(request))
    assert manager.post(f"{path(request)}/manage", {"do": "x"}).status == 404
    assert manager.post("/d/1/requests/x/manage", {"do": "cancel"}).status == 404
    assert manager.get(f"{path(request)}/manage").status == 303
    assert manager.location == path(request), "an outdated form leads back to the request"


def _buttons(page: Answer) -> list[tuple[str, str]]:
    from tests.support.forms import _Forms

    parser = _Forms()
    parser.feed(page.text)
    found: list[Any] = [button for form in parser.forms for button in form.buttons]
    return found
