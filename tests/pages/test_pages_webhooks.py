"""The webhooks' pages: made with a secret that is shown once, tried, rotated, and all that was delivered."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.platform.webhook_signature import signature_headers
from infra.local.hitl_fixture import Answer, Browser, Hitl
from tests.support.asserts import everything_written
from tests.support.forms import configuration_events, documents, followed, form_of, send, submit
from tests.support.receiver import Receiver, receiving
from tests.support.webhooks import Hook, hook, spec_verifies, told

WEBHOOKS = "/d/1/settings/webhooks"
URL = "https://jira.example.com/hitl?key=k-1234"


@pytest.fixture
def app() -> Iterator[Receiver]:
    """The HTTP server of another application."""
    with receiving() as receiver:
        yield receiver


def webhooks(hitl: Hitl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = documents(hitl, "webhooks")["webhooks"]
    return found


def secret_in(page: Answer) -> str:
    assert page.status == 201, page.text
    found = re.search(r"<code>(whsec_[^<]+)</code>", page.text)
    assert found, "no secret is shown"
    return found[1]


def path(made: Hook) -> str:
    return f"{WEBHOOKS}/{made.id}"


def test_a_webhook_is_made_with_a_secret_that_is_shown_this_once(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    changes = {"name": "Jira", "url": app.url, "response_submitted": "on"}
    page = submit(manager, WEBHOOKS, "url", changes)
    secret = secret_in(page)
    assert page.headers["Cache-Control"] == "no-store"
    (made,) = webhooks(hitl)
    assert made["events"] == ["new_request", "response_submitted"]
    assert made["active"] is True
    hitl.ask()
    assert spec_verifies(secret, app.received[0])
    for address in (WEBHOOKS, f"{WEBHOOKS}/{made['id']}"):
        shown = manager.get(address)
        assert shown.status == 200
        assert secret not in shown.text
    event = configuration_events(hitl)[-1]
    assert (event["kind"], event["actor"]) == ("webhook_created", "member/creator@example.com")


def test_a_form_that_is_sent_twice_makes_one_webhook(hitl: Hitl, manager: Browser) -> None:
    opened = form_of(manager.get(WEBHOOKS), "url")
    secret_in(send(manager, opened, {"name": "Jira", "url": URL}))
    page = send(manager, opened, {"name": "Jira", "url": URL})
    assert page.status == 409
    assert "webhook &#34;Jira&#34;: added" in page.text
    assert len(webhooks(hitl)) == 1


def test_a_webhook_is_changed_and_switched_off(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    made = hook(hitl, app.url)
    changes = {"name": "Chat", "url": URL, "request_cancelled": "on", "active": None}
    page = followed(manager, submit(manager, path(made), "url", changes))
    assert "Saved." in page.text
    (now,) = webhooks(hitl)
    assert (now["name"], now["url"], now["active"]) == ("Chat", URL, False)
    assert now["events"] == ["new_request", "request_cancelled"]
    hitl.ask()
    assert app.received == []
    events = configuration_events(hitl)
    assert events[-1]["actor"] == "member/creator@example.com"
    followed(manager, submit(manager, path(made), "url"))
    assert configuration_events(hitl) == events, "what changes nothing is no event"


@pytest.mark.parametrize(
    ("changes", "name", "problem"),
    [
        ({"name": ""}, "name", "up to 256 characters"),
        ({"url": ""}, "url", "must begin with https://"),
        ({"url": "ftp://example.com"}, "url", "must begin with https://"),
        ({"url": "https://user:pw@example.com"}, "url", "must not carry a user name"),
        ({"url": "https://example.com/" + "x" * 3000}, "url", "must be at most"),
        ({"new_request": None}, "events", "Choose at least one event"),
    ],
)
def test_what_is_wrong_with_a_webhook_stands_at_its_field(
    hitl: Hitl, manager: Browser, changes: dict[str, str | None], name: str, problem: str
) -> None:
    made = hook(hitl, URL)
    before = everything_written(hitl)
    for address in (WEBHOOKS, path(made)):
        page = submit(manager, address, "url", {"name": "New", "url": URL, **changes})
        assert page.status == 422
        assert problem in page.text.partition(f'id="{name}-error">')[2].partition("</p>")[0]
    assert everything_written(hitl) == before


def test_a_webhook_is_changed_by_one_manager_at_a_time(hitl: Hitl, manager: Browser) -> None:
    made, other = hook(hitl, URL), hook(hitl, URL, name="Other")
    page = manager.get(path(made))
    opened, rotation = form_of(page, "url"), form_of(page, "signs_from")
    other.call("PATCH", body={"active": False})
    made.call("PATCH", body={"active": False})
    conflict = send(manager, opened, {"name": "Mine"})
    assert conflict.status == 409
    shown = conflict.text.partition("Someone else")[2].partition("</div>")[0]
    assert "webhook &#34;Jira&#34;, active: on → off" in shown
    assert "Other" not in shown
    assert form_of(conflict, "url").fields["name"] == "Mine"
    assert send(manager, rotation, press="do=rotate").status == 409
    assert webhooks(hitl)[0]["name"] == "Jira"
    followed(manager, send(manager, form_of(conflict, "url")))
    assert webhooks(hitl)[0]["name"] == "Mine"


def test_a_test_ping_is_sent_and_what_came_of_it_is_shown(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    app.status, app.answer = 503, b"<b>Busy</b>" + b"x" * 5000
    made = hook(hitl, app.url, active=False)
    assert "No deliveries yet" in manager.get(path(made)).text
    page = followed(manager, submit(manager, path(made), "do=ping", press="do=ping"))
    assert "test ping is on its way" in page.text
    assert told(app.received[0])["event"] == "test"
    log = page.text.partition('id="deliveries"')[2]
    assert re.search(r"HTTP 503, [\d,]+ ms", log), "status and duration"
    assert "&lt;b&gt;Busy&lt;/b&gt;" in log
    assert "x" * 900 in log
    assert "x" * 1100 not in log, "the first KB of the answer"


def test_a_delivery_is_sent_again(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    app.status = 500
    made = hook(hitl, app.url)
    request = hitl.ask()
    app.status = 200
    page = followed(manager, submit(manager, path(made), "delivery", press="do=redeliver"))
    assert [told(post)["request"]["id"] for post in app.received] == [request.id] * 2
    first, second = (post.headers["x-webhook-id"] for post in app.received)
    assert first == second
    assert "a redelivery of" in page.text
    assert f'href="/d/1/requests/{request.id}"' in page.text
    assert request.kinds[-1] == "webhook_delivered"


def test_the_log_goes_on_page_by_page(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    made = hook(hitl, app.url)
    for _ in range(12):
        made.call("POST", "/test")
        hitl.advance(seconds=1)
    first = manager.get(path(made))
    onward = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert onward, "there are more than a page holds"
    second = manager.get(onward[1].replace("&amp;", "&").partition("#")[0])
    shown = [re.findall(r'name="delivery" value="([^"]+)"', page.text) for page in (first, second)]
    assert [len(page) for page in shown] == [10, 2]
    assert [*shown[0], *shown[1]] == [one["id"] for one in made.deliveries]
    assert manager.get(f"{path(made)}?after=x").status == 422


def test_a_new_secret_signs_at_once(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    made = hook(hitl, app.url)
    page = submit(manager, path(made), "signs_from", press="do=rotate")
    assert "It takes effect now." in page.text
    hitl.ask()
    assert spec_verifies(secret_in(page), app.received[0])
    event = configuration_events(hitl)[-1]
    assert (event["kind"], event["actor"]) == ("webhook_secret_rotated", "member/creator@example.com")


def test_a_new_secret_signs_from_the_moment_that_is_chosen(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    made = hook(hitl, app.url)
    page = submit(manager, path(made), "signs_from", {"signs_from": "2026-01-14T13:00"}, "do=rotate")
    assert "It takes effect 14 Jan 2026, 13:00 UTC" in page.text
    assert "A new secret takes effect" in manager.get(path(made)).text
    hitl.ask()
    hitl.advance(minutes=60)
    hitl.ask()
    assert [spec_verifies(secret_in(page), post) for post in app.received] == [False, True]
    assert [spec_verifies(made.secret, post) for post in app.received] == [True, False]


@pytest.mark.parametrize("moment", ["soon", "2026-01-14T11:00", "2026-03-14T12:00", "2026-01-14"])
def test_a_moment_out_of_reach_is_refused_at_its_field(hitl: Hitl, manager: Browser, moment: str) -> None:
    made = hook(hitl, URL)
    before = webhooks(hitl)
    page = submit(manager, path(made), "signs_from", {"signs_from": moment}, "do=rotate")
    assert page.status == 422
    assert "within the next 30 days" in page.text.partition('id="signs_from-error">')[2]
    assert webhooks(hitl) == before


def test_a_form_that_is_sent_twice_rotates_once(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    made = hook(hitl, app.url)
    hitl.advance(seconds=5)
    opened = form_of(manager.get(path(made)), "signs_from")
    secret = secret_in(send(manager, opened, press="do=rotate"))
    assert send(manager, opened, press="do=rotate").status == 409
    hitl.ask()
    assert spec_verifies(secret, app.received[0])


def test_a_webhook_is_deleted_after_a_question(hitl: Hitl, manager: Browser) -> None:
    made = hook(hitl, URL)
    question = submit(manager, path(made), "do=delete", press="do=delete")
    assert "Delete the webhook &#34;Jira&#34;?" in question.text
    assert len(webhooks(hitl)) == 1
    followed(manager, send(manager, form_of(question, "sure"), press="sure=yes"))
    assert webhooks(hitl) == []
    for form in ({}, {"do": "ping"}, {"do": "delete"}, {"do": "delete", "sure": "yes"}, {"do": "rotate"}):
        assert manager.post(path(made), {"name": "x", "url": URL, "new_request": "on", **form}).status == 404


def test_a_webhook_of_another_deployment_does_not_exist_here(hitl: Hitl, manager: Browser, app: Receiver) -> None:
    manage = current().manage_deployments
    manage.create(name="Other", creator_email="other@example.com", organization_id=1)
    made = hook(hitl, app.url)
    hitl.ask()
    delivery = made.deliveries[0]["id"]
    stranger = hitl.signed_in("other@example.com")
    assert stranger.get("/d/2/settings/webhooks").status == 200
    assert stranger.get(f"/d/2/settings/webhooks/{made.id}").status == 404
    for form in ({"do": "ping"}, {"do": "redeliver", "delivery": delivery}, {"do": "delete", "sure": "yes"}):
        assert stranger.post(f"/d/2/settings/webhooks/{made.id}", form).status == 404
    assert len(app.received) == 1


@pytest.mark.parametrize("name", ["", "x", "dlv_0", "d" * 3000, "a#b"])
def test_a_delivery_that_is_none_is_not_found(hitl: Hitl, manager: Browser, name: str) -> None:
    made = hook(hitl, URL)
    manager.get(path(made))
    assert manager.post(path(made), {"do": "redeliver", "delivery": name}).status == 404
    assert manager.get(f"{WEBHOOKS}/{'w' * 3000}").status == 404


def test_the_code_that_checks_a_signature_accepts_ours_and_nothing_else(hitl: Hitl) -> None:
    made = hook(hitl, "https://example.com/hook")
    text = unescape(hitl.signed_in().get(f"/d/1/settings/webhooks/{made.id}").text)
    scope: dict[str, Any] = {}
    exec(text.partition("<summary>Python</summary>\n<pre>")[2].partition("</pre>")[0], scope)  # noqa: S102
    now = datetime.now(UTC)
    headers = signature_headers(made.secret, b"{}", now)
    assert scope["is_ours"](made.secret, headers, b"{}") is True
    assert scope["is_ours"](made.secret, headers, b"{ }") is False
    assert scope["is_ours"]("whsec_other", headers, b"{}") is False
    old = signature_headers(made.secret, b"{}", now - timedelta(minutes=6))
    assert scope["is_ours"](made.secret, old, b"{}") is False
