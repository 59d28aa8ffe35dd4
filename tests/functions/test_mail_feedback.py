"""A notification that does not arrive: said on the timeline, and the request does not hang."""

import json

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.domain.deployment import Member, Permission
from infra.local.hitl_fixture import Hitl, _sqs_record
from tests.functions.asserts import NEW

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


def other_deployment(*members: str) -> str:
    """Make a second deployment with these managers, and return a key of it."""
    manage = current().manage_deployments
    other = manage.create(name="Other", creator_email="other@example.com", organization_id=1).deployment_id
    for email in members:
        manage.set_member(other, Member(email, frozenset({Permission.MANAGE})))
    return manage.issue_key(other, name="k", permissions=frozenset({Permission.CREATE_REQUESTS})).text


def test_a_complaint_is_about_one_deployments_mail(hitl: Hitl) -> None:
    theirs = other_deployment(GONE)
    request = hitl.ask(assigned_to_email=GONE)

    hitl.bounce(request, GONE, "Complaint")

    assert request.now()["assigned_to_email"] == "creator@example.com"
    hitl.ask(assigned_to_email=GONE)
    assert hitl.inbox[-1].to == "creator@example.com"
    answer = hitl.api("POST", "/v1/requests", {**NEW, "assigned_to_email": GONE}, key=theirs)
    assert (answer.status, hitl.inbox[-1].to) == (201, GONE)
    assert hitl.signed_in(GONE).session
    entries = [(entry["address"], entry["deployment_id"]) for entry in current().suppressed.entries()]
    assert entries == [(GONE, hitl.deployment_id)]


def test_an_address_that_does_not_exist_gets_no_mail_of_anybody(hitl: Hitl) -> None:
    theirs = other_deployment(GONE)
    hitl.bounce(hitl.ask(assigned_to_email=GONE), GONE, "Complaint")
    hitl.bounce(hitl.ask(assigned_to_email=GONE), GONE)
    written = len(hitl.inbox)
    hitl.api("POST", "/v1/requests", {**NEW, "assigned_to_email": GONE}, key=theirs)
    hitl.browser().post("/sign-in", {"email": GONE})
    assert [mail.to for mail in hitl.inbox[written:]] == ["other@example.com"]
    assert [entry["deployment_id"] for entry in current().suppressed.entries()] == [None, hitl.deployment_id]
    assert current().suppressed.remove(GONE)
    assert not current().suppressed.entries()


def test_a_complaint_that_was_kept_before_deployments_were_still_holds_for_requests(hitl: Hitl) -> None:
    record = {
        "pk": "suppressed",
        "sk": GONE,
        "reason": "reported as spam by its recipient",
        "at": "2026-01-01T00:00:00Z",
    }
    table = current().settings.requests_table
    hitl._clients["dynamodb"].put_item(TableName=table, Item={name: {"S": value} for name, value in record.items()})
    other_deployment(GONE)
    hitl.ask(assigned_to_email=GONE)
    assert hitl.inbox[-1].to == "creator@example.com"
    assert hitl.signed_in(GONE).session


def test_a_sign_in_mail_that_somebody_calls_spam_silences_nothing(hitl: Hitl) -> None:
    hitl.browser().post("/sign-in", {"email": "creator@example.com"})
    complaint = {
        "eventType": "Complaint",
        "mail": {"messageId": "m", "tags": {"kind": ["sign_in"]}},
        "complaint": {"complainedRecipients": [{"emailAddress": "creator@example.com"}], "feedbackId": "f"},
    }
    hitl._deliver("mail_feedback", [_sqs_record("f", json.dumps(complaint))])
    assert not current().suppressed.entries()


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
