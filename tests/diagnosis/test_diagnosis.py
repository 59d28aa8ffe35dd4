"""The spec's "Troubleshooting", asked about real requests: mail not sent, reply not processed, flow not resumed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.delivery.retries import RESUME
from flow_hitl.platform import aws
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, assert_problem, callback
from tests.support.aws_answers import ACCOUNT, DENIED, IDENTITY, answering, ses_says
from tests.support.aws_calls import new_process, unsettled, watched
from tests.support.outages import kms_away
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import hook

MAIL, REPLY, FLOW = "mail_not_sent", "reply_not_processed", "flow_not_resumed"


class Question:
    """One of the three questions about a request, as it is answered now."""

    def __init__(self, hitl: Hitl, request: AskedRequest, name: str) -> None:
        answer = hitl.api("GET", f"/v1/requests/{request.id}/diagnosis")
        assert answer.status == 200, answer.text
        diagnosis = answer.json["diagnosis"]
        assert diagnosis["request_id"] == request.id
        assert [one["question"] for one in diagnosis["questions"]] == [MAIL, REPLY, FLOW]
        (found,) = [one for one in diagnosis["questions"] if one["question"] == name]
        self.status, self.findings = found["status"], found["findings"]
        for finding in self.findings:
            assert finding["status"] in ("ok", "problem", "info")
            assert finding["next_step"] or finding["status"] != "problem", "a problem comes with what to do"

    def problem(self, *words: str) -> str:
        """Return the next step of the one problem, of which the fact has these words."""
        (found,) = [finding for finding in self.findings if finding["status"] == "problem"]
        assert all(word in found["fact"] for word in words), found["fact"]
        return str(found["next_step"])

    def says(self, *words: str) -> bool:
        return any(all(word in finding["fact"] for word in words) for finding in self.findings)


@contextmanager
def stuck(hitl: Hitl, minutes: float = 5) -> Iterator[AskedRequest]:
    """Open a request of which nothing follows for a while."""
    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
        hitl.clock.sleep(minutes * 60)
        yield request


def dead_letter(queue: str) -> None:
    url = current().settings.dead_letter_queue_url(queue)
    aws.client("sqs").send_message(QueueUrl=url, MessageBody="{}")


# --- 1. the mail was not sent


def test_a_request_that_is_well_has_no_problem(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    assert Question(hitl, request, MAIL).status == "ok"
    assert Question(hitl, request, REPLY).status == "waiting"
    assert Question(hitl, request, FLOW).status == "waiting"
    hitl.reply("approved")
    answered = Question(hitl, request, REPLY)
    assert answered.status == "ok"
    assert answered.says('"approved"', "creator@example.com", "email")


def test_mails_that_are_off(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = hitl.ask(emit=EMIT)
    mail = Question(hitl, request, MAIL)
    assert mail.status == "problem"
    assert "Turn on email_notifications" in mail.problem("Email notifications were off")
    assert Question(hitl, request, REPLY).says("No email has been sent")
    hitl.configure(settings={"email_notifications": True})
    assert "on now" in Question(hitl, request, MAIL).problem("Email notifications were off")


def test_a_rule_that_does_not_match_leaves_the_deployment_creator(hitl: Hitl) -> None:
    hitl.configure(rules=[{"name": "Pay", "match": {"method_name": "pay_*"}, "assign_to_email": "cfo@example.com"}])
    mail = Question(hitl, hitl.ask(method_name="approve_payment"), MAIL)
    (routing,) = [finding for finding in mail.findings if "creator@example.com was asked" in finding["fact"]]
    assert "no routing rule matches approve_payment" in routing["fact"]
    assert f"/v1/deployments/{hitl.deployment_id}/routing-rules/dry-run" in routing["next_step"]
    assert Question(hitl, hitl.ask(method_name="pay_bill"), MAIL).says("cfo@example.com was asked", '"Pay"')


def test_an_address_where_mail_bounced(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email="gone@example.com")
    hitl.bounce(request, "gone@example.com")
    mail = Question(hitl, request, MAIL)
    assert "flow-hitl mail allow gone@example.com" in mail.problem("gone@example.com did not arrive", "Permanent")
    assert mail.says("creator@example.com was asked in place of gone@example.com")


def test_a_creator_who_gets_no_mail_any_more(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.bounce(request, "creator@example.com", "Complaint")
    mail = Question(hitl, request, MAIL)
    assert mail.status == "problem"
    assert mail.says("creator@example.com no longer gets email", "reported as spam")
    assert all(finding["next_step"] for finding in mail.findings if finding["status"] == "problem")


def test_a_mail_that_is_still_on_its_way(hitl: Hitl) -> None:
    with stuck(hitl, minutes=1) as request:
        mail = Question(hitl, request, MAIL)
    assert mail.status == "waiting"
    assert mail.says("creator@example.com is on its way")


@pytest.mark.parametrize(
    ("account", "identity", "words", "step"),
    [
        ({"ProductionAccessEnabled": False}, {}, "sandbox", "verify creator@example.com"),
        ({"SendingEnabled": False}, {}, "paused sending", "SES console"),
        ({"EnforcementStatus": "SHUTDOWN"}, {}, "paused sending", "SES console"),
        ({"SendQuota": {"Max24HourSend": 200.0, "SentLast24Hours": 200.0}}, {}, "200 of 200", "larger quota"),
        ({}, {"VerifiedForSendingStatus": False}, "not verified hitl.test", "DNS records"),
    ],
)
def test_what_keeps_ses_from_sending(
    hitl: Hitl, account: dict[str, Any], identity: dict[str, Any], words: str, step: str
) -> None:
    with stuck(hitl) as request, ses_says(ACCOUNT | account, IDENTITY | identity):
        mail = Question(hitl, request, MAIL)
    assert mail.status == "problem"
    assert mail.says("No email has gone to creator@example.com")
    (found,) = [finding for finding in mail.findings if words in finding["fact"]]
    assert found["status"] == "problem"
    assert step in found["next_step"]


def test_ses_that_is_ready_is_not_to_blame(hitl: Hitl) -> None:
    unlimited = {"SendQuota": {"Max24HourSend": -1.0, "SentLast24Hours": 7.0}}
    with stuck(hitl) as request, ses_says(ACCOUNT | unlimited):
        dead_letter("email")
        mail = Question(hitl, request, MAIL)
    assert mail.says("SES sends email from hitl.test", "7 of any number")
    (found,) = [finding for finding in mail.findings if "dead-letter queue of email" in finding["fact"]]
    assert "flow-hitl redrive email" in found["next_step"]


def test_ses_that_cannot_be_asked_is_said_and_no_failure(hitl: Hitl) -> None:
    with stuck(hitl) as request, answering(("sesv2", "GetAccount"), 403, DENIED):
        mail = Question(hitl, request, MAIL)
    assert mail.status == "problem"
    assert mail.says("SES could not be asked", "AccessDeniedException")


def test_a_webhook_that_could_not_be_told_is_named_with_its_redelivery(hitl: Hitl) -> None:
    with receiving() as app:
        app.status = 500
        made = hook(hitl, app.url)
        request = hitl.ask(emit=EMIT)
    mail = Question(hitl, request, MAIL)
    (found,) = [finding for finding in mail.findings if 'webhook "Jira"' in finding["fact"]]
    assert "HTTP 500" in found["fact"]
    path = f"/v1/deployments/{hitl.deployment_id}/webhooks/{made.id}/deliveries/{made.deliveries[0]['id']}/redeliver"
    assert f"POST {path}" in found["next_step"]
    assert mail.status == "ok", "the mail was sent all the same"


def test_a_group_of_which_one_is_not_reached(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": ["a@example.com", "b@example.com"]}]})
    request = hitl.ask(emit=EMIT, assigned_to_email="group:finance")
    hitl.bounce(request, "b@example.com")
    mail = Question(hitl, request, MAIL)
    assert mail.says("accepted the email to a@example.com.")
    mail.problem("b@example.com did not arrive")


def test_a_request_that_was_closed_before_its_mail(hitl: Hitl) -> None:
    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
        hitl.api("DELETE", f"/v1/requests/{request.id}")
    assert Question(hitl, request, MAIL).status == "not_applicable"


# --- 2. the reply was not processed


def test_a_reply_from_another_address(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved", sender="creator@home.example")
    reply = Question(hitl, request, REPLY)
    assert reply.status == "problem"
    step = reply.problem("creator@home.example", "its sender is not the assignee", "DMARC PASS")
    assert (f"flow-hitl member set {hitl.deployment_id} creator@example.com --alias creator@home.example") in step


def test_a_command_to_copy_cannot_be_made_by_a_stranger(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.reply("approved", sender="a`reboot`$b@evil.example")
    assert "--alias 'a`reboot`$b@evil.example'" in Question(hitl, request, REPLY).problem("evil.example")


@pytest.mark.parametrize(
    ("text", "verdicts", "words", "step"),
    [
        ("maybe", {}, "does not match an emit option", "free_text"),
        ("", {}, "no text above the quoted email", "at the very top"),
        ("approved", {"dmarc": "FAIL"}, "DMARC failed", "review page"),
        ("approved", {"dmarc": "GRAY", "spf": "FAIL"}, "SPF FAIL, DKIM PASS, DMARC GRAY", "review page"),
        ("delegate: bob@example.com", {}, "delegates the request", "allow_delegation"),
    ],
)
def test_a_reply_that_decides_nothing(hitl: Hitl, text: str, verdicts: dict[str, str], words: str, step: str) -> None:
    request = hitl.ask(emit=EMIT, free_text="ask_again")
    hitl.reply(text, verdicts=verdicts)
    assert step in Question(hitl, request, REPLY).problem(words)


def test_a_reply_after_the_token_has_expired(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.advance(days=8)
    assert "reply_token_days" in Question(hitl, request, REPLY).problem("expired at 2026-01-21T12:00:00Z")
    hitl.reply("approved")
    assert "its address is valid" in Question(hitl, request, REPLY).problem("its reply address had expired")


@pytest.mark.parametrize(
    ("verdicts", "headers", "words", "step"),
    [
        ({"spam": "FAIL"}, {}, "spam check failed", "review page"),
        ({"virus": "FAIL"}, {}, "virus check failed", "without attachments"),
        ({}, {"Auto-Submitted": "auto-replied"}, "automatic: Auto-Submitted", "reassign"),
    ],
)
def test_a_mail_that_was_discarded(
    hitl: Hitl, verdicts: dict[str, str], headers: dict[str, str], words: str, step: str
) -> None:
    other, request = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
    hitl.reply("approved", verdicts=verdicts, headers=headers)
    assert step in Question(hitl, request, REPLY).problem("was discarded", words)
    assert Question(hitl, other, REPLY).status == "waiting"


def test_a_reply_of_somebody_who_no_longer_has_the_request(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email="old@example.com")
    body = {"assigned_to_email": "new@example.com"}
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", body)
    hitl.reply("approved", to=hitl.inbox[0])
    assert request.status == "pending"
    assert "The new assignee" in Question(hitl, request, REPLY).problem("no longer has the request")


def test_a_reply_that_came_too_late_explains_and_is_no_problem(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request, "rejected")
    hitl.reply("approved")
    reply = Question(hitl, request, REPLY)
    assert reply.status == "ok"
    assert reply.says('answered "rejected"', "by api")
    assert reply.says("the request was answered before")


def test_a_reply_to_a_cancelled_request(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    hitl.reply("approved")
    reply = Question(hitl, request, REPLY)
    assert reply.status == "not_applicable"
    assert reply.says("cancelled at")


def test_somebody_who_may_not_approve_their_own_request(hitl: Hitl) -> None:
    hitl.configure(settings={"forbid_self_approval": True})
    request = hitl.ask(emit=EMIT, metadata={"requested_by": "creator@example.com"})
    assert "Reassign" in Question(hitl, request, REPLY).problem("creator@example.com asked for the request")


def test_replies_that_nobody_could_read_rest_in_a_dead_letter_queue(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    dead_letter("inbound_mail")
    assert "flow-hitl redrive inbound-mail" in Question(hitl, request, REPLY).problem("1 message rests")


@pytest.mark.parametrize("queue", ["deadline", "schedules"])
def test_a_deadline_that_nobody_kept(hitl: Hitl, queue: str) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 5, "default_outcome": "rejected"})
    with unsettled(hitl):
        hitl.clock.sleep(8 * 60)
        asked = Question(hitl, request, REPLY)
        dead_letter(queue)
        rests = Question(hitl, request, REPLY)
    assert "function deadline" in asked.problem('The auto-response "rejected" was due at 2026-01-14T12:05:00Z')
    (found,) = [finding for finding in rests.findings if "1 message rests" in finding["fact"]]
    assert f"flow-hitl redrive {queue}" in found["next_step"]


def test_a_reminder_that_did_not_come(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}], "sla_target_minutes": 10})
    request = hitl.ask(emit=EMIT)
    with unsettled(hitl):
        hitl.clock.sleep(8 * 60)
        asked = Question(hitl, request, MAIL)
        assert "function deadline" in asked.problem("The reminder that was due at 2026-01-14T12:05:00Z has not come")
        dead_letter("deadline")
        assert Question(hitl, request, MAIL).says("1 message rests in the dead-letter queue of deadline")
    hitl.advance(seconds=1)
    assert not Question(hitl, request, MAIL).says("The reminder")


def test_an_email_of_which_no_event_tells(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    with unsettled(hitl):
        hitl.reply("approved")
        hitl._work_queue("inbound_mail")
        assert request.status == "responded"
        assert Question(hitl, request, MAIL).status == "ok"
        hitl.clock.sleep(3 * 60)
        asked = Question(hitl, request, MAIL)
        assert "function send_email" in asked.problem('The email "confirm" that follows from event 3')
        dead_letter("email")
        assert Question(hitl, request, MAIL).says("1 message rests in the dead-letter queue of email")
    hitl.advance(seconds=1)
    assert Question(hitl, request, MAIL).status == "ok"


def test_a_receipt_that_nobody_signed(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    with unsettled(hitl):
        callback(hitl, request)
        hitl.clock.sleep(3 * 60)
        assert Question(hitl, request, FLOW).says("The receipt of the decision has not been signed")


def test_a_bounce_that_nobody_took_in(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    dead_letter("mail_feedback")
    assert "flow-hitl redrive mail-feedback" in Question(hitl, request, REPLY).problem("1 message rests")


def test_a_webhook_that_was_not_told(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hook(hitl, "https://hooks.example.com/")
    hitl.advance(minutes=5)
    dead_letter("webhook")
    asked = Question(hitl, request, MAIL)
    assert "flow-hitl redrive webhook" in asked.problem("1 message rests in the dead-letter queue of webhook")


# --- 3. the flow was not resumed


@pytest.fixture
def flow() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_a_flow_that_took_the_answer(hitl: Hitl, flow: Receiver) -> None:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    callback(hitl, request)
    answered = Question(hitl, request, FLOW)
    assert answered.status == "ok"
    assert answered.says("Attempt 1 to deliver the answer", "HTTP 200")


def test_a_flow_that_refuses_the_answer(hitl: Hitl, flow: Receiver) -> None:
    flow.status = 500
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    callback(hitl, request)
    answered = Question(hitl, request, FLOW)
    assert answered.says("HTTP 500")
    assert "2xx" in answered.problem("the next attempt is at about 2026-01-14T12:00:05Z")


def test_a_flow_that_was_given_up(hitl: Hitl, flow: Receiver) -> None:
    flow.status = 500
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    callback(hitl, request)
    hitl.advance(seconds=sum(RESUME.pauses) + 300)
    answered = Question(hitl, request, FLOW)
    assert answered.status == "problem"
    steps = [finding["next_step"] for finding in answered.findings if finding["status"] == "problem"]
    assert len(steps) == 2
    assert all("flow-hitl redrive resume" in step for step in steps)
    assert answered.says(f"accepted the answer in none of {RESUME.attempts} attempts")
    assert answered.says("more and more seldom, for two weeks")
    assert answered.says("1 message rests in the dead-letter queue of resume")


def test_an_answer_that_was_never_sent_to_the_flow(hitl: Hitl, flow: Receiver) -> None:
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    with unsettled(hitl):
        callback(hitl, request)
        assert Question(hitl, request, FLOW).status == "waiting"
        hitl.clock.sleep(5 * 60)
        dead_letter("relay_retry")
        answered = Question(hitl, request, FLOW)
    assert answered.says("has not been sent to the resume_url")
    (found,) = [finding for finding in answered.findings if "relay_retry" in finding["fact"]]
    assert "flow-hitl redrive relay" in found["next_step"]


def test_an_answer_that_nobody_fetches(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.api("GET", f"/v1/requests/{request.id}?wait=1")
    hitl.api("GET", "/v1/decisions")
    hitl.advance(minutes=30)
    callback(hitl, request)
    assert Question(hitl, request, FLOW).status == "waiting"
    hitl.advance(minutes=5)
    answered = Question(hitl, request, FLOW)
    assert answered.status == "problem"
    assert answered.says("waited on at 2026-01-14T12:00:00Z", 'API key "tests" at 2026-01-14T12:00:01Z')
    assert "GET /v1/decisions?wait=20" in answered.problem("no resume_url")


def test_an_answer_that_nobody_has_ever_polled_for(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    hitl.advance(minutes=5)
    Question(hitl, request, FLOW).problem("no one has waited on the request or polled the decisions feed")


@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/requests/{}?wait=1"])
def test_an_answer_that_somebody_fetched(hitl: Hitl, path: str) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    hitl.advance(minutes=5)
    hitl.api("GET", path.format(request.id))
    hitl.advance(minutes=30)
    answered = Question(hitl, request, FLOW)
    assert answered.status == "ok"
    assert answered.says("The outcome has not been reported")


def test_a_flow_that_waits_in_place_is_known_to_have_its_answer(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.api("GET", f"/v1/requests/{request.id}?wait=20")
    hitl.advance(seconds=50)
    callback(hitl, request)
    hitl.advance(minutes=30)
    assert Question(hitl, request, FLOW).status == "ok"


def test_a_worker_of_another_deployment_says_nothing(hitl: Hitl) -> None:
    from tests.support.asserts import key_of_another_deployment

    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    hitl.api("GET", "/v1/decisions", key=key_of_another_deployment())
    hitl.advance(minutes=5)
    assert Question(hitl, request, FLOW).status == "problem"


@pytest.mark.parametrize(
    ("status", "expected", "words"),
    [("resumed", "ok", "resumed"), ("paused_again", "ok", "paused again"), ("resume_failed", "problem", "no such row")],
)
def test_what_the_flows_side_reported_counts(hitl: Hitl, status: str, expected: str, words: str) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    body = {"status": status, "detail": "no such row" if status == "resume_failed" else None}
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", body)
    hitl.advance(minutes=30)
    answered = Question(hitl, request, FLOW)
    assert answered.status == expected
    assert answered.says(words)


def test_a_claim_that_nothing_followed_is_told_from_a_flow_that_went_on(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    callback(hitl, request)
    body = {"status": "resumed", "once": True}
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", body)
    assert Question(hitl, request, FLOW).says("claimed the resumption", "has reported nothing since")
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": "resumed"})
    assert Question(hitl, request, FLOW).says("reported", "that the flow resumed")


def test_a_request_that_waits_for_its_answer_says_when_the_clock_gives_one(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    assert Question(hitl, request, FLOW).says("has not been answered", '2026-01-14T13:00:00Z: "rejected"')


@pytest.mark.parametrize("kind", ["test", "cancelled"])
def test_where_no_flow_waits(hitl: Hitl, kind: str) -> None:
    if kind == "test":
        path = f"/v1/deployments/{hitl.deployment_id}/test-request"
        request = AskedRequest(hitl.api("POST", path, {"to": "a@example.com"}).json["request"]["id"], "", hitl)
        hitl.reply("it works")
        assert Question(hitl, request, REPLY).says("The test worked")
    else:
        request = hitl.ask(emit=EMIT)
        hitl.api("DELETE", f"/v1/requests/{request.id}")
    assert Question(hitl, request, FLOW).status == "not_applicable"


# --- what it costs, and whom it answers


def test_it_asks_no_more_than_can_matter(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)

    def calls() -> list[str]:
        Question(hitl, request, MAIL)
        with watched(hitl) as watching:
            Question(hitl, request, MAIL)
        return watching.operations

    read = ["dynamodb.Query", "dynamodb.GetItem", "dynamodb.Query"]
    pending = ["dynamodb.BatchGetItem", "dynamodb.Query", *["sqs.GetQueueAttributes"] * 2]
    assert calls() == [*read, *pending], (
        "the key, the head, the timeline; suppressions, discards, dead replies, bounces"
    )
    hitl.reply("approved")
    assert calls() == [*read, "dynamodb.Query", "dynamodb.GetItem"], "who polled"
    hitl.api("POST", f"/v1/requests/{request.id}/resume-status", {"status": "resumed"})
    assert calls() == read


def test_polls_are_noted_once_a_minute(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    new_process()
    for path in ("/v1/decisions", f"/v1/requests/{request.id}?wait=1"):
        hitl.api("GET", path)
        with watched(hitl) as calls:
            hitl.api("GET", path)
            hitl.clock.sleep(50)
        assert "dynamodb.PutItem" not in calls.operations
        hitl.clock.sleep(10)
        with watched(hitl) as calls:
            hitl.api("GET", path)
        assert calls.operations.count("dynamodb.PutItem") == 1


def test_a_look_without_waiting_is_no_poll(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    with watched(hitl) as calls:
        hitl.api("GET", f"/v1/requests/{request.id}")
    assert "dynamodb.PutItem" not in calls.operations


@pytest.mark.parametrize("name", ["x", "0192f0c1-7e11-7abc-8def-0123456789ab"])
def test_what_is_not_there_is_not_found(hitl: Hitl, name: str) -> None:
    assert_problem(hitl.api("GET", f"/v1/requests/{name}/diagnosis"), 404, "not-found")


def test_a_signed_url_in_a_finding_would_be_a_leak_and_there_is_none(hitl: Hitl, flow: Receiver) -> None:
    flow.status = 500
    request = hitl.ask(emit=EMIT, resume_url=flow.url)
    callback(hitl, request)
    text = hitl.api("GET", f"/v1/requests/{request.id}/diagnosis").text
    assert urlsplit(flow.url).netloc not in text
    assert "/review/" not in text


@pytest.mark.parametrize("push", [True, False])
def test_a_receipt_that_is_not_signed_is_named_with_what_to_do(hitl: Hitl, push: bool) -> None:
    with receiving() as flow, kms_away(hitl):
        request = hitl.ask(emit=EMIT, receipt=True, **({"resume_url": flow.url} if push else {}))
        callback(hitl, request)
        assert Question(hitl, request, FLOW).says("about to be signed")
        hitl.clock.sleep(180)
        if not push:
            hitl.api("GET", f"/v1/requests/{request.id}?wait=1")
        assert "sign_receipt" in Question(hitl, request, FLOW).problem("has not been signed")
    hitl.advance(minutes=10)
    assert not Question(hitl, request, FLOW).says("has not been signed")
    assert request.response["receipt"]


def test_a_receipt_that_was_given_up_is_found_in_its_dead_letter_queue(hitl: Hitl) -> None:
    with kms_away(hitl):
        request = hitl.ask(emit=EMIT, receipt=True)
        callback(hitl, request)
        dead_letter("receipt")
        assert Question(hitl, request, FLOW).says("dead-letter queue of receipt")
