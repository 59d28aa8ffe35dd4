"""Every operation, with every fault at every AWS call that it leads to; then everybody tries again until all is quiet.

In the end all is as if nothing had gone wrong: one decision, the flow told, every mail and webhook sent as often as was
promised, the chains whole, the figures those of the log, nothing pending without an owner or a clock, no queue with
anything in it. What is sent twice at most is what a worker had sent when it failed, and could not say so.
"""

import copy
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import pytest

from flow_hitl.deployments.deployment import Permission
from flow_hitl.platform.times import rfc3339
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl, hitl_on_moto
from infra.local.hitl_fixture.stack import queue_url
from infra.routes import all_routes
from tests.support.asserts import EMIT, NEW
from tests.support.faults import (
    Fault,
    Outcome,
    Point,
    Struck,
    advance,
    let_fire,
    listed,
    measure,
    outcome,
    persistently,
    problems,
    settle,
    stored_events,
    striking,
    take_in,
    unnoted,
    until_quiet,
    wrongs_of,
)
from tests.support.forms import form_of
from tests.support.receiver import Receiver, receiving
from tests.support.slices import part
from tests.support.webhooks import ALL_EVENTS, Hook, hook

ANN, BOB, CREATOR = "ann@example.com", "bob@example.com", "creator@example.com"
OWN_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"
IN_AN_HOUR = {"timeout_minutes": 60, "default_outcome": "rejected"}


@dataclass
class Place:
    """What an operation finds: the stack, the flow's server, which gets the webhooks too, and what it is about."""

    hitl: Hitl
    app: Receiver
    hook: Hook
    request: AskedRequest | None = None
    browser: Browser | None = None
    names: dict[str, str] = field(default_factory=dict)
    target: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    away: int = 0
    said: Any = None

    @property
    def asked(self) -> AskedRequest:
        assert self.request
        return self.request

    @property
    def pages(self) -> Browser:
        assert self.browser
        return self.browser

    def api(self, method: str, path: str, body: Any = None, *, key: str | None = "own", **headers: str) -> Answer:
        """Call the API until it answers, under one idempotency key; `path` may name things of this place."""
        sent = {"Idempotency-Key": "the-call", **headers} if method == "POST" and key else headers
        answer = persistently(self.hitl, lambda: self.hitl.api(method, self.filled(path), body, key=key, headers=sent))
        assert answer.status < 300 or (method, answer.status) == ("DELETE", 404), answer.text
        return answer

    def filled(self, path: str) -> str:
        names = {"d": f"/v1/deployments/{self.hitl.deployment_id}", "w": self.hook.id, **self.names}
        return path.format(**names, id=self.request.id if self.request else "")


Step = Callable[[Place], object]


def _nothing(_place: Place) -> None:
    pass


@dataclass(frozen=True)
class Operation:
    """What is done, and what is there before."""

    act: Step
    prepare: Step = _nothing
    by_hand: bool = False
    """Whether a person does it anew where the answer was lost, so that it may be done twice."""


def asking(**fields: Any) -> Step:
    def ask(place: Place) -> None:
        asked = {"assigned_to_email": ANN, "resume_url": place.app.url, **fields}
        place.request = place.hitl.ask(emit=EMIT, **asked)

    return ask


def then(*steps: Step) -> Step:
    def do(place: Place) -> None:
        for step in steps:
            step(place)

    return do


def settings(**changes: Any) -> Step:
    return lambda place: place.hitl.configure(settings=changes)


# --- as a flow


def create(**fields: Any) -> Step:
    def act(place: Place) -> None:
        body = {**NEW, "resume_url": place.app.url, "assigned_to_email": ANN, "auto_response": IN_AN_HOUR, **fields}
        made = place.api("POST", "/v1/requests", body)
        assert place.api("POST", "/v1/requests", body).json["request"]["id"] == made.json["request"]["id"]

    return act


def call(method: str, path: str, body: Any = None, **headers: str) -> Step:
    return lambda place: place.api(method, path, body, **headers)


# --- as people


def callback(feedback: str = "approved\nok") -> Step:
    def act(place: Place) -> None:
        path = place.asked.callback_url.removeprefix("https://hitl.test")
        assert place.api("POST", path, {"feedback": feedback}, key=None).status == 200

    return act


def question(place: Place) -> None:
    path = place.asked.callback_url.removeprefix("https://hitl.test")
    assert place.api("POST", f"{path}/questions", {"text": "Why?"}, key=None).status == 200


def webhook_callback(place: Place) -> None:
    """Answer by the URL that the webhook was told."""
    told = next(json.loads(post.body) for post in place.app.received if b"callback_url" in post.body)
    path = told["callback_url"].removeprefix("https://hitl.test")
    place.api("POST", path, {"feedback": "approved\nok"}, key=None)


def mail(text: str, sender: str = ANN) -> Step:
    def act(place: Place) -> None:
        first = next(one for one in place.hitl.inbox if one.reply_to)
        assert first.reply_to
        raw = f"From: {sender}\r\nTo: {first.reply_to}\r\nSubject: Re\r\n\r\n{text}\r\n".encode()
        options: dict[str, Any] = {"recipients": [first.reply_to], "mail_from": sender, "message_id": "the-reply"}
        take_in(place.hitl, lambda: place.hitl.receive(raw, **options))

    return act


def review_page(**form: str) -> Step:
    def act(place: Place) -> None:
        url = place.hitl.review_url(next(one for one in place.hitl.inbox if one.reply_to))
        page = persistently(place.hitl, lambda: place.hitl.page("POST", url, form))
        # A person who presses again, after an answer that was lost, is told that the link no longer works.
        passed_on = "delegate_to" in form and "the request may have been reassigned" in page.text
        assert page.status == 200 or passed_on, page.text
        # Nobody is told that somebody else was faster when it was themselves.
        place.said = "faster" in page.text or "Already answered" in page.text

    return act


def wait(minutes: float) -> Step:
    return lambda place: advance(place.hitl, minutes=minutes)


def bounce(place: Place) -> None:
    take_in(place.hitl, lambda: place.hitl.bounce(place.asked, ANN))


def sign_in(place: Place) -> None:
    """Sign in with a code; one that was taken, but whose answer was lost, is used up, so there is a second one."""
    assert signs_in(place) or signs_in(place), "who types the right code is signed in"


def signs_in(place: Place) -> bool:
    browser = place.hitl.browser()
    asked = persistently(place.hitl, lambda: browser.post("/sign-in", {"email": CREATOR}))
    assert asked.status == 303
    advance(place.hitl, minutes=5)
    typed = {"code": place.hitl.sign_in_code(place.hitl.inbox[-1])}
    persistently(place.hitl, lambda: browser.post("/sign-in/code", typed))
    return browser.session is not None


def sign_out(place: Place) -> None:
    persistently(place.hitl, lambda: place.pages.post("/sign-out", {}))
    place.said = place.pages.session


def signed_in(who: str = CREATOR) -> Step:
    def prepare(place: Place) -> None:
        place.browser = place.hitl.signed_in(who)
        place.browser.get(f"/d/{place.hitl.deployment_id}/requests")

    return prepare


def opened(path: str, having: str, changes: Mapping[str, str | None] | None = None, press: str = "") -> Step:
    """Open a page and fill in one of its forms, which `press_button` sends."""

    def prepare(place: Place) -> None:
        if place.browser is None:
            place.browser = place.hitl.signed_in()
        address = f"/d/{place.hitl.deployment_id}" + place.filled(path)
        found = form_of(place.pages.get(address), having)
        assert set(changes or {}) <= found.known, found
        place.fields = {name: value for name, value in {**found.fields, **(changes or {})}.items() if value is not None}
        name, _, value = press.partition("=")
        place.fields |= {name: value} if name else {}
        place.target = found.action.partition("#")[0] or address

    return prepare


def asked_to_confirm(place: Place) -> None:
    """Press the button that asks whether one is sure; what it asks for is sent by `press_button`."""
    question = place.pages.post(place.target, place.fields)
    found = form_of(question, "sure")
    place.target, place.fields = found.action, {**found.fields, "sure": "yes"}


def selected(place: Place) -> None:
    """Select the request among others; the one answer to all of them is sent by `press_button`."""
    question = place.pages.post(f"/d/{place.hitl.deployment_id}/answers", {"request": place.filled("{id}")})
    found = form_of(question, "outcome=approved")
    place.target, place.fields = found.action, {**found.fields, "outcome": "approved"}


def press_button(place: Place) -> None:
    """Send the form until there is an answer; 404, 409 and 422 say that it is done already."""
    answer = persistently(place.hitl, lambda: place.pages.post(place.target, place.fields))
    # Who has passed a request on, and presses again because the answer was lost, has nothing to do with it any more.
    passed_on = answer.status == 403 and place.target.endswith("/pass-on")
    assert passed_on or answer.status in (200, 201, 303, 404, 409, 422), answer.text


def page(*arguments: Any, before: Step = _nothing, **options: Any) -> Operation:
    return Operation(press_button, then(before, opened(*arguments, **options)))


def sealed(place: Place) -> None:
    place.hitl.clock.sleep(1)
    message = json.dumps({"until": rfc3339(place.hitl.clock.now())})
    place.hitl._clients["sqs"].send_message(QueueUrl=queue_url("seal"), MessageBody=message)
    settle(place.hitl)


def export(place: Place) -> None:
    made = place.api("POST", "{d}/audit/export", {}).json["export"]["id"]
    for _ in range(6):
        place.said = place.api("GET", f"{{d}}/audit/export/{made}").json["export"]["state"]
        if place.said == "done":
            return
        advance(place.hitl, minutes=61)


def swept(place: Place) -> None:
    """Let the relay miss what happens, so that only the sweep is left to see it."""
    hitl, deliver = place.hitl, place.hitl._deliver
    others = lambda function, records: [] if function == "relay" else deliver(function, records)  # noqa: E731
    with patch.object(hitl, "_deliver", others):
        asking(auto_response=IN_AN_HOUR)(place)


def answered(place: Place) -> None:
    asking()(place)
    callback()(place)


def with_member(place: Place) -> None:
    place.api("PUT", f"{{d}}/members/{BOB}", {"permissions": [Permission.RESPOND.value]})


def with_key(place: Place) -> None:
    made = place.hitl.api("POST", place.filled("{d}/api-keys"), {"name": "k", "permissions": ["create_requests"]})
    place.names["key"] = made.json["api_key"]["id"]


def with_delivery(place: Place) -> None:
    asking()(place)
    place.names["delivery"] = place.hook.deliveries[0]["id"]


def refused(place: Place) -> None:
    """Let the flow refuse what it is told, and be ready for it after that."""
    place.app.status = 400
    answered(place)
    place.app.status = 200


def away_once(place: Place) -> None:
    asking()(place)
    place.away, place.app.away_from = 1, "/resume"


def with_rules(place: Place) -> None:
    place.hitl.configure(rules=[RULE, {**RULE, "name": "b"}])


RULE = {"name": "a", "match": {"method_name": "x*"}, "assign_to_email": BOB}
GROUP = settings(groups=[{"name": "fin", "members": [ANN, BOB]}])
DELEGATING = settings(allow_delegation=True)
REMINDING = settings(reminders=[{"minutes_before_timeout": 58}])
REMINDING_LATER = settings(reminders=[{"minutes_before_timeout": 5}])
TO_GROUP = asking(assigned_to_email="group:fin")
TO_CREATOR = asking(assigned_to_email=CREATOR)
AUTO = {"enabled": "on", "timeout_minutes": "60", "default_outcome": "rejected"}
FILLED_RULE = {"name": "z", "method_name": "z", "assign_to_email": BOB}
HOOK = {"name": "Other", "url": "http://127.0.0.1:9/", "new_request": "on"}
IF_ANY = {"If-Match": "*"}
D = "/v1/deployments/{deployment_id}"
P = "/d/{deployment_id}"
OPERATIONS: dict[str, Operation] = {
    "POST /v1/requests: with an id of its own, and a reminder": Operation(create(id=OWN_ID), REMINDING_LATER),
    "POST /v1/requests: under an idempotency key": Operation(create()),
    "POST /v1/requests: with so much that it is stored apart": Operation(create(output="x" * 90_000)),
    "POST /v1/requests: to a group": Operation(create(assigned_to_email="group:fin"), GROUP),
    "POST /v1/requests/{request_id}/reassign": Operation(
        call("POST", "/v1/requests/{id}/reassign", {"assigned_to_email": BOB}), asking(auto_response=IN_AN_HOUR)
    ),
    "DELETE /v1/requests/{request_id}": Operation(call("DELETE", "/v1/requests/{id}"), asking()),
    "POST /v1/requests/{request_id}/resume-status": Operation(
        call("POST", "/v1/requests/{id}/resume-status", {"status": "resumed"}), answered
    ),
    "POST /v1/requests/{request_id}/resume-status: once": Operation(
        call("POST", "/v1/requests/{id}/resume-status", {"status": "resumed", "once": True}), answered
    ),
    "POST /v1/requests/{request_id}/answers": Operation(
        call("POST", "/v1/requests/{id}/answers", {"text": "Because."}), then(asking(questions=True), question)
    ),
    "POST /v1/callbacks/{token}/questions": Operation(question, asking(questions=True)),
    "POST /v1/callbacks/{token}": Operation(callback(), asking(auto_response=IN_AN_HOUR)),
    "POST /v1/callbacks/{token}: the webhook's": Operation(webhook_callback, asking()),
    "POST /v1/callbacks/{token}: of a flow that is away once": Operation(callback(), away_once),
    "POST /review/{token}": Operation(review_page(outcome="approved", comment="ok"), asking()),
    "POST /review/{token}: passing on": Operation(review_page(delegate_to=BOB), then(DELEGATING, asking())),
    "inbound_mail: an answer": Operation(mail("approved\nok"), asking()),
    "inbound_mail: an answer of a group": Operation(mail("approved"), then(GROUP, TO_GROUP)),
    "inbound_mail: refused": Operation(mail("approved", "mallory@example.com"), asking()),
    "inbound_mail: to be asked again": Operation(mail("maybe"), asking(free_text="ask_again")),
    "inbound_mail: too late": Operation(mail("approved"), then(asking(), lambda place: place.hitl.advance(days=8))),
    "inbound_mail: a question": Operation(mail("question: Why?"), asking(questions=True)),
    "inbound_mail: passing on": Operation(mail(f"delegate: {BOB}"), then(DELEGATING, asking())),
    "mail_feedback: a bounce": Operation(bounce, asking()),
    "deadline: the clock answers": Operation(
        wait(4), asking(auto_response={"timeout_minutes": 3, "default_outcome": "rejected"})
    ),
    "deadline: a reminder": Operation(wait(3), then(REMINDING, asking(auto_response=IN_AN_HOUR))),
    "seal: the log": Operation(sealed, answered),
    "sweep: what the relay has missed": Operation(wait(16), swept),
    "measure: an answer": Operation(then(callback(), lambda place: measure(place.hitl)), asking()),
    "measure: a question, and that it is withdrawn": Operation(
        then(call("DELETE", "/v1/requests/{id}"), lambda place: measure(place.hitl)), asking()
    ),
    f"PUT {D}/settings": Operation(call("PUT", "{d}/settings", {"sla_target_minutes": 30}, **IF_ANY)),
    f"PUT {D}/routing-rules": Operation(call("PUT", "{d}/routing-rules", {"rules": [RULE]}, **IF_ANY)),
    f"POST {D}/rotate-resume-secret": Operation(call("POST", "{d}/rotate-resume-secret", {})),
    f"PUT {D}/members/{{email}}": Operation(with_member),
    f"DELETE {D}/members/{{email}}": Operation(call("DELETE", f"{{d}}/members/{BOB}"), with_member),
    f"POST {D}/api-keys": Operation(call("POST", "{d}/api-keys", {"name": "k", "permissions": ["create_requests"]})),
    f"DELETE {D}/api-keys/{{key_id}}": Operation(call("DELETE", "{d}/api-keys/{key}"), with_key),
    f"POST {D}/test-request": Operation(call("POST", "{d}/test-request", {"to": BOB})),
    f"POST {D}/audit/export": Operation(export, asking()),
    f"POST {D}/webhooks": Operation(call("POST", "{d}/webhooks", {"name": "y", "url": "http://127.0.0.1:9/x"})),
    f"PATCH {D}/webhooks/{{webhook_id}}": Operation(call("PATCH", "{d}/webhooks/{w}", {"active": False})),
    f"DELETE {D}/webhooks/{{webhook_id}}": Operation(call("DELETE", "{d}/webhooks/{w}")),
    f"POST {D}/webhooks/{{webhook_id}}/rotate-secret": Operation(call("POST", "{d}/webhooks/{w}/rotate-secret", {})),
    f"POST {D}/webhooks/{{webhook_id}}/test": Operation(call("POST", "{d}/webhooks/{w}/test")),
    f"POST {D}/webhooks/{{webhook_id}}/deliveries/{{delivery_id}}/redeliver": Operation(
        call("POST", "{d}/webhooks/{w}/deliveries/{delivery}/redeliver"), with_delivery
    ),
    "POST /sign-in: and POST /sign-in/code": Operation(sign_in, by_hand=True),
    "POST /sign-out": Operation(sign_out, signed_in()),
    f"POST {P}/requests/{{request_id}}": page(
        "/requests/{id}", "outcome=approved", {"comment": "ok"}, "outcome=approved", before=TO_CREATOR
    ),
    f"POST {P}/answers": Operation(
        press_button, then(TO_CREATOR, opened("/requests/{id}", "outcome=approved"), selected)
    ),
    f"POST {P}/requests/{{request_id}}/pass-on": page(
        "/requests/{id}", "delegate_to", {"delegate_to": BOB}, before=then(DELEGATING, TO_CREATOR)
    ),
    f"POST {P}/requests/{{request_id}}/manage: reassigning": page(
        "/requests/{id}", "assigned_to_email", {"assigned_to_email": BOB}, "do=reassign", before=asking()
    ),
    f"POST {P}/requests/{{request_id}}/manage: cancelling": Operation(
        press_button, then(asking(), opened("/requests/{id}", "do=cancel", {}, "do=cancel"), asked_to_confirm)
    ),
    f"POST {P}/requests/{{request_id}}/manage: resuming again": page(
        "/requests/{id}", "do=retry", {}, "do=retry", before=refused
    ),
    f"POST {P}/audit/export": replace(page("/audit", "format"), by_hand=True),
    f"POST {P}/settings/email": page("/settings/email", "email_notifications", {"email_notifications": None}),
    f"POST {P}/settings/sla": page("/settings/sla", "sla_target_minutes", {"sla_target_minutes": "90"}),
    f"POST {P}/settings/auto-response": page("/settings/auto-response", "enabled", AUTO),
    f"POST {P}/settings/retention": page("/settings/retention", "keep_content_days", {"keep_content_days": "30"}),
    f"POST {P}/settings/rules": page("/settings/rules", "down", {}, "down=1", before=with_rules),
    f"POST {P}/settings/rules/{{rule}}": page("/settings/rules/new", "method_name", FILLED_RULE),
    f"POST {P}/settings/webhooks": page("/settings/webhooks", "url", HOOK),
    f"POST {P}/settings/webhooks/{{webhook_id}}": page("/settings/webhooks/{w}", "url", {"name": "Other"}),
    f"POST {P}/settings/members": page("/settings/members", "email", {"email": BOB}),
    f"POST {P}/settings/api-keys": page("/settings/api-keys", "create_requests", {"name": "k"}),
    f"POST {P}/settings/answers": page("/settings/answers", "allow_delegation", {"allow_delegation": "on"}),
    f"POST {P}/settings/groups/{{group}}": page(
        "/settings/groups/new", "name", {"name": "fin", "members": f"{ANN}\n{BOB}"}
    ),
    f"POST {P}/settings/checks": replace(page("/settings/checks", "to", {"to": BOB}), by_hand=True),
}
# What changes nothing, and what is proven with another operation.
ASIDE = {f"POST {D}/routing-rules/dry-run", "POST /sign-in/code", "POST /sign-in/link/{token}"}


def test_every_route_that_changes_something_is_an_operation() -> None:
    routes = {str(one) for one in all_routes() if one.method not in ("GET", "HEAD")}
    assert routes - ASIDE == {name.partition(":")[0] for name in OPERATIONS if " " in name.partition(":")[0]}


@dataclass(frozen=True)
class Beginning:
    """An operation's place before it is done, to begin from as often as one likes."""

    place: Place
    as_it_was: Callable[[], None]
    act: Step
    spared: frozenset[str]

    @classmethod
    def of(cls, name: str, hitl: Hitl, app: Receiver) -> "Beginning":
        operation = OPERATIONS[name]
        place = Place(hitl, app, hook(hitl, app.url.replace("/resume", "/hook"), events=ALL_EVENTS))
        operation.prepare(place)
        # They look at every operation's events in the same way.
        spared = {"sweep", "measure"} - {name.partition(":")[0]}
        return cls(place, hitl.checkpoint(), operation.act, frozenset(spared))

    def done(self, fault: Fault | None = None, number: int = -1) -> tuple[Outcome, list[str], Struck]:
        """Do it, with one fault or none, until all is quiet."""
        place = copy.copy(self.place)
        place.names, place.browser = dict(place.names), copy.copy(place.browser)
        if place.browser:
            place.browser.cookies = dict(place.browser.cookies)
        received = list(place.app.received)
        self.as_it_was()
        place.app.away = place.away
        try:
            with striking(place.hitl, place.app, fault, number, spared=self.spared) as struck:
                self.act(place)
                until_quiet(place.hitl)
            requests = listed(place.hitl)
            if let_fire(place.hitl, requests):
                requests = listed(place.hitl)
            events = stored_events(place.hitl)
            after = outcome(place.hitl, place.app, requests, events, place.said)
            return after, wrongs_of(place.hitl, requests, events), struck
        finally:
            place.app.received = received


@pytest.mark.exhaustive(6)
@pytest.mark.parametrize("name", OPERATIONS)
def test_whatever_fails_all_is_done_in_the_end(name: str, record_property: Callable[[str, object], None]) -> None:
    with hitl_on_moto() as hitl, receiving() as app, silence():
        beginning = Beginning.of(name, hitl, app)
        before, wrong, calls = beginning.done()
        assert not wrong
        ends = [before]
        if OPERATIONS[name].by_hand:
            act = beginning.act
            ends.append(replace(beginning, act=then(act, act)).done()[0])
        function = name.partition(":")[0]
        assert " " in function or function in {one.function for one in calls.points}
        broken, tried = [], 0
        for fault, point in chosen(name, calls):
            found = problems_of(beginning, ends, fault, point)
            tried += 1
            broken += [f"{point} {fault}: {one}" for one in found]
    record_property("tried: fault points", tried)
    record_property("broken: fault points", len(set(broken)))
    assert not broken, "\n".join(broken)


@contextmanager
def silence() -> Iterator[None]:
    """Log nothing: what is said of each fault, with all that led to it, takes a tenth of the time."""
    logging.disable()
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def problems_of(beginning: Beginning, ends: Sequence[Outcome], fault: Fault, point: Point) -> list[str]:
    try:
        after, wrong, struck = beginning.done(fault, point.number)
    except AssertionError as failed:
        return [str(failed)]
    if struck.hit is None:
        return ["the call was not made again"]
    ends = [*ends, *(end for end in map(unnoted, ends) if end and struck.posted)]
    return [*min((problems(end, after, struck) for end in ends), key=len), *wrong]


def chosen(name: str, calls: Struck) -> list[tuple[Fault, Point]]:
    """Return the faults of an operation, or the part of them that is tried each time, with one in each function."""
    every = [(fault, at) for fault in Fault for at in calls.points if fault.strikes(at.service, at.operation)]
    names = {f"{name} {fault.name} {at.number}": (fault, at) for fault, at in every}
    kept = part({one: {at.function} for one, (_, at) in names.items()}, 60)
    return [pair for one, pair in names.items() if one in kept]
