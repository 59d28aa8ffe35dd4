"""A notification that does not arrive: said on the timeline, and the request does not hang."""

import json

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Hitl, sqs_record
from infra.local.hitl_fixture.stack import queue_url
from tests.support.asserts import NEW

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


@pytest.mark.parametrize(
    "text",
    [
        "Successfully validated SNS topic for Amazon SES event publishing.",
        "",
        "[]",
        '"text"',
        "{}",
        '{"eventType": "Bounce"}',
        '{"eventType": "Bounce", "mail": null}',
        '{"eventType": "RenderingFailure", "mail": {}}',
    ],
)
def test_what_is_no_report_is_dropped_and_does_not_come_again(hitl: Hitl, text: str) -> None:
    hitl._take_in("mail_feedback", text)
    counted = hitl._clients["sqs"].get_queue_attributes(QueueUrl=queue_url("mail_feedback"), AttributeNames=["All"])
    numbers = {name: text for name, text in counted["Attributes"].items() if name.startswith("ApproximateNumber")}
    assert set(numbers.values()) == {"0"}, "not even hidden for a later attempt"


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
    hitl._deliver("mail_feedback", [sqs_record("f", json.dumps(complaint))])
    assert not current().suppressed.entries()


@pytest.mark.parametrize("kind", ["Transient", "Undetermined"])
def test_an_out_of_office_reply_that_comes_as_a_bounce_takes_nothing_away(hitl: Hitl, kind: str) -> None:
    request = hitl.ask(emit=["yes"], assigned_to_email=GONE)

    hitl.bounce(request, GONE, kind)

    assert request.now()["assigned_to_email"] == GONE
    assert current().suppressed.reason(GONE) is None
    hitl.reply("yes")
    assert request.outcome == "yes"


CREATOR, ANN, BOB, CLEO = "creator@example.com", "ann@example.com", "bob@example.com", "cleo@example.com"


def add_managers(hitl: Hitl, *emails: str) -> None:
    for email in emails:
        member = Member(email, frozenset({Permission.MANAGE, Permission.RESPOND}))
        current().manage_deployments.set_member(hitl.deployment_id, member)


def test_where_the_creator_cannot_be_reached_all_others_who_manage_are_asked(hitl: Hitl) -> None:
    add_managers(hitl, CREATOR, ANN, BOB)
    current().manage_deployments.set_member(hitl.deployment_id, Member(CLEO, frozenset({Permission.RESPOND})))
    request = hitl.ask(emit=["yes", "no"])
    lost = hitl.inbox[-1]

    hitl.bounce(request, CREATOR)

    assert [mail.to for mail in hitl.inbox[1:]] == [ANN, BOB]
    assert request.now()["assigned_to_email"] == ANN
    assert request.timeline[-3]["data"]["people"] == [ANN, BOB]
    hitl.reply("yes", to=lost)
    assert request.status == "pending"
    hitl.reply("no", to=hitl.inbox[2])
    assert (request.outcome, request.response["responder"]) == ("no", BOB)


def test_one_other_manager_has_the_request_alone(hitl: Hitl) -> None:
    add_managers(hitl, ANN)
    current().suppressed.add(CREATOR, "bounced", hitl.clock.now())
    request = hitl.ask(emit=["yes"])
    assert (request.now()["assigned_to_email"], hitl.inbox[-1].to) == (ANN, ANN)
    hitl.reply("yes")
    assert request.outcome == "yes"


def test_a_lost_notification_goes_on_from_the_creator_to_the_managers_and_there_it_ends(hitl: Hitl) -> None:
    add_managers(hitl, ANN, BOB)
    for address in (CREATOR, ANN, BOB, GONE):
        current().suppressed.add(address, "bounced", hitl.clock.now())
    request = hitl.ask(emit=["yes"], assigned_to_email=GONE)
    assert not hitl.inbox
    assert request.kinds.count("request_reassigned") == 2
    assert request.kinds.count("notification_undelivered") == 4
    assert request.status == "pending"


def test_a_manager_who_asked_or_may_not_be_asked_is_passed_over(hitl: Hitl) -> None:
    add_managers(hitl, ANN, BOB, "dan@elsewhere.example")
    hitl.configure(settings={"forbid_self_approval": True, "allowed_assignee_domains": ["example.com"]})
    request = hitl.ask(emit=["yes"], metadata={"requested_by": "Ann+x@example.com"})
    hitl.bounce(request, CREATOR)
    assert (request.now()["assigned_to_email"], hitl.inbox[-1].to) == (BOB, BOB)


def test_that_nobody_is_reached_is_said_on_the_dashboard_in_the_diagnosis_and_by_alarm(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    creator = hitl.signed_in()
    request = hitl.ask(emit=["yes"])
    page = f"/d/{hitl.deployment_id}/requests/{request.id}"
    assert "No email about this request reaches" not in creator.get(page).text
    capsys.readouterr()

    hitl.bounce(request, CREATOR)

    assert '"CreatorUnreachable":[1.0]' in capsys.readouterr().out
    assert f"No email about this request reaches {CREATOR}" in creator.get(page).text
    diagnosis = hitl.api("GET", f"/v1/requests/{request.id}/diagnosis").text
    assert f"The request waits for {CREATOR}, whom no email reaches" in diagnosis
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": ANN})
    assert "No email about this request reaches" not in creator.get(page).text
    assert "whom no email reaches" not in hitl.api("GET", f"/v1/requests/{request.id}/diagnosis").text


def test_a_lost_mail_to_somebody_else_raises_no_alarm(hitl: Hitl, capsys: pytest.CaptureFixture[str]) -> None:
    hitl.bounce(hitl.ask(assigned_to_email=GONE), GONE)
    assert "CreatorUnreachable" not in capsys.readouterr().out


def test_a_creator_who_manages_alone_and_cannot_be_reached_keeps_the_request(
    hitl: Hitl,
) -> None:
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
