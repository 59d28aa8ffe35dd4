"""What no page may do, whoever asks and however: on every route there is, by the routes that are declared."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from functions.dashboard import app
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl, hitl_on_moto
from infra.routes import routes_of
from tests.functions.asserts import EMIT, callback

CREATOR, ANNA, STRANGER = "creator@example.com", "anna@example.com", "stranger@example.com"
ROUTES = list(routes_of(app))
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "require-trusted-types-for": "'script'",
}
PARAMETERS = [
    "q",
    "method",
    "flow",
    "assignee",
    "outcome",
    "order",
    "tab",
    "notice",
    "after",
    "from",
    "to",
    "group_by",
    "next",
    "member",
    "cursor",
    "place",
    "events",
    "digests",
    "answer",
    "delivery",
]


@dataclass(frozen=True)
class Stack:
    """A deployment in which there is one of everything, and a browser in which its creator is signed in."""

    hitl: Hitl
    manager: Browser
    request: AskedRequest
    decided: AskedRequest
    review_path: str
    values: Mapping[str, list[str]]

    def addresses(self, method: str, start: str = "/", **instead: str) -> list[str]:
        """Return the addresses of every route of a method, with something that is there in each place of a path."""
        values = {**self.values, **{name: [value] for name, value in instead.items()}}
        found = []
        for path in (one.path for one in ROUTES if one.method == method and one.path.startswith(start)):
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
            {"name": name, "match": {"method_name": "pay_*"}, "assign_to_email": "group:finance"}
            for name in ("Pay", "Pay more")
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
    return Stack(hitl, hitl.signed_in(), request, decided, review_path, values)


def everything(hitl: Hitl) -> str:
    """Return all that the stack holds but for who is signed in, was seen, or tried how often; and the mails."""
    held: list[Any] = []
    for table in ("requests", "audit", "deployments"):
        items = hitl._clients["dynamodb"].scan(TableName=table)["Items"]
        passing = ("sessions#", "sign-in#", "rate#", "key-use#")
        items = (
            [one for one in items if not next(iter(one["pk"].values())).startswith(passing)]
            if table == "requests"
            else items
        )
        held += [one for one in items if one.get("kind", {}).get("S") != "member_signed_in"]
    mails = [mail.subject for mail in hitl.inbox if not mail.subject.startswith("Sign in")]
    return json.dumps([sorted(json.dumps(one, sort_keys=True, default=str) for one in held), mails])


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


def test_every_answer_of_every_page_has_the_headers(stack: Stack) -> None:
    stranger = stack.hitl.browser()
    for browser in (stack.manager, stack.hitl.signed_in(ANNA), stranger):
        for method in ("GET", "HEAD"):
            for address in stack.addresses(method):
                if not address.startswith("/assets/"):
                    assert_ours(browser.get(address, method), f"{method} {address}")
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

    monkeypatch.setattr(current().visits.sessions, "load", break_down)
    answer = stack.manager.get(stack.addresses("GET", "/d/")[0])
    assert answer.status == 500
    assert "secret detail" not in answer.text
    assert_ours(answer, "a breakdown")
