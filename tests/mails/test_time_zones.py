"""Emails have their times in the zone of whoever reads them, if they have chosen one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flow_hitl.platform.times import readable_time, zone_named
from infra.local.hitl_fixture import Hitl, Mail
from tests.support.asserts import EMIT, assert_invalid
from tests.support.forms import submit

ANN, BOB = "ann@example.com", "bob@example.com"
CLOCK = {"timeout_minutes": 60, "default_outcome": "rejected"}


def chosen(hitl: Hitl, email: str = ANN, zone: str | None = "Europe/Berlin", **more: Any) -> Any:
    path = f"/v1/deployments/{hitl.deployment_id}/members/{email}"
    return hitl.api("PUT", path, {"permissions": [], "timezone": zone, **more})


def mail_of(hitl: Hitl, address: str) -> Mail:
    return next(mail for mail in reversed(hitl.inbox) if mail.to == address)


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("Europe/Berlin", "14 Jul 2026, 14:00 CEST"),
        ("America/New_York", "14 Jul 2026, 08:00 EDT"),
        ("Asia/Kathmandu", "14 Jul 2026, 17:45 UTC+05:45"),
        ("America/Sao_Paulo", "14 Jul 2026, 09:00 UTC-03:00"),
        ("Pacific/Kiritimati", "15 Jul 2026, 02:00 UTC+14:00"),
        ("UTC", "14 Jul 2026, 12:00 UTC"),
    ],
)
def test_a_time_says_in_which_zone_it_is(zone: str, said: str) -> None:
    found = zone_named(zone)
    assert found is not None
    assert readable_time(datetime(2026, 7, 14, 12, tzinfo=UTC), found) == said


def test_the_last_moment_of_the_calendar_can_be_read_everywhere() -> None:
    zone = zone_named("Asia/Tokyo")
    assert zone is not None
    assert readable_time(datetime.max.replace(tzinfo=UTC), zone) == "31 Dec 9999, 23:59 UTC"


def test_an_email_has_every_time_in_the_zone_of_its_reader(hitl: Hitl) -> None:
    chosen(hitl)
    output = {"paid_at": "2026-07-01T08:00:00Z", "total": 12}
    hitl.ask("Pay?", emit=EMIT, output=output, assigned_to_email=ANN, auto_response=CLOCK, sla_target_minutes=30)
    mail = mail_of(hitl, ANN)
    for text in (mail.text, mail.html):
        assert "14 Jan 2026, 13:30 CET" in text
        assert "If no one answers by 14 Jan 2026, 14:00 CET" in text
        assert "21 Jan 2026, 13:00 CET" in text
        assert "UTC" not in text
    assert "1 Jul 2026, 10:00 CEST" in mail.html


def test_later_emails_of_the_request_have_it_too(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"minutes_before_timeout": 15}]})
    chosen(hitl)
    request = hitl.ask("Pay?", emit=EMIT, assigned_to_email=ANN, auto_response=CLOCK)
    hitl.advance(minutes=50)
    assert "Asked 14 Jan 2026, 13:00 CET" in mail_of(hitl, ANN).text
    hitl.reply("approved", to=mail_of(hitl, ANN))
    assert request.now()["status"] == "responded"
    assert "14 Jan 2026, 13:50 CET" in mail_of(hitl, ANN).text


def test_everybody_has_their_own_and_who_has_none_has_utc(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANN, BOB, "Home@Example.com"]}]})
    chosen(hitl, aliases=["home@example.com"])
    hitl.ask("Pay?", emit=EMIT, assigned_to_email="group:finance", sla_target_minutes=30)
    assert "Due 14 Jan 2026, 13:30 CET." in mail_of(hitl, ANN).text
    assert "Due 14 Jan 2026, 13:30 CET." in mail_of(hitl, "Home@Example.com").text
    assert "Due 14 Jan 2026, 12:30 UTC." in mail_of(hitl, BOB).text


def test_whoever_gets_the_request_later_reads_it_in_theirs(hitl: Hitl) -> None:
    hitl.configure(settings={"allow_delegation": True})
    chosen(hitl)
    chosen(hitl, BOB, "Asia/Tokyo")
    request = hitl.ask("Pay?", emit=EMIT, assigned_to_email="cleo@example.com", sla_target_minutes=30)
    assert "12:30 UTC" in mail_of(hitl, "cleo@example.com").text
    hitl.reply(f"delegate: {ANN}", to=mail_of(hitl, "cleo@example.com"))
    assert "13:30 CET" in mail_of(hitl, ANN).text
    assert hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB}).status == 200
    assert "21:30 JST" in mail_of(hitl, BOB).text


def test_without_zones_nothing_of_them_is_stored(hitl: Hitl) -> None:
    chosen(hitl)
    request = hitl.ask("Pay?", emit=EMIT, assigned_to_email=BOB)
    found = hitl._clients["dynamodb"].get_item(
        TableName="requests", Key={"pk": {"S": request.id}, "sk": {"S": "r#head"}}
    )
    assert "zones" not in str(found["Item"]["doc"])


@pytest.mark.parametrize(
    "zone",
    ["Mars/Olympus", "", "europe/../Berlin", "/etc/localtime", "Europe", "CET-1CEST", "Europe/Berlin\n", "A" * 65],
)
def test_a_zone_that_there_is_not_is_refused(hitl: Hitl, zone: str) -> None:
    assert_invalid(chosen(hitl, zone=zone), "/timezone")


def test_a_member_has_a_zone_by_the_api_until_it_is_left_out(hitl: Hitl) -> None:
    path = f"/v1/deployments/{hitl.deployment_id}/members/{ANN}"
    assert chosen(hitl).json["timezone"] == "Europe/Berlin"
    assert hitl.api("GET", path).json["timezone"] == "Europe/Berlin"
    assert hitl.api("PUT", path, {"permissions": []}).json["timezone"] is None


def test_a_manager_chooses_a_members_zone_on_their_page(hitl: Hitl) -> None:
    chosen(hitl, zone=None)
    manager, address = hitl.signed_in(), f"/d/{hitl.deployment_id}/settings/members"
    wrong = submit(manager, f"{address}?member={ANN}", "timezone", {"timezone": "Berlin"})
    assert wrong.status == 422
    assert "the IANA name of a time zone" in wrong.text
    assert submit(manager, f"{address}?member={ANN}", "timezone", {"timezone": "Europe/Berlin"}).status == 303
    assert 'value="Europe/Berlin"' in manager.get(f"{address}?member={ANN}").text
    assert "emails in the time of Europe/Berlin" in manager.get(address).text
