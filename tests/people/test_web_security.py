"""What no page may do, whoever asks and however: on every route there is, by the routes that are declared."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, product
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import pytest

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl, hitl_on_moto
from infra.routes import routes_of
from tests.support.asserts import EMIT, callback
from tests.support.forms import Form, forms_of
from tests.support.slices import WHOLE, part

CREATOR, ANNA, STRANGER = "creator@example.com", "anna@example.com", "stranger@example.com"
ROUTES = [(one.method, one.path) for one in routes_of("dashboard")]
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}
_PASSING = re.compile(r'"(?:pk|subject)": {"S": "(?:sessions|sign-in|rate|key-use)#')
PARAMETERS = [
    *("q", "method", "flow", "assignee", "outcome", "order", "tab", "after", "notice", "next", "answer", "member"),
    *("from", "to", "group_by", "cursor", "place", "events", "digests"),
]


@dataclass(frozen=True)
class Stack:
    """A deployment in which there is one of everything, and a browser in which its creator is signed in."""

    hitl: Hitl
    manager: Browser
    request: AskedRequest
    decided: AskedRequest
    review_path: str
    other: int
    values: Mapping[str, list[str]]

    def addresses(self, method: str, start: str = "/", **instead: str) -> list[str]:
        """Return the addresses of every route of a method, with something that is there in each place of a path."""
        values = {**self.values, **{name: [value] for name, value in instead.items()}}
        found = []
        for path in (path for one, path in ROUTES if one == method and path.startswith(start)):
            names = re.findall(r"{(\w+)}", path)
            for chosen in product(*(values[name] for name in names)):
                found.append(path.format(**dict(zip(names, chosen, strict=True))))
        return found


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with hitl_on_moto() as hitl:
        yield furnished(hitl)


def furnished(hitl: Hitl) -> Stack:
    root = f"/v1/deployments/{hitl.deployment_id}"
    hook = hitl.api("POST", f"{root}/webhooks", {"name": "Jira", "url": "https://jira.example.com/"}).json["webhook"]
    hitl.configure(
        settings={"allow_delegation": True, "groups": [{"name": "finance", "members": [CREATOR]}]},
        rules=[
            {"name": name, "match": {"method_name": f"{name}_*"}, "assign_to_email": "group:finance"}
            for name in ("pay", "refund")
        ],
    )
    for email in (CREATOR, ANNA):
        member = {"permissions": ["manage_human_feedback"] if email == CREATOR else ["respond_to_human_feedback"]}
        assert hitl.api("PUT", f"{root}/members/{email}", member).status == 200
    decided = hitl.ask("Done?", emit=EMIT)
    callback(hitl, decided, "approved")
    request = hitl.ask("Fit to print?", emit=EMIT, output="# Draft")
    values = {
        "deployment_id": [str(hitl.deployment_id)],
        "request_id": [request.id, decided.id],
        "webhook_id": [hook["id"]],
        "rule": ["1", "new"],
        "group": ["1", "new"],
        "token": [hitl.review_url().rpartition("/")[2]],
        "file_name": [re.findall(r"/assets/([^\"]+)", hitl.browser().get("/sign-in").text)[0]],
    }
    review_path = urlsplit(hitl.review_url()).path
    manage = current().manage_deployments
    other = manage.create(name="Other", creator_email=STRANGER, organization_id=1).deployment_id
    return Stack(hitl, hitl.signed_in(), request, decided, review_path, other, values)


def everything(hitl: Hitl) -> str:
    """Return all that the stack holds but for who is signed in, was seen, or tried how often; and the mails."""
    held: list[Any] = []
    for table in ("requests", "audit", "deployments"):
        held += hitl._clients["dynamodb"].scan(TableName=table)["Items"]
    texts = sorted(json.dumps(one, sort_keys=True, default=str) for one in held)
    mails = [mail.subject for mail in hitl.inbox]
    return json.dumps([[text for text in texts if not _PASSING.search(text)], mails])


# --- headers and cookies


def assert_ours(answer: Answer, what: str) -> None:
    """Check what each answer of the pages has, whatever it says."""
    headers = answer.headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert {name: policy.get(name) for name in POLICY} == POLICY, what
    assert "unsafe" not in headers["Content-Security-Policy"], what
    assert headers["Cache-Control"] == "no-store", what
    assert headers["X-Content-Type-Options"] == "nosniff", what
    assert headers["X-Frame-Options"] == "DENY", what
    assert headers["Referrer-Policy"] == "same-origin", what
    assert headers["Cross-Origin-Opener-Policy"] == headers["Cross-Origin-Resource-Policy"] == "same-origin", what
    assert headers["Strict-Transport-Security"], what
    assert "Access-Control-Allow-Origin" not in headers, what
    for cookie in answer.cookies:
        assert cookie.startswith("__Host-"), what
        attributes = [part.strip().lower() for part in cookie.split(";")[1:]]
        assert {"secure", "httponly", "samesite=lax", "path=/"} <= set(attributes), what
        assert not any(attribute.startswith("domain") for attribute in attributes), what


@pytest.mark.exhaustive
def test_every_answer_of_every_page_has_the_headers(stack: Stack) -> None:
    stranger = stack.hitl.browser()
    for browser in (stack.manager, stack.hitl.signed_in(ANNA), stranger):
        for method in ("GET", "HEAD"):
            for address in stack.addresses(method)[:: 1 if WHOLE or method == "GET" else 4]:
                if not address.startswith("/assets/"):
                    assert_ours(browser.get(address, method, accept="text/html"), f"{method} {address}")
    for address in stack.addresses("POST"):
        assert_ours(stranger.post(address), f"POST {address}")
    for address in ("/assets/x.css", "/nowhere", "/d/999/requests", f"/d/{'9' * 5000}/requests"):
        assert_ours(stack.manager.get(address, accept="text/html"), address)
    signing_in = stack.hitl.browser()
    assert_ours(signing_in.post("/sign-in", {"email": CREATOR}), "asking for the mail")
    assert_ours(signing_in.post("/sign-in/code", {"code": stack.hitl.sign_in_code()}), "the session's cookie")


def test_a_problem_on_our_side_is_a_page_like_the_others(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(current().visits.sessions, "reading", break_down)
    answer = stack.manager.get(stack.addresses("GET", "/d/")[0])
    assert answer.status == 500
    assert "secret detail" not in answer.text
    assert_ours(answer, "a breakdown")


# --- forms


@dataclass(frozen=True)
class Sent:
    """A form of a manager's page with one of its buttons pressed: where it goes, and what is in it."""

    path: str
    fields: Mapping[str, str]


def forms_inside(stack: Stack) -> list[Sent]:
    """Return every form that the manager's pages have and that changes something, once with each of its buttons."""
    sent = []
    for address in stack.addresses("GET", "/d/"):
        answer = stack.manager.get(address)
        if "text/html" in answer.headers["Content-Type"]:
            for form in forms_of(answer):
                path = form.action.partition("#")[0] or address
                if "csrf" in form.fields and path.startswith("/d/"):
                    sent += [Sent(path, fields) for fields in _pressed(form)]
    return sent


def _pressed(form: Form) -> Iterator[Mapping[str, str]]:
    fields = {**form.fields, "sure": "yes", "comment": "By somebody else.", "delegate_to": "bob@example.com"}
    for name, value in form.buttons or [("", "")]:
        yield {**fields, **({name: value} if name else {})}


def is_of(path: str, route: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", route), path) is not None


def test_there_is_a_form_for_every_route_that_changes_something(stack: Stack) -> None:
    """What the next tests send is all that there is."""
    sent = forms_inside(stack)
    inside = [path for method, path in ROUTES if method == "POST" and path.startswith("/d/")]
    assert [route for route in inside if not any(is_of(one.path, route) for one in sent)] == []


@pytest.mark.exhaustive
def test_no_form_does_anything_that_was_not_made_in_this_session_by_our_page(stack: Stack) -> None:
    elsewhere = stack.hitl.signed_in()
    elsewhere.get(stack.addresses("GET", "/d/")[0])
    others_token = elsewhere._form_token
    wrong: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
        ({"csrf": ""}, {}),
        ({"csrf": "x"}, {}),
        ({"csrf": others_token}, {}),
        ({}, {"sec-fetch-site": "cross-site"}),
        ({}, {"sec-fetch-site": "same-site"}),
        ({}, {"origin": "https://hitl.test.evil.example"}),
        ({}, {"origin": "http://hitl.test"}),
    ]
    forms, before = forms_inside(stack), everything(stack.hitl)
    tries = {f"{form} {mistake}": (form, mistake) for form in range(len(forms)) for mistake in range(len(wrong))}
    for name in part({name: {forms[form].path, mistake} for name, (form, mistake) in tries.items()}, 7):
        one, (fields, headers) = forms[tries[name][0]], wrong[tries[name][1]]
        answer = stack.manager.post(one.path, {**one.fields, **fields}, **headers)
        assert answer.status == 403, (one.path, fields, headers)
    assert everything(stack.hitl) == before


@pytest.mark.parametrize("origin", ["null", "http://hitl.test", "https://hitl.test:8443", "https://HITL.test.", ""])
def test_a_browser_that_tells_its_origin_alone_is_held_to_it(stack: Stack, origin: str) -> None:
    answer = stack.hitl.page("POST", stack.review_path, {"outcome": "approved"}, origin=origin)
    assert answer.status == 403
    assert stack.request.status == "pending"


def test_somebody_who_may_not_changes_nothing_by_any_form(stack: Stack) -> None:
    """A stranger, a reviewer who is not asked, and a manager of another deployment who puts its number in the path."""
    own, theirs = f"/d/{stack.hitl.deployment_id}/", f"/d/{stack.other}/"
    forms = forms_inside(stack)
    reviewer, stranger = stack.hitl.signed_in(ANNA), stack.hitl.signed_in(STRANGER)
    reviewer.get(f"{own}requests")
    stranger.get(f"{theirs}requests")
    stacks_own = everything(stack.hitl)
    for one in forms:
        fields = {name: text for name, text in one.fields.items() if name != "csrf"}
        answer = reviewer.post(one.path, fields | {"request": stack.request.id})
        # Where many are answered at once, each that is not theirs is not there.
        is_for_many = one.path == f"{own}answers"
        assert answer.status in ((200,) if is_for_many else (403, 404)), one
        assert "Fit to print?" not in answer.text
        assert stranger.post(one.path, fields).status == 404, one
    assert everything(stack.hitl) == stacks_own
    for one in forms:
        fields = {name: text for name, text in one.fields.items() if name != "csrf"}
        named = [stack.request.id, stack.decided.id, *stack.values["webhook_id"]]
        if any(name in one.path for name in named):
            assert stranger.post(one.path.replace(own, theirs), fields).status == 404, one
    assert everything(stack.hitl) == stacks_own


def test_somebody_who_may_not_sees_nothing_on_any_page(stack: Stack) -> None:
    reviewer, stranger = stack.hitl.signed_in(ANNA), stack.hitl.signed_in(STRANGER)
    for address in stack.addresses("GET", "/d/"):
        asked = stranger.get(address)
        assert asked.status == 404, address
        assert "Fit to print?" not in asked.text
        if not any(is_of(address, f"/d/{{deployment_id}}/{one}") for one in ("requests", "news", "answers")):
            assert reviewer.get(address).status in (403, 404), address
    for address in stack.addresses("GET", "/d/", deployment_id=str(stack.other)):
        if any(name in address for name in (stack.request.id, stack.decided.id, *stack.values["webhook_id"])):
            assert stranger.get(address).status == 404, address
    assert "Fit to print?" not in reviewer.get(f"/d/{stack.hitl.deployment_id}/requests").text


def test_what_is_not_there_and_what_is_not_yours_look_the_same(stack: Stack) -> None:
    stranger = stack.hitl.signed_in(STRANGER)
    for address in stack.addresses("GET", "/d/"):
        theirs, nowhere = (
            stranger.get(one) for one in (address, address.replace(f"/d/{stack.hitl.deployment_id}/", "/d/987654/"))
        )
        assert (theirs.status, theirs.text) == (nowhere.status, nowhere.text), address


def test_from_a_form_that_was_refused_there_is_a_way_back(stack: Stack) -> None:
    for address in stack.addresses("POST", "/d/"):
        refused = stack.manager.post(address, {"csrf": "x"})
        (back,) = re.findall(r'<a class="button quiet" href="([^"]+)"', refused.text)
        there = stack.manager.get(back, accept="text/html")
        assert there.status in (200, 303), (address, back)


# --- addresses

ELSEWHERE = (
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/d/../../evil.example",
    "/d@evil.example",
    "///evil.example",
    "/%2fevil.example",
    "javascript:alert(1)",
    "/d?x=1\r\nLocation: https://evil.example",
    "/d/1/requests\n//evil.example",
)


def assert_stays(answer: Answer, what: object) -> None:
    """Check that an answer leads to a page of ours, if anywhere."""
    location = answer.headers.get("Location")
    if location is not None:
        assert re.fullmatch(r"/(?:d|sign-in)(?:[/?#][!-~]*)?", location), (what, location)
        assert "\\" not in location, (what, location)
        assert "//" not in location.partition("?")[0], (what, location)


def mixed(texts: Sequence[str]) -> Iterator[str]:
    """Yield queries in which each parameter has another of the texts, until each has had all of them."""
    for first in range(len(texts)):
        turned = cycle([*texts[first:], *texts[:first]])
        yield urlencode(dict(zip(PARAMETERS, turned, strict=False)))


def test_no_parameter_of_any_page_leads_away(stack: Stack) -> None:
    pages = [(browser, one) for browser in (stack.manager, stack.hitl.browser()) for one in stack.addresses("GET")]
    for (browser, address), query in zip(pages, cycle(mixed(ELSEWHERE)), strict=False):
        assert_stays(browser.get(f"{address}?{query}"), address)
    for elsewhere in ELSEWHERE:
        assert_stays(stack.manager.get(f"/sign-in?{urlencode({'next': elsewhere})}"), elsewhere)


@pytest.mark.parametrize("elsewhere", ELSEWHERE[:5])
def test_signing_in_leads_to_our_pages_alone(stack: Stack, elsewhere: str) -> None:
    browser = stack.hitl.browser()
    browser.post("/sign-in", {"email": CREATOR, "next": elsewhere})
    browser.post("/sign-in/code", {"code": stack.hitl.sign_in_code()})
    assert (browser.session is not None, browser.location) == (True, "/d")
    stack.hitl.advance(minutes=60)


ODD = ("", "\x00", "0", "-1", "9" * 30, "٣", "..", "a\r\nb: c", "2026-02-30", "9999-12-31", "e30", "[]", "A" * 3000)


@pytest.mark.exhaustive
def test_odd_texts_in_an_address_break_nothing(stack: Stack) -> None:
    """What nobody types is no fault of ours."""
    addresses, queries = stack.addresses("GET", "/d"), list(mixed(ODD))
    for number, address in enumerate(addresses):
        step = 2 if "requests" in address else 4
        for query in queries[::step] if WHOLE else [queries[number % len(queries)]]:
            assert stack.manager.get(f"{address}?{query}").status < 500, (address, query)
    for address, odd in zip(addresses * (5 if WHOLE else 1), cycle(ODD), strict=False):
        for piece in address.split("/")[2:]:
            broken = address.replace(f"/{piece}", f"/{quote(odd, safe='')}", 1)
            assert stack.manager.get(broken).status < 500, broken


@pytest.mark.exhaustive
def test_odd_texts_in_a_form_break_nothing(stack: Stack) -> None:
    odds = ("", "\x00", "9" * 30, "[]", "A" * 3000)
    for number, one in enumerate(forms_inside(stack)):
        if stack.request.id not in one.path:
            for odd in odds if WHOLE else [odds[number % len(odds)]]:
                answer = stack.manager.post(one.path, {**dict.fromkeys(one.fields, odd), "csrf": one.fields["csrf"]})
                assert answer.status < 500, (one.path, odd)


def test_the_host_that_a_caller_names_is_nowhere_believed(stack: Stack) -> None:
    named = {"host": "evil.example", "x-forwarded-host": "evil.example", "forwarded": "host=evil.example"}
    for address in stack.addresses("GET"):
        answer = stack.manager.get(address, **named)
        assert "evil.example" not in answer.text + json.dumps(dict(answer.headers)), address
    stack.hitl.browser().post("/sign-in", {"email": CREATOR}, **named)
    assert "evil.example" not in stack.hitl.inbox[-1].raw
    stack.hitl.advance(minutes=60)
