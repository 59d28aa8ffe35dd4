"""The pages of members and API keys: who may come in, and what programs show."""

import re
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Browser, Hitl
from tests.support.asserts import NEW, everything_written
from tests.support.forms import configuration_events, documents, followed, form_of, send, submit

MEMBERS, KEYS = "/d/1/settings/members", "/d/1/settings/api-keys"
BOB = "bob@example.com"
ADD = "respond_to_human_feedback"


def members(hitl: Hitl) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = documents(hitl, "members")["members"]
    return found


def keys(hitl: Hitl) -> list[dict[str, Any]]:
    """Return the API keys but for the one of the tests."""
    found = documents(hitl, "api-keys")["api_keys"]
    return [key for key in found if key["id"] != hitl.api_key.split("_")[2]]


def edit(browser: Browser, email: str, changes: dict[str, str | None], press: str = "") -> Any:
    return submit(browser, f"{MEMBERS}?member={email}", ADD, changes, press)


def test_a_member_is_added_and_can_sign_in(hitl: Hitl, manager: Browser) -> None:
    typed = {"email": BOB, "aliases": "bob.smith@example.com\nb@example.com"}
    page = followed(manager, submit(manager, MEMBERS, "email", typed))
    assert "Added." in page.text
    assert members(hitl) == [
        {
            "email": BOB,
            "permissions": ["respond_to_human_feedback"],
            "aliases": ["bob.smith@example.com", "b@example.com"],
            "timezone": None,
        }
    ]
    assert BOB in page.text
    assert "also bob.smith@example.com" in page.text
    event = configuration_events(hitl)[-1]
    assert (event["kind"], event["actor"]) == ("member_set", "member/creator@example.com")
    assert hitl.signed_in("b@example.com").get("/d/1/requests").status == 200


def test_a_member_is_changed(hitl: Hitl, manager: Browser) -> None:
    submit(manager, MEMBERS, "email", {"email": BOB, "aliases": "b@example.com"})
    page = followed(manager, edit(manager, BOB, {"manage_human_feedback": "on", ADD: None, "aliases": ""}))
    assert "Saved." in page.text
    assert members(hitl) == [{"email": BOB, "permissions": ["manage_human_feedback"], "aliases": [], "timezone": None}]
    events = configuration_events(hitl)
    followed(manager, edit(manager, BOB, {}))
    assert configuration_events(hitl) == events, "what changes nothing is no event"


def test_a_member_is_removed_after_a_question(hitl: Hitl, manager: Browser) -> None:
    submit(manager, MEMBERS, "email", {"email": BOB})
    bob = hitl.signed_in(BOB)
    assert bob.get("/d/1/requests").status == 200
    question = edit(manager, BOB, {}, "do=remove")
    assert f"Remove {BOB}" in question.text
    assert len(members(hitl)) == 1
    followed(manager, send(manager, form_of(question, "sure"), press="sure=yes"))
    assert members(hitl) == []
    assert bob.get("/d/1/requests").status == 404
    assert manager.get(f"{MEMBERS}?member={BOB}").status == 404


@pytest.mark.parametrize(
    ("changes", "name", "problem"),
    [
        ({"email": "nobody"}, "email", "one plain email address"),
        ({"email": "BOB@example.com"}, "email", "is already a member"),
        ({"email": "c@example.com", "aliases": "x"}, "aliases", "x&#34; must be one plain email address"),
        ({"email": "c@example.com", "aliases": "d@example.com\nC@example.com"}, "aliases", "address itself"),
    ],
)
def test_what_is_wrong_with_a_member_stands_at_its_field(
    hitl: Hitl, manager: Browser, changes: dict[str, str], name: str, problem: str
) -> None:
    current().manage_deployments.set_member(1, Member(BOB))
    before = everything_written(hitl)
    page = submit(manager, MEMBERS, "email", changes)
    assert page.status == 422
    assert problem in page.text.partition(f'id="{name}-error">')[2].partition("</p>")[0]
    form = form_of(page, "email")
    assert {one: form.fields[one] for one in changes} == changes
    assert everything_written(hitl) == before


def test_a_member_is_changed_by_one_manager_at_a_time(hitl: Hitl, manager: Browser) -> None:
    manage = current().manage_deployments
    manage.set_member(1, Member(BOB, frozenset({Permission.RESPOND})))
    opened = form_of(manager.get(f"{MEMBERS}?member={BOB}"), ADD)
    manage.set_member(1, Member(BOB, frozenset({Permission.MANAGE}), ("b@example.com",)))
    manage.set_member(1, Member("else@example.com"))
    question = send(manager, opened, press="do=remove")
    for answer in (
        send(manager, opened, {"aliases": "c@example.com"}),
        send(manager, form_of(question, "sure"), press="sure=yes"),
    ):
        assert answer.status == 409
        told = answer.text.partition("Someone else")[2].partition("</div>")[0]
        assert "aliases: none → b@example.com" in told
        assert "else@example.com" not in told
    assert members(hitl)[0]["permissions"] == ["manage_human_feedback"]
    again = form_of(send(manager, opened, {"aliases": "c@example.com"}), ADD)
    followed(manager, send(manager, again))
    assert members(hitl)[-1] == {"email": BOB, "permissions": [ADD], "aliases": ["c@example.com"], "timezone": None}


def test_somebody_who_was_added_meanwhile_is_not_overwritten(hitl: Hitl, manager: Browser) -> None:
    opened = form_of(manager.get(MEMBERS), "email")
    current().manage_deployments.set_member(1, Member(BOB, frozenset({Permission.MANAGE})))
    assert send(manager, opened, {"email": BOB}).status == 422
    assert members(hitl)[0]["permissions"] == ["manage_human_feedback"]


def test_whoever_takes_their_own_permission_away_is_led_out(hitl: Hitl) -> None:
    current().manage_deployments.set_member(1, Member(BOB, frozenset({Permission.MANAGE})))
    bob = hitl.signed_in(BOB)
    assert edit(bob, BOB, {ADD: "on"}).status == 303
    assert bob.location.startswith(MEMBERS), "they still manage"
    assert edit(bob, BOB, {"manage_human_feedback": None}).status == 303
    assert bob.location == "/d"
    assert bob.get(MEMBERS).status == 403


def test_the_creator_stands_there_and_needs_no_membership(manager: Browser) -> None:
    text = manager.get(MEMBERS).text
    assert "creator@example.com" in text
    assert "always, as the deployment's creator" in text


# --- API keys


def secret_in(text: str) -> str:
    found = re.search(r"<code>(hitl_[^<]+)</code>", text)
    assert found, "no key is shown"
    return found[1]


def issue(browser: Browser, **changes: str | None) -> Any:
    return submit(browser, KEYS, "create_requests", {"name": "Flow", **changes})


def test_a_key_is_shown_once_and_opens_what_it_is_for(hitl: Hitl, manager: Browser) -> None:
    page = issue(manager)
    assert page.status == 201
    assert page.headers["Cache-Control"] == "no-store"
    key = secret_in(page.text)
    assert hitl.api("POST", "/v1/requests", NEW, key=key).status == 201
    assert hitl.api("GET", "/v1/deployments/1/settings", key=key).status == 403
    listed = manager.get(KEYS).text
    assert key not in listed
    assert key.split("_")[2] in listed
    event = configuration_events(hitl)[-1]
    assert (event["kind"], event["actor"]) == ("api_key_issued", "member/creator@example.com")
    assert key.split("_", 3)[3] not in str(configuration_events(hitl))


def test_a_key_may_manage_and_expire(hitl: Hitl, manager: Browser) -> None:
    changes = {"create_requests": None, "manage_human_feedback": "on", "expires_on": "2026-01-31"}
    key = secret_in(issue(manager, **changes).text)
    (listed,) = keys(hitl)
    assert listed["permissions"] == ["manage_human_feedback"]
    assert listed["expires_at"] == "2026-01-31T23:59:59Z"
    assert hitl.api("GET", "/v1/deployments/1/settings", key=key).status == 200
    assert "expires <time" in manager.get(KEYS).text
    hitl.advance(days=17)
    assert hitl.api("GET", "/v1/deployments/1/settings", key=key).status == 200
    hitl.advance(days=1)
    assert hitl.api("GET", "/v1/deployments/1/settings", key=key).status == 401


def test_expired_keys_and_last_uses_are_shown(hitl: Hitl, manager: Browser) -> None:
    assert "Never used" in manager.get(KEYS).text
    key = secret_in(issue(manager, expires_on="2026-01-15").text)
    hitl.api("POST", "/v1/requests", NEW, key=key)
    assert "Last used" in manager.get(KEYS).text
    hitl.advance(days=2)
    assert ">expired</span>" in manager.get(KEYS).text


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * 257}, "name"),
        ({"create_requests": None}, "permissions"),
        ({"expires_on": "2026-01-13"}, "expires_on"),
        ({"expires_on": "tomorrow"}, "expires_on"),
    ],
)
def test_what_is_wrong_with_a_key_stands_at_its_field(
    hitl: Hitl, manager: Browser, changes: dict[str, str | None], name: str
) -> None:
    page = issue(manager, **changes)
    assert page.status == 422
    assert f'id="{name}-error"' in page.text
    assert keys(hitl) == []


def test_a_form_that_is_sent_twice_issues_one_key(hitl: Hitl, manager: Browser) -> None:
    opened = form_of(manager.get(KEYS), "create_requests")
    assert send(manager, opened, {"name": "Flow"}).status == 201
    page = send(manager, opened, {"name": "Flow"})
    assert page.status == 409
    assert "API key &#34;Flow&#34; issued" in page.text
    assert len(keys(hitl)) == 1


def test_a_key_is_revoked_after_a_question(hitl: Hitl, manager: Browser) -> None:
    key = secret_in(issue(manager).text)
    key_id = key.split("_")[2]
    list_page = manager.get(KEYS)
    forms = [part for part in list_page.text.split("<form")[1:] if f'value="{key_id}"' in part]
    question = manager.post(KEYS, {"key_id": key_id})
    assert len(forms) == 1
    assert "Revoke the API key &#34;Flow&#34;?" in question.text
    assert hitl.api("GET", "/v1/requests", key=key).status == 200
    page = followed(manager, send(manager, form_of(question, "sure"), press="sure=yes"))
    assert "no longer works" in page.text
    assert hitl.api("GET", "/v1/requests", key=key).status == 401
    for sure in ({}, {"sure": "yes"}):
        assert manager.post(KEYS, {"key_id": key_id, **sure}).status == 404
