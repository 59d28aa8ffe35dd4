"""The main path on the local stack, seen from outside: a flow asks, a person answers, the flow goes on."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import requests

from flow_hitl_client import signature
from infra.local.patience import HANG_SECONDS
from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address
from tests.support.receiver import Received, Receiver, receiving

pytestmark = pytest.mark.e2e

WAIT_SECONDS = 20
# A slow machine may take longer for a call now and then than a poll waits; not each time.
TRIES = 5
DMARC_FAIL = json.dumps({"dmarcVerdict": {"status": "FAIL"}})


@pytest.fixture(scope="module")
def flow() -> Iterator[Receiver]:
    """The HTTP server of the flows."""
    with receiving() as receiver:
        yield receiver


class Page(HTMLParser):
    """The links, the buttons and the words of an HTML page or mail."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.buttons: list[tuple[str, str]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"] or "")
        if tag == "button" and "name" in found:
            self.buttons.append((found["name"] or "", found["value"] or ""))

    def handle_data(self, data: str) -> None:
        self.words += data


def resumption(flow: Receiver, request_id: str) -> Received:
    """Return the one POST that resumes a request's flow, when it has come."""

    def posts() -> list[Received]:
        return [post for post in flow.received if post.headers["idempotency-key"] == request_id]

    (post,) = eventually(posts, "the resumption")
    return post


def press(mailto: str, comment: str = "") -> EmailMessage:
    """Return the mail that a mail program opens for a `mailto:` link, with a comment written below what is there."""
    link = urlsplit(mailto)
    prefilled = {name: values[0] for name, values in parse_qs(link.query.replace("+", "%2B")).items()}
    mail = EmailMessage()
    mail["To"], mail["Subject"] = unquote(link.path), prefilled["subject"]
    mail.set_content(prefilled["body"] + comment)
    return mail


# --- by mail


def test_a_flow_asks_a_person_answers_by_mail_and_the_flow_goes_on(local: LocalClient, flow: Receiver) -> None:
    ana = fresh_address("ana")
    request = local.ask(
        assigned_to_email=ana,
        message="Ist der Preis richtig?",
        output="# Angebot\n\nNur **9 €** im Monat.",
        state={"campaign": "Frühling", "price": 9},
        metadata={"run": 7},
        resume_url=flow.url,
    )["request"]
    assert (request["status"], request["assigned_to_email"], request["assigned_by"]) == ("pending", ana, "request")

    # She gets a mail that says who asks, for what and why her, and that offers each option as a prefilled reply.
    mail = local.wait_for_mail(ana)
    token, _, domain = mail["reply_to"].partition("@")
    assert domain == local.credentials.inbound_domain
    assert len(token) <= 64, "a local part may not be longer"
    assert local.mail(mail)["Auto-Submitted"] == "auto-generated"
    text, page = local.text_of(mail), Page(local.text_of(mail, "html"))
    for shown in ("ContentApprovalFlow", "Review content", "Ist der Preis richtig?", "9 €", "Frühling", ana):
        assert shown in text
        assert shown in page.words
    assert local.review_link(mail) in page.links
    approve, reject = (link for link in page.links if link.startswith("mailto:"))
    assert press(approve)["To"] == press(reject)["To"] == mail["reply_to"]
    assert press(approve).get_content().splitlines()[0] == "approved"
    assert press(reject).get_content().splitlines()[0] == "rejected"

    # She presses a button, writes a line below it and sends the mail.
    reply = press(reject, comment="Es sind 10 €.\n")
    local.send(ana, reply["To"], reply.get_content(), subject=reply["Subject"])

    # The flow's own server is called once, and can tell that it is us.
    post = resumption(flow, request["id"])
    signature.verify(
        local.credentials.resume_signing_secret,
        post.body,
        signature=post.headers["x-signature"],
        timestamp=post.headers["x-timestamp"],
    )
    pushed = json.loads(post.body)
    assert pushed["event"] == "response_submitted"
    assert (pushed["request"]["state"], pushed["request"]["metadata"]) == (request["state"], request["metadata"])
    response = pushed["request"]["response"]
    assert (response["outcome"], response["feedback"], response["comment"]) == ("rejected", "rejected", "Es sind 10 €.")
    assert (response["responded_via"], response["responder"], response["responder_verified"]) == ("email", ana, True)

    # She is told, the flow reports that it went on, and all of it stands on the timeline.
    confirmation = local.wait_for_mail(ana, after=1)
    assert confirmation["subject"].startswith("Recorded: Rejected")
    assert "Es sind 10 €." in local.text_of(confirmation)
    delivered = eventually(lambda: _resumed(local, request["id"], "delivered"), "the delivery on record")
    assert delivered["response"] == response
    assert delivered["resume"] == {"status": "delivered", "attempts": 1, "last_status": 200}
    reported = local.call("POST", f"/v1/requests/{request['id']}/resume-status", {"status": "resumed"})
    assert reported.json()["request"]["resume"]["status"] == "resumed"
    local.wait_for_event(request["id"], "confirmation_sent")
    timeline = local.timeline(request["id"])
    kinds = [event["kind"] for event in timeline]
    assert kinds[:3] == ["request_created", "notification_sent", "response_submitted"]
    assert sorted(kinds[3:]) == ["confirmation_sent", "resume_attempted", "resume_reported"]
    assert [event["seq"] for event in timeline] == [1, 2, 3, 4, 5, 6]
    assert [event["prev_hash"] for event in timeline[1:]] == [event["hash"] for event in timeline[:-1]]


def _resumed(local: LocalClient, request_id: str, status: str) -> dict[str, Any] | None:
    request = local.request(request_id)
    return request if request["resume"] and request["resume"]["status"] == status else None


def test_a_flow_that_names_nobody_asks_its_deployments_creator(local: LocalClient) -> None:
    manager = local.credentials.manager_email
    request = local.ask(message="Who is asked? 8d1c")["request"]
    assert (request["assigned_to_email"], request["assigned_by"]) == (manager, "deployment_creator")
    local.wait_for_event(request["id"], "notification_sent")
    assert any("8d1c" in local.text_of(mail) for mail in local.mails(manager))


def test_words_that_are_no_option_go_to_the_flow_as_feedback(local: LocalClient) -> None:
    bob = fresh_address("bob")
    request = local.ask(assigned_to_email=bob)["request"]
    local.send(bob, local.wait_for_mail(bob)["reply_to"], "Shorter, please.\nAnd no exclamation marks.\n")
    response = local.response(request["id"])
    assert response["outcome"] is None
    assert (response["feedback"], response["comment"]) == ("Shorter, please.", "And no exclamation marks.")


def test_a_forged_mail_decides_nothing_and_only_the_assignee_is_told(local: LocalClient, flow: Receiver) -> None:
    eve, mallory = fresh_address("eve"), fresh_address("mallory")
    request = local.ask(assigned_to_email=eve, resume_url=flow.url)["request"]
    reply_to = local.wait_for_mail(eve)["reply_to"]

    # In her name, but her domain says that it is not from there.
    local.send(eve, reply_to, "approved\n", envelope_from=mallory, X_Local_Verdicts=DMARC_FAIL)
    told = local.wait_for_mail(eve, after=1)
    assert "Please confirm your answer" in told["subject"]
    assert local.review_link(told), "the page is what still works"

    # In his own name, proven: he is just not the one who was asked.
    local.send(mallory, reply_to, "approved\n")
    told = local.wait_for_mail(eve, after=2)
    assert "another address" in told["subject"]
    assert mallory in local.text_of(told)

    assert local.request(request["id"])["status"] == "pending"
    local.wait_for_event(request["id"], "error_mail_sent", count=2)
    rejected = [event for event in local.timeline(request["id"]) if event["kind"] == "reply_rejected"]
    assert [event["data"]["reason"] for event in rejected] == ["sender_unproven", "sender_mismatch"]
    assert local.mails(mallory) == []

    # Her own answer still counts.
    local.send(eve, reply_to, "rejected\n")
    assert json.loads(resumption(flow, request["id"]).body)["request"]["response"]["outcome"] == "rejected"


def test_mail_to_addresses_that_we_did_not_issue_is_only_noted(local: LocalClient) -> None:
    fay = fresh_address("fay")
    request = local.ask(assigned_to_email=fay)["request"]
    token, _, domain = local.wait_for_mail(fay)["reply_to"].partition("@")
    altered = token[:30] + ("a" if token[30] != "a" else "b") + token[31:]
    for local_part in ("nobody", altered, token[:-1]):
        refused = local.send(fay, f"{local_part}@{domain}", "approved\n", envelope_from=fay)
        assert refused == {}, "SES takes any recipient"

    eventually(lambda: len(_discarded_from(local, fay)) == 3, "three discards on record")
    assert local.kinds(request["id"]) == ["request_created", "notification_sent"]
    assert len(local.mails(fay)) == 1, "an answer would tell a stranger which addresses exist"


def _discarded_from(local: LocalClient, sender: str) -> list[str]:
    """Return why mails of an envelope sender were discarded, as an operator looks it up."""
    pages = local.aws("dynamodb").get_paginator("scan").paginate(TableName=local.operator.outputs["RequestsTable"])
    rows = [row for page in pages for row in page["Items"] if row["pk"]["S"].startswith("discards#")]
    return [row["reason"]["S"] for row in rows if sender in row["details"]["S"]]


# --- on the review page


def test_the_review_page_shows_the_request_and_takes_one_answer(local: LocalClient, flow: Receiver) -> None:
    gil = fresh_address("gil")
    request = local.ask(assigned_to_email=gil, state={"campaign": "Spring"}, resume_url=flow.url)["request"]
    link = local.review_link(local.wait_for_mail(gil))

    # Mail scanners open links, more than once; that decides nothing.
    for method in ("HEAD", "GET", "GET"):
        opened = requests.request(method, link, timeout=HANG_SECONDS)
        assert (opened.status_code, opened.headers["Cache-Control"]) == (200, "no-store")
    page = Page(opened.text)
    assert page.buttons == 2 * [("outcome", "approved"), ("outcome", "rejected")], "below the output, and in the bar"
    for shown in ("Please review this:", "Hello", "Spring", gil):
        assert shown in page.words
    assert local.request(request["id"])["status"] == "pending"

    form = {"outcome": "approved", "comment": "Schön!\r\nWirklich."}
    thanks = web.post(link, form, headers={"Sec-Fetch-Site": "same-origin"})
    assert "Thank you" in Page(thanks.text).words
    response = json.loads(resumption(flow, request["id"]).body)["request"]["response"]
    assert (response["outcome"], response["comment"]) == ("approved", "Schön!\nWirklich.")
    assert (response["responded_via"], response["responder"]) == ("dashboard", gil)

    for again in (
        web.post(link, {"outcome": "rejected"}),
        web.get(link),
    ):
        words = Page(again.text).words
        assert "Already answered" in words
        assert "Approved" in words
        assert "rejected" not in words
    assert local.kinds(request["id"]).count("response_submitted") == 1


def test_an_altered_review_link_shows_nothing(local: LocalClient) -> None:
    hal = fresh_address("hal")
    request = local.ask(assigned_to_email=hal, message="Secret 4711")["request"]
    link = local.review_link(local.wait_for_mail(hal))
    for wrong in (link[:-1] + ("A" if link[-1] != "A" else "B"), link[:-5], f"{local.credentials.base_url}/review/x"):
        for answer in (
            web.get(wrong),
            web.post(wrong, {"outcome": "approved"}),
        ):
            assert answer.status_code == 401
            assert "Secret 4711" not in answer.text
    assert local.request(request["id"])["status"] == "pending"


# --- by API


def test_another_application_answers_by_the_callback_url(local: LocalClient) -> None:
    created = local.ask(assigned_to_email=fresh_address("ida"))
    url = created["callback_url"]
    answer = {"feedback": "Rejected!\ntoo long", "source": "slack", "responder": "ida"}

    accepted = web.post(url, json=answer)
    assert (accepted.status_code, accepted.json()["status"]) == (200, "accepted")
    response = accepted.json()["request"]["response"]
    assert (response["outcome"], response["feedback"], response["comment"]) == ("rejected", "Rejected!", "too long")
    assert (response["responded_via"], response["source"]) == ("api", "slack")
    assert (response["responder"], response["responder_verified"]) == ("ida", False)

    assert web.post(url, json=answer).status_code == 200, "the same again is no mistake"
    other = web.post(url, json={"feedback": "approved"})
    assert (other.status_code, other.headers["Content-Type"]) == (409, "application/problem+json")
    problem = other.json()
    assert problem["type"] == "urn:flow-hitl:problem:already-responded"
    assert (problem["responded_via"], problem["outcome"]) == ("api", "rejected")
    assert problem["responded_at"] == response["responded_at"]
    altered = web.post(url[:-1] + ("A" if url[-1] != "A" else "B"), json=answer)
    assert (altered.status_code, altered.json()["type"]) == (401, "urn:flow-hitl:problem:unauthorized")
    assert local.kinds(created["request"]["id"]).count("response_submitted") == 1


# --- flows that wait or ask


def test_a_long_poll_returns_the_moment_the_answer_comes(local: LocalClient) -> None:
    created = local.ask(assigned_to_email=fresh_address("jo"))
    request_id = created["request"]["id"]
    before = time.monotonic()
    assert local.request(request_id, wait=1)["status"] == "pending"
    assert time.monotonic() - before >= 1

    assert any(_poll_returns_with_the_answer(local) for _ in range(TRIES))

    web.post(created["callback_url"], json={"feedback": "approved"}).raise_for_status()
    assert any(_poll(local, request_id) < WAIT_SECONDS for _ in range(TRIES)), "once it is answered nobody waits"


def _poll_returns_with_the_answer(local: LocalClient) -> bool:
    """Tell whether a poll that began before the answer has ended before its wait was over."""
    created = local.ask(assigned_to_email=fresh_address("jo"))
    request_id = created["request"]["id"]
    with ThreadPoolExecutor() as executor:
        poll = executor.submit(_poll, local, request_id)
        assert local.request(request_id)["status"] == "pending"
        waited = not poll.done()
        web.post(created["callback_url"], json={"feedback": "approved"}).raise_for_status()
        return poll.result() < WAIT_SECONDS and waited


def _poll(local: LocalClient, request_id: str) -> float:
    """Wait for the answer to a request, and return the seconds that it took."""
    began = time.monotonic()
    request = local.request(request_id, wait=WAIT_SECONDS)
    taken = time.monotonic() - began
    assert request["status"] == "responded" or taken >= WAIT_SECONDS
    return taken


def test_one_worker_serves_many_flows_by_the_decisions_feed(local: LocalClient) -> None:
    created = [local.ask(assigned_to_email=fresh_address("kim")) for _ in range(2)]
    first, second = (each["request"]["id"] for each in created)
    cursor, before = _read_feed(local, None)
    assert not {first, second} & {request["id"] for request in before}
    web.post(created[1]["callback_url"], json={"feedback": "rejected"}).raise_for_status()
    web.post(created[0]["callback_url"], json={"feedback": "approved"}).raise_for_status()

    cursor, decided = _read_feed(local, cursor)
    mine = [request for request in decided if request["id"] in (first, second)]
    assert [(request["id"], request["response"]["outcome"]) for request in mine] == [
        (second, "rejected"),
        (first, "approved"),
    ]

    assert any(_waiting_call_returns_with_the_next_decision(local) for _ in range(TRIES))


def _waiting_call_returns_with_the_next_decision(local: LocalClient) -> bool:
    """Tell whether no call to the feed has waited for its whole time until the decision came."""
    created = local.ask(assigned_to_email=fresh_address("kim"))
    cursor, _ = _read_feed(local, None)
    with ThreadPoolExecutor() as executor:
        poll = executor.submit(_wait_in_feed, local, cursor, created["request"]["id"])
        assert local.request(created["request"]["id"])["status"] == "pending"
        waited = not poll.done()
        web.post(created["callback_url"], json={"feedback": "approved"}).raise_for_status()
        return poll.result() < WAIT_SECONDS and waited


def _read_feed(local: LocalClient, cursor: str | None) -> tuple[str, list[dict[str, Any]]]:
    """Read the feed to its present end; return the cursor there and what came."""
    decided: list[dict[str, Any]] = []
    while True:
        answer = local.call("GET", "/v1/decisions?limit=100" + (f"&cursor={cursor}" if cursor else ""))
        assert answer.status_code == 200, answer.text
        page = answer.json()
        cursor = page["cursor"]
        if not page["decisions"]:
            return str(cursor), decided
        decided += page["decisions"]


def _wait_in_feed(local: LocalClient, cursor: str, request_id: str) -> float:
    """Wait for new decisions until that of one request is among them; return the seconds of the longest wait."""
    seen: list[str] = []
    longest = 0.0
    while request_id not in seen:
        began = time.monotonic()
        page = local.call("GET", f"/v1/decisions?cursor={cursor}&wait={WAIT_SECONDS}").json()
        longest = max(longest, time.monotonic() - began)
        seen, cursor = [request["id"] for request in page["decisions"]], page["cursor"]
    return longest


def test_a_cancelled_request_takes_no_answer_and_resumes_nothing(local: LocalClient, flow: Receiver) -> None:
    lea = fresh_address("lea")
    created = local.ask(assigned_to_email=lea, resume_url=flow.url)
    request_id = created["request"]["id"]
    mail = local.wait_for_mail(lea)

    for _ in range(2):
        cancelled = local.call("DELETE", f"/v1/requests/{request_id}")
        assert (cancelled.status_code, cancelled.json()["request"]["status"]) == (200, "cancelled")
    assert local.wait_for_mail(lea, after=1)["subject"].startswith("Cancelled: ")
    refused = web.post(created["callback_url"], json={"feedback": "approved"})
    assert refused.status_code == 409
    assert refused.json()["type"] == "urn:flow-hitl:problem:not-pending"
    assert refused.json()["request_status"] == "cancelled"
    link = local.review_link(mail)
    for page in (
        web.get(link),
        web.post(link, {"outcome": "approved"}),
    ):
        assert "cancelled" in Page(page.text).words
    local.send(lea, mail["reply_to"], "approved\n")
    assert "cancelled" in local.wait_for_mail(lea, after=2)["subject"]

    assert local.request(request_id, wait=20)["response"] is None
    local.wait_for_event(request_id, "error_mail_sent")
    assert local.kinds(request_id) == [
        "request_created", "notification_sent", "request_cancelled", "handled_mail_sent", "reply_rejected",
        "error_mail_sent",
    ]  # fmt: skip
    assert request_id not in [post.headers["idempotency-key"] for post in flow.received]


def test_an_answered_request_cannot_be_cancelled(local: LocalClient) -> None:
    created = local.ask(assigned_to_email=fresh_address("max"))
    web.post(created["callback_url"], json={"feedback": "approved"}).raise_for_status()
    refused = local.call("DELETE", f"/v1/requests/{created['request']['id']}")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:flow-hitl:problem:already-responded")
    assert local.request(created["request"]["id"])["status"] == "responded"


def test_a_flow_that_is_down_is_called_again(local: LocalClient) -> None:
    with receiving() as flow:
        flow.status = 503
        created = local.ask(assigned_to_email=fresh_address("nan"), resume_url=flow.url)
        request_id = created["request"]["id"]
        web.post(created["callback_url"], json={"feedback": "approved"}).raise_for_status()
        # Not when the call has come: the answer to it may still be on its way out.
        local.wait_for_event(request_id, "resume_attempted")
        flow.status = 204
        eventually(lambda: _resumed(local, request_id, "delivered"), "the second attempt")
        first, second = flow.received
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"] == request_id
    assert local.request(request_id)["resume"] == {"status": "delivered", "attempts": 2, "last_status": 204}
    attempts = [event["data"] for event in local.timeline(request_id) if event["kind"] == "resume_attempted"]
    assert [(attempt["attempt"], attempt["delivered"]) for attempt in attempts] == [(1, False), (2, True)]
