"""The API's description as it is served: the file, and the page on which people read it and try calls."""

import base64
import gzip
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.local.hitl_fixture import Answer, Hitl
from infra.openapi import examples
from tests.people.test_policy_matrix import KEYED, Place
from tests.support.asserts import assert_problem
from tests.support.described import PATH, check, document, fits
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import ALL_EVENTS, hook, told

BOUNDED = [
    (f"{method.upper()} {path}", parameter["name"], parameter["schema"])
    for path, item in document()["paths"].items()
    for method, operation in item.items()
    for parameter in operation.get("parameters", [])
    if parameter["in"] == "query" and parameter["schema"].keys() & {"maximum", "maxLength"}
]
WITH_BODY = [
    f"{method.upper()} {path}"
    for path, item in document()["paths"].items()
    for method, operation in item.items()
    if "requestBody" in operation and operation["security"]
]


def test_programs_get_the_committed_description(hitl: Hitl) -> None:
    answer = hitl.api("GET", "/v1/openapi.json", key=None)
    assert answer.text == PATH.read_text("utf-8")
    assert answer.headers["Content-Type"] == "application/json"


def test_the_page_runs_nothing_but_its_own_files(hitl: Hitl) -> None:
    page = hitl.api("GET", "/docs", key=None)
    assert page.headers["Content-Type"].startswith("text/html")
    policy = dict(one.strip().split(" ", 1) for one in page.headers["Content-Security-Policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert "unsafe" not in str(policy)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|https?://", page.text)


def test_everything_that_the_page_needs_is_there(hitl: Hitl) -> None:
    page = hitl.api("GET", "/docs", key=None).text
    files = re.findall(r'(?:src|href)="((?:docs|v1)/[^"]+)"', page)
    assert len(files) == 5
    for file in files:
        part = hitl.api("GET", f"/{file}", key=None)
        assert part.status == 200, file
        assert part.headers["X-Content-Type-Options"] == "nosniff"
    start = hitl.api("GET", "/docs/start.js", key=None).text
    assert 'url: "v1/openapi.json"' in start
    assert "SwaggerUIBundle=" in hitl.api("GET", "/docs/swagger-ui.js", key=None).text[:1000]


def test_large_parts_are_sent_packed_to_those_who_can_unpack_them(hitl: Hitl) -> None:
    plain = hitl.api("GET", "/docs/swagger-ui.js", key=None)
    packed = hitl.api("GET", "/docs/swagger-ui.js", key=None, headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(packed.text) < len(plain.text) / 2
    assert gzip.decompress(base64.b64decode(packed.text)).decode() == plain.text


def test_there_is_no_other_part(hitl: Hitl) -> None:
    for name in ("page.html", "..", "openapi.json", "swagger-ui-bundle.min.js", "oauth2.py", "%2e%2e%2fintake.py"):
        assert_problem(hitl.api("GET", f"/docs/{name}", key=None), 404, "not-found")


# --- what it says of the API is so; each answer of any test is held against it, see conftest.py


@pytest.mark.parametrize("route", KEYED)
def test_it_names_the_permissions_that_open_a_route(route: str) -> None:
    method, path = route.split(" ")
    said = document()["paths"][path][method.lower()]["security"]
    assert {permission for one in said for permission in one["api_key"]} == set(KEYED[route].needs)


@pytest.mark.parametrize("route", WITH_BODY)
def test_the_example_of_a_body_is_taken(hitl: Hitl, route: str) -> None:
    method, path = route.split(" ")
    example = document()["paths"][path][method.lower()]["requestBody"]["content"]["application/json"]["example"]
    filled = path.format(**Place.made_for(hitl, route).names)
    answer = hitl.api(method, filled, example, headers={"If-Match": "*"})
    assert 200 <= answer.status < 300, answer.text


@pytest.mark.parametrize(
    ("route", "name", "schema"), BOUNDED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_the_bounds_of_a_parameter_are_those_that_it_says(
    hitl: Hitl, route: str, name: str, schema: dict[str, Any]
) -> None:
    method, path = route.split(" ")
    filled = path.format(**Place.made_for(hitl, route).names)
    if schema["type"] == "integer":
        inside: tuple[Any, ...] = schema["minimum"], schema["maximum"]
        outside: tuple[Any, ...] = schema["minimum"] - 1, schema["maximum"] + 1
    else:
        inside, outside = ("x" * schema["maxLength"],), ("x" * (schema["maxLength"] + 1),)
    for value in inside:
        assert hitl.api(method, f"{filled}?{name}={value}").status == 200
    for value in outside:
        answer = hitl.api(method, f"{filled}?{name}={value}")
        assert answer.status == 422
        assert answer.json["errors"][0]["field"] == f"/{name}"


def test_webhooks_are_told_what_it_says(hitl: Hitl) -> None:
    payload = {"$ref": "#/components/schemas/WebhookPayload"}
    with receiving() as app:
        made = hook(hitl, app.url, events=ALL_EVENTS)
        made.call("POST", "/test")
        hitl.ask("Fit to print?", emit=["yes", "no"])
        hitl.reply("yes")
        asked = hitl.ask("Fit to print?", questions=True)
        hitl.api("POST", f"{urlsplit(asked.callback_url).path}/questions", {"text": "For whom?"}, key=None)
        cancelled = hitl.ask("Fit to print?", output="x" * 300_000)
        hitl.api("DELETE", f"/v1/requests/{cancelled.id}")
        posts = app.received
    assert {told(post)["event"] for post in posts} == {*ALL_EVENTS, "test"} == set(document()["webhooks"])
    assert any("content_url" in told(post)["request"] for post in posts)
    for post in posts:
        assert fits(payload, told(post)) is None
        said = document()["webhooks"][told(post)["event"]]["post"]["parameters"]
        for header in said:
            assert fits(header["schema"], post.headers[header["name"].lower()]) is None


def test_flows_are_told_what_it_says(hitl: Hitl) -> None:
    app: Receiver
    with receiving() as app:
        hitl.ask("Fit to print?", resume_url=app.url)
        hitl.reply("Yes, why not.")
        (post,) = app.received
    assert fits({"$ref": "#/components/schemas/ResumePayload"}, told(post)) is None
    (callback,) = document()["paths"]["/v1/requests"]["post"]["callbacks"]["decision"].values()
    for header in callback["post"]["parameters"]:
        assert fits(header["schema"], post.headers[header["name"].lower()]) is None


# --- the tests' own eye: what is not described is seen


@pytest.mark.parametrize(
    "answer",
    [
        Answer(418, {"Content-Type": "application/json"}, "{}"),
        Answer(200, {"Content-Type": "text/html"}, "<p>"),
        Answer(200, {"Content-Type": "application/json"}, "{}"),
        Answer(200, {"Content-Type": "application/json"}, '{"members":[],"more":1}'),
        Answer(401, {"Content-Type": "application/problem+json"}, json.dumps({"type": "x"})),
    ],
)
def test_an_answer_that_is_not_described_is_seen(answer: Answer) -> None:
    with pytest.raises(AssertionError):
        check("GET", "/v1/deployments/1/members", None, answer)
    check("GET", "/v1/deployments/1/members", None, Answer(200, {"Content-Type": "application/json"}, '{"members":[]}'))


def test_a_missing_header_and_a_body_that_should_not_be_taken_are_seen() -> None:
    json_type = {"Content-Type": "application/json"}
    with pytest.raises(AssertionError, match="lacks ETag"):
        check("GET", "/v1/deployments/1/settings", None, Answer(200, json_type, json.dumps(examples.SETTINGS)))
    dry_run, answer = "/v1/deployments/1/routing-rules/dry-run", json.dumps(examples.DRY_RUN_RESULT)
    check("POST", dry_run, '{"method_name":"x"}', Answer(200, json_type, answer))
    with pytest.raises(AssertionError, match="was taken"):
        check("POST", dry_run, '{"method_nam":"x"}', Answer(200, json_type, answer))
