"""A custom domain that leads here by a path, such as https://api.example.com/hitl: API Gateway passes that path on."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import Application, current, use
from infra.local.hitl_fixture import Hitl
from infra.local.hitl_fixture.between import lambda_context

HERE = "https://api.example.com/hitl"
PERSON = {"accept": "text/html"}


@pytest.fixture
def below(hitl: Hitl) -> Iterator[Hitl]:
    old = current()
    use(Application(replace(old.settings, base_url=HERE), hitl.clock, old.ids, old.jitter))
    yield hitl
    use(old)


def called(hitl: Hitl, function: str, event: dict[str, Any]) -> Any:
    """Return what a function of the API answers."""
    return hitl._function(function)(event, lambda_context(function))


def mailed(hitl: Hitl) -> str:
    """Return the address of the review page in the newest email."""
    (link, *_) = re.findall(rf"{HERE}/review/[^\s>?]+", hitl.inbox[-1].text)
    return str(link)


def test_the_api_answers_below_the_path(below: Hitl) -> None:
    created = called(below, "intake", event("POST", "/hitl/v1/requests"))
    assert created["statusCode"] == 401, "the route is found; the key is missing"
    request = below.ask("Publish?", emit=["yes", "no"])
    assert request.callback_url.startswith(f"{HERE}/v1/callbacks/")
    answered = event("POST", urlsplit(request.callback_url).path, '{"feedback":"yes"}')
    answer = called(below, "respond", answered)
    assert answer["statusCode"] == 200
    assert request.outcome == "yes"


def test_the_links_of_a_page_and_a_redirect_stay_below_the_path(below: Hitl) -> None:
    home = called(below, "dashboard", event("GET", "/hitl"))
    assert (home["statusCode"], home["headers"]["Location"]) == (303, "/hitl/d")
    signing_in = called(below, "dashboard", event("GET", "/hitl/sign-in"))
    assert signing_in["statusCode"] == 200
    assert 'action="/hitl/sign-in"' in signing_in["body"]
    links = re.findall(r'\b(?:href|action|src)="(/[^"]*)"', signing_in["body"])
    assert links
    assert not [link for link in links if not link.startswith("/hitl/")]


def test_the_link_in_the_email_opens_the_review_page(below: Hitl) -> None:
    below.ask("Publish?", emit=["yes", "no"])
    link = mailed(below)
    assert link.startswith(f"{HERE}/review/")
    page = called(below, "dashboard", event("GET", urlsplit(link).path))
    assert page["statusCode"] == 200
    assert "Publish?" in page["body"]


def test_what_a_reviewer_or_a_flow_wrote_keeps_its_text(below: Hitl) -> None:
    below.ask('Write href="/x" here', emit=["yes", "no"])
    link = mailed(below)
    page = called(below, "dashboard", event("GET", urlsplit(link).path))
    assert "href=&#34;/x&#34;" in page["body"]
    assert 'href="/hitl/x"' not in page["body"]


def test_a_path_that_only_begins_alike_is_not_ours(below: Hitl) -> None:
    answer = called(below, "intake", event("GET", "/hitlist/v1/requests"))
    assert answer["statusCode"] == 404


def event(method: str, path: str, body: str = "") -> dict[str, object]:
    """Return what API Gateway hands on: the path with that of the mapping."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": PERSON,
        "requestContext": {"http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}, "stage": "$default"},
        "body": body,
        "isBase64Encoded": False,
    }
