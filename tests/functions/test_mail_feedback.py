"""A notification that does not arrive: said on the timeline, and the request does not hang."""

import pytest

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import Hitl

GONE = "gone@example.com"


def test_a_bounced_notification_goes_to_the_deployment_creator(hitl: Hitl) -> None:
    request = hitl.ask("Publish?", emit=["yes", "no"], assigned_to_email=GONE)
    lost = hitl.inbox[-1]

    hitl.bounce(request, GONE)

    assert request.kinds[2:4] == ["notification_undelivered", "request_reassigned"]
    assert "Permanent" in request.timeline[2]["data"]["reason"]
    assert hitl.inbox[-1].to == "creator@example.com"
    assert (request.now()["assigned_to_email"], request.now()["assigned_by"]) == ("creator@example.com", "reassignment")

    hitl.reply("yes", to=lost)
    assert request.status == "pending"
    hitl.reply("no")
    assert request.outcome == "no"


def test_a_suppressed_address_is_not_written_to_again(hitl: Hitl) -> None:
    hitl.bounce(hitl.ask(assigned_to_email=GONE), GONE)
    written = len(hitl.inbox)

    second = hitl.ask("Publish?", emit=["yes", "no"], assigned_to_email=GONE.upper())

    assert [mail.to for mail in hitl.inbox[written:]] == ["creator@example.com"]
    assert second.kinds == [
        "request_created",
        "notification_undelivered",
        "request_reassigned",
        "notification_sent",
    ]


def test_an_operator_lets_an_address_have_mail_again(hitl: Hitl) -> None:
    hitl.bounce(hitl.ask(assigned_to_email=GONE), GONE)
    assert [entry["address"] for entry in current().suppressed.entries()] == [GONE]

    assert current().suppressed.remove(GONE)

    hitl.ask(assigned_to_email=GONE)
    assert hitl.inbox[-1].to == GONE


def test_a_complaint_counts_as_a_bounce(hitl: Hitl) -> None:
    request = hitl.ask(assigned_to_email=GONE)

    hitl.bounce(request, GONE, "Complaint")

    assert request.now()["assigned_to_email"] == "creator@example.com"
    assert current().suppressed.reason(GONE) is not None


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_an_out_of_office_reply_that_comes_as_a_bounce_takes_nothing_away(hitl: Hitl, kind: str) -> None:
    request = hitl.ask(emit=["yes"], assigned_to_email=GONE)

    hitl.bounce(request, GONE, kind)

    assert request.now()["assigned_to_email"] == GONE
    assert current().suppressed.reason(GONE) is None
    hitl.reply("yes")
    assert request.outcome == "yes"


def test_a_creator_who_cannot_be_reached_keeps_the_request_and_the_timeline_says_so(hitl: Hitl) -> None:
    request = hitl.ask()

    hitl.bounce(request, "creator@example.com")

    assert request.kinds[-1] == "notification_undelivered"
    assert request.status == "pending"


def test_a_bounce_after_the_answer_is_only_noted(hitl: Hitl) -> None:
    request = hitl.ask(emit=["yes"], assigned_to_email=GONE)
    hitl.reply("yes")

    hitl.bounce(request, GONE)

    assert request.kinds[-1] == "notification_undelivered"
    assert request.now()["assigned_to_email"] == GONE
