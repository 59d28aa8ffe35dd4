"""The settings pages: what is saved there is what the API shows, and nothing is lost, overwritten or forgotten."""

from collections.abc import Mapping
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Browser, Hitl
from tests.support.asserts import everything_written
from tests.support.forms import configuration_events, documents, followed, form_of, send, submit

ROOT = "/d/1/settings"
PLACES = (
    "email",
    "rules",
    "rules/new",
    "sla",
    "auto-response",
    "webhooks",
    "members",
    "api-keys",
    "answers",
    "groups",
    "checks",
)
AUTO = {"enabled": "on", "timeout_minutes": "60", "default_outcome": "rejected"}
BOB = "bob@example.com"


def settings(hitl: Hitl) -> dict[str, Any]:
    found: dict[str, Any] = documents(hitl, "settings")
    return found


def second_manager(hitl: Hitl) -> Browser:
    """Return the browser of another person who manages the deployment."""
    current().manage_deployments.set_member(1, Member(BOB, frozenset({Permission.MANAGE})))
    return hitl.signed_in(BOB)


SAVED: list[tuple[str, Mapping[str, str | None], dict[str, Any]]] = [
    ("email", {"email_notifications": None}, {"email_notifications": False}),
    ("sla", {"sla_target_minutes": "120"}, {"sla_target_minutes": 120}),
    ("sla", {"waiting_alert_minutes": " 90 "}, {"waiting_alert_minutes": 90}),
    (
        "auto-response",
        AUTO,
        {"auto_response": {"enabled": True, "timeout_minutes": 60, "default_outcome": "rejected"}},
    ),
    ("answers", {"reply_token_days": "30"}, {"reply_token_days": 30}),
    ("answers", {"free_text": "ask_again"}, {"free_text": "ask_again"}),
    ("answers", {"require_dmarc_pass": "on"}, {"require_dmarc_pass": True}),
    ("answers", {"allow_delegation": "on"}, {"allow_delegation": True}),
    ("answers", {"forbid_self_approval": "on"}, {"forbid_self_approval": True}),
    (
        "answers",
        {"allowed_assignee_domains": "company.com\r\n\r\nExample.com, other.org"},
        {"allowed_assignee_domains": ["company.com", "example.com", "other.org"]},
    ),
    (
        "email",
        {"reminder_0_kind": "share_of_sla", "reminder_0_number": "33.3 %"},
        {"reminders": [{"share_of_sla": 0.333}]},
    ),
    (
        "email",
        {"reminder_0_kind": "minutes_before_timeout", "reminder_0_number": "30"},
        {"reminders": [{"minutes_before_timeout": 30}]},
    ),
]


@pytest.mark.parametrize(("place", "changes", "expected"), SAVED)
def test_what_is_saved_is_what_the_api_shows_and_nothing_else_changes(
    hitl: Hitl, manager: Browser, place: str, changes: dict[str, str | None], expected: dict[str, Any]
) -> None:
    before = settings(hitl)
    page = followed(manager, submit(manager, f"{ROOT}/{place}", next(iter(changes)), changes))
    assert "Saved." in page.text
    assert settings(hitl) == {**before, **expected}


@pytest.mark.parametrize(("place", "changes", "expected"), SAVED)
def test_a_page_shows_what_holds(
    hitl: Hitl, manager: Browser, place: str, changes: dict[str, str | None], expected: dict[str, Any]
) -> None:
    hitl.configure(settings=expected)
    held, events = settings(hitl), configuration_events(hitl)
    followed(manager, submit(manager, f"{ROOT}/{place}", next(iter(changes))))
    assert settings(hitl) == held, "a form that is sent as it was opened changes nothing"
    assert configuration_events(hitl) == events, "and is no event"


def test_an_empty_field_switches_off(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"sla_target_minutes": 120, "waiting_alert_minutes": 60})
    submit(manager, f"{ROOT}/sla", "sla_target_minutes", {"sla_target_minutes": "", "waiting_alert_minutes": " "})
    assert settings(hitl)["sla_target_minutes"] is None
    assert settings(hitl)["waiting_alert_minutes"] is None


def test_the_auto_response_goes_off_and_keeps_its_values(hitl: Hitl, manager: Browser) -> None:
    submit(manager, f"{ROOT}/auto-response", "enabled", AUTO)
    submit(manager, f"{ROOT}/auto-response", "enabled", {"enabled": None})
    assert settings(hitl)["auto_response"] == {
        "enabled": False,
        "timeout_minutes": 60,
        "default_outcome": "rejected",
    }


def test_reminders_take_rows_and_lose_rows(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}, {"minutes_before_timeout": 10}]})
    row = {"reminder_2_kind": "minutes_before_timeout", "reminder_2_number": "5"}
    submit(manager, f"{ROOT}/email", "reminder_0_number", {"reminder_0_number": "", **row})
    assert settings(hitl)["reminders"] == [{"minutes_before_timeout": 10}, {"minutes_before_timeout": 5}]


def test_a_change_is_an_event_in_the_managers_name(hitl: Hitl, manager: Browser) -> None:
    submit(manager, f"{ROOT}/sla", "sla_target_minutes", {"sla_target_minutes": "120"})
    event = configuration_events(hitl)[-1]
    assert (event["kind"], event["actor"]) == ("settings_changed", "member/creator@example.com")
    assert (event["before"]["sla_target_minutes"], event["after"]["sla_target_minutes"]) == (None, 120)


WRONG: list[tuple[str, dict[str, str | None], str, str]] = [
    ("sla", {"sla_target_minutes": "soon"}, "sla_target_minutes", "must be a whole number"),
    ("sla", {"sla_target_minutes": "0"}, "sla_target_minutes", "must be at least 1"),
    ("sla", {"waiting_alert_minutes": "9999999"}, "waiting_alert_minutes", "must be at most 527040"),
    ("auto-response", {**AUTO, "timeout_minutes": ""}, "timeout_minutes", "must be set"),
    ("auto-response", {**AUTO, "timeout_minutes": "1.5"}, "timeout_minutes", "must be a whole number"),
    ("auto-response", {**AUTO, "default_outcome": " "}, "default_outcome", "must be set"),
    ("answers", {"reply_token_days": ""}, "reply_token_days", "must be a whole number"),
    ("answers", {"reply_token_days": "400"}, "reply_token_days", "must be at most 365"),
    ("answers", {"allowed_assignee_domains": "company.com\nno domain"}, "allowed_assignee_domains", "no domain&#34;"),
    ("email", {"reminder_0_number": "101"}, "reminder_0_number", "percentage from 1 to 100"),
    ("email", {"reminder_0_number": "half"}, "reminder_0_number", "percentage from 1 to 100"),
]


@pytest.mark.parametrize(("place", "changes", "name", "problem"), WRONG)
def test_an_error_stands_at_its_field_and_what_was_typed_is_kept(
    hitl: Hitl, manager: Browser, place: str, changes: dict[str, str | None], name: str, problem: str
) -> None:
    before = everything_written(hitl)
    page = submit(manager, f"{ROOT}/{place}", name, changes)
    assert page.status == 422
    assert problem in page.text.partition(f'id="{name}-error">')[2].partition("</p>")[0]
    assert f"{name}-error" in page.text.partition(f'id="{name}" ')[2].partition(">")[0], "screen readers hear of it"
    form = form_of(page, name)
    assert {one: form.fields[one] for one in changes} == changes
    assert everything_written(hitl) == before


def test_after_an_error_the_same_form_can_be_sent_again(hitl: Hitl, manager: Browser) -> None:
    page = submit(manager, f"{ROOT}/sla", "sla_target_minutes", {"sla_target_minutes": "soon"})
    send(manager, form_of(page, "sla_target_minutes"), {"sla_target_minutes": "5"})
    assert settings(hitl)["sla_target_minutes"] == 5


def test_a_change_meanwhile_is_shown_and_not_overwritten_unseen(hitl: Hitl, manager: Browser) -> None:
    bob = second_manager(hitl)
    opened = form_of(manager.get(f"{ROOT}/sla"), "sla_target_minutes")
    submit(bob, f"{ROOT}/sla", "sla_target_minutes", {"sla_target_minutes": "240"})
    page = send(manager, opened, {"sla_target_minutes": "90"})
    assert page.status == 409
    assert settings(hitl)["sla_target_minutes"] == 240, "nothing was saved"
    told = page.text.partition("Someone else changed this")[2].partition("</div>")[0]
    assert BOB in told
    assert "SLA target (minutes): none → 240" in told
    again = form_of(page, "sla_target_minutes")
    assert again.fields["sla_target_minutes"] == "90", "what was typed is kept"
    followed(manager, send(manager, again))
    assert settings(hitl)["sla_target_minutes"] == 90, "now they know, and it is theirs to say"


def test_only_changes_of_the_same_part_are_conflicts(hitl: Hitl, manager: Browser) -> None:
    opened = form_of(manager.get(f"{ROOT}/sla"), "sla_target_minutes")
    hitl.configure(settings={"email_notifications": False, "reply_token_days": 3})
    followed(manager, send(manager, opened, {"sla_target_minutes": "90"}))
    held = settings(hitl)
    assert (held["sla_target_minutes"], held["email_notifications"], held["reply_token_days"]) == (90, False, 3)


def test_a_conflict_tells_of_what_the_form_is_about_and_of_nothing_else(hitl: Hitl, manager: Browser) -> None:
    opened = form_of(manager.get(f"{ROOT}/auto-response"), "enabled")
    hitl.configure(settings={"reply_token_days": 3})
    auto = {"enabled": True, "timeout_minutes": 5, "default_outcome": "approved"}
    hitl.configure(settings={"auto_response": auto, "sla_target_minutes": 7})
    page = send(manager, opened, AUTO)
    assert page.status == 409
    for line in ("Auto-response: off → on", "Timeout (minutes): none → 5", "Default outcome: none → approved"):
        assert line in page.text
    assert "SLA target" not in page.text.partition('<div class="setting">')[2]


def test_a_change_between_our_read_and_our_write_is_a_conflict_too(
    hitl: Hitl, manager: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flow_hitl.deployments import configuration_documents as configuration
    from flow_hitl.pages.settings import pages as settings_pages

    parse = configuration.parse_settings

    def meanwhile(text: str) -> Any:
        hitl.configure(settings={"sla_target_minutes": 240})
        return parse(text)

    opened = form_of(manager.get(f"{ROOT}/sla"), "sla_target_minutes")
    monkeypatch.setattr(settings_pages, "parse_settings", meanwhile)
    assert send(manager, opened, {"sla_target_minutes": "90"}).status == 409
    assert settings(hitl)["sla_target_minutes"] == 240


@pytest.mark.parametrize("etag", ["", "x", "*", '"0"'])
def test_a_form_must_say_what_it_was_made_from(hitl: Hitl, manager: Browser, etag: str) -> None:
    opened = form_of(manager.get(f"{ROOT}/sla"), "sla_target_minutes")
    assert send(manager, opened, {"sla_target_minutes": "90", "etag": etag}).status == 409
    assert settings(hitl)["sla_target_minutes"] is None


def test_warnings_stand_where_they_belong(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(
        settings={
            "email_notifications": False,
            "allowed_assignee_domains": ["example.com"],
            "auto_response": {"enabled": True, "timeout_minutes": 5, "default_outcome": "maybe"},
        },
        rules=[{"name": "Out", "match": {"method_name": "*"}, "assign_to_email": "x@elsewhere.org"}],
    )
    hitl.ask(emit=["yes", "no"])
    pages = {place: manager.get(f"{ROOT}/{place}").text for place in PLACES}
    for place, warning in (
        ("email", "requests will only appear in the dashboard"),
        ("rules", "will not reach x@elsewhere.org"),
        ("auto-response", "is no emit option of 1 of the last 1 requests"),
    ):
        assert [one for one in PLACES if warning in pages[one]] == [place]


def test_the_auto_response_page_has_the_specs_caution_and_knows_late_outcomes(hitl: Hitl, manager: Browser) -> None:
    hitl.ask(emit=["approved", "rejected"])
    text = manager.get(f"{ROOT}/auto-response").text
    assert "Use auto-response carefully." in text
    assert "Only enable it for non-critical reviews where a default response is acceptable." in text
    assert '<option value="rejected">' in text


def test_the_settings_stand_in_the_specs_order(manager: Browser) -> None:
    text = manager.get(f"{ROOT}/email").text
    places = ["email", "rules", "sla", "auto-response", "answers", "groups", "retention"]
    places += ["webhooks", "members", "api-keys", "checks"]
    found = [text.index(f'href="{ROOT}/{place}"', text.index("Human in the loop")) for place in places]
    assert found == sorted(found)
    assert manager.get(ROOT).status == 303
    assert manager.location == f"{ROOT}/email"


@pytest.mark.parametrize("place", PLACES)
def test_every_page_works_without_script_and_inline_style(manager: Browser, place: str) -> None:
    page = manager.get(f"{ROOT}/{place}")
    assert page.status == 200
    assert page.text.count("<script") == 1, "but for the one file"
    assert " style=" not in page.text
    assert "<style" not in page.text
    assert not [one for one in (" onclick=", " onsubmit=", " onchange=") if one in page.text]


def test_who_only_responds_sees_none_of_it(hitl: Hitl) -> None:
    current().manage_deployments.set_member(1, Member(BOB, frozenset({Permission.RESPOND})))
    bob = hitl.signed_in(BOB)
    for place in PLACES:
        page = bob.get(f"{ROOT}/{place}")
        assert page.status == 403
        assert "You do not have access" in page.text


def test_the_right_to_manage_ends_at_once(hitl: Hitl) -> None:
    bob = second_manager(hitl)
    opened = form_of(bob.get(f"{ROOT}/sla"), "sla_target_minutes")
    current().manage_deployments.set_member(1, Member(BOB, frozenset({Permission.RESPOND})))
    assert send(bob, opened, {"sla_target_minutes": "90"}).status == 403
    assert settings(hitl)["sla_target_minutes"] is None


def test_a_form_of_another_session_does_nothing(hitl: Hitl, manager: Browser) -> None:
    opened = form_of(manager.get(f"{ROOT}/email"), "email_notifications")
    other = hitl.signed_in()
    assert send(other, opened, {"email_notifications": None}).status == 403
    assert manager.post(opened.action, {**opened.fields, "csrf": "x"}).status == 403
    assert settings(hitl)["email_notifications"] is True


# --- groups

FINANCE = {"name": "finance", "address": "finance@example.com", "members": "ann@example.com\nbob@example.com"}


def test_a_group_is_added_changed_and_removed(hitl: Hitl, manager: Browser) -> None:
    page = followed(manager, submit(manager, f"{ROOT}/groups/new", "members", FINANCE))
    assert "Added." in page.text
    group = {**FINANCE, "members": ["ann@example.com", "bob@example.com"]}
    assert settings(hitl)["groups"] == [group]
    assert f'href="{ROOT}/groups/1"' in page.text
    followed(manager, submit(manager, f"{ROOT}/groups/1", "members", {"address": "", "members": "ann@example.com"}))
    assert settings(hitl)["groups"] == [{"name": "finance", "members": ["ann@example.com"]}]
    question = submit(manager, f"{ROOT}/groups/1", "members", press="do=remove")
    assert "Remove the group" in question.text
    assert len(settings(hitl)["groups"]) == 1, "not yet"
    assert "Removed." in followed(manager, send(manager, form_of(question, "sure"), press="sure=yes")).text
    assert settings(hitl)["groups"] == []
    assert manager.get(f"{ROOT}/groups/1").status == 404


GROUP_WRONG: list[tuple[dict[str, str], str, str]] = [
    ({"name": "", "address": ""}, "name", "Give the group a name"),
    ({"name": "group:x"}, "name", "without the prefix group:"),
    ({"name": "legal"}, "name", "no other group has"),
    ({"address": "nobody"}, "address", "one plain email address"),
    ({"members": ""}, "members", "Enter 1 to 50 people"),
    ({"members": "ann@example.com, nobody"}, "members", "nobody&#34; must be one plain email address"),
    ({"members": "ann@example.com\nANN@example.com"}, "members", "stands in the group already"),
    ({"members": "finance@example.com"}, "members", "is the shared mailbox"),
]


@pytest.mark.parametrize(("changes", "name", "problem"), GROUP_WRONG)
def test_what_is_wrong_with_a_group_stands_at_its_field(
    hitl: Hitl, manager: Browser, changes: dict[str, str], name: str, problem: str
) -> None:
    hitl.configure(settings={"groups": [{"name": "legal", "members": ["eve@example.com"]}]})
    typed = {**FINANCE, **changes}
    page = submit(manager, f"{ROOT}/groups/new", "members", typed)
    assert page.status == 422
    assert problem in page.text.partition(f'id="{name}-error">')[2].partition("</p>")[0]
    assert {one: form_of(page, "members").fields[one] for one in typed} == typed
    assert len(settings(hitl)["groups"]) == 1


def test_a_group_is_changed_by_one_manager_at_a_time(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"groups": [{"name": "legal", "members": ["eve@example.com"]}]})
    opened = form_of(manager.get(f"{ROOT}/groups/1"), "members")
    question = send(manager, opened, press="do=remove")
    hitl.configure(settings={"groups": [{"name": "legal", "members": ["eve@example.com", "al@example.com"]}]})
    page = send(manager, opened, {"members": "joe@example.com"})
    assert page.status == 409
    assert "Group &#34;legal&#34; changed" in page.text
    assert form_of(page, "members").fields["members"] == "joe@example.com"
    assert send(manager, form_of(question, "sure"), press="sure=yes").status == 409
    assert settings(hitl)["groups"][0]["members"] == ["eve@example.com", "al@example.com"]


@pytest.mark.parametrize("place", ["0", "2", "01", "x", "9999999", "-1"])
def test_there_is_no_group_at_another_place(hitl: Hitl, manager: Browser, place: str) -> None:
    hitl.configure(settings={"groups": [{"name": "legal", "members": ["eve@example.com"]}]})
    assert manager.get(f"{ROOT}/groups/{place}").status == 404


def test_no_part_of_another_name_is_saved(hitl: Hitl, manager: Browser) -> None:
    manager.get(f"{ROOT}/answers")
    for part in ("groups", "email", "x"):
        assert manager.post(f"{ROOT}/answers", {"part": part}).status == 404


def test_what_people_have_typed_is_text_on_every_page(hitl: Hitl, manager: Browser) -> None:
    evil = '"><script>alert(1)</script>'
    hitl.configure(
        settings={
            "groups": [{"name": evil, "members": ["ann@example.com"]}],
            "auto_response": {"enabled": False, "timeout_minutes": 5, "default_outcome": evil},
        },
        rules=[
            {
                "name": evil,
                "match": {"method_name": evil, "condition": {f"state.{evil}": {"in": [evil, "x"]}}},
                "assign_from_input": evil,
                "assign_to_email": f"group:{evil}",
                "auto_response": {"enabled": True, "timeout_minutes": 5, "default_outcome": evil},
            }
        ],
    )
    hitl.ask(emit=[evil])
    for place in (*PLACES, "rules/1", "groups/1"):
        page = manager.get(f"{ROOT}/{place}")
        assert page.status == 200
        assert "<script>alert" not in page.text, place
    for place, having in (("rules/1", "do=remove"), ("groups/1", "do=remove")):
        question = submit(manager, f"{ROOT}/{place}", having, press="do=remove")
        assert "&lt;script&gt;alert" in question.text
        assert "<script>alert" not in question.text
