"""What is promised for later happens, whatever was lost on the way there; what cannot be mended is found."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flow_hitl.audit.effects import Effect, EffectKind
from flow_hitl.bootstrap import current
from flow_hitl.platform import aws
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import Call, When, unsettled, watched
from tests.support.outages import agenda, purge
from tests.support.receiver import Receiver, receiving

IN_AN_HOUR = {"timeout_minutes": 60, "default_outcome": "rejected"}
MAILED = ["request_created", "notification_sent"]


@pytest.fixture
def app() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def test_an_auto_response_whose_schedule_was_deleted_comes_a_few_minutes_late(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    delete_schedules()
    hitl.advance(minutes=64)
    assert request.status == "pending"
    hitl.advance(minutes=2)
    assert request.response["responded_at"] == "2026-01-14T13:05:00Z"
    assert request.kinds.count("response_submitted") == 1


def test_one_whose_message_was_lost_comes_too(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    hitl.advance(minutes=59)
    with unsettled(hitl):
        hitl.advance(minutes=2)
    purge("deadline")
    hitl.advance(minutes=5)
    assert request.outcome == "rejected"


def test_one_that_comes_while_everything_is_down_for_three_days_comes_after_that(hitl: Hitl) -> None:
    hitl.sweep()
    request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    hitl.advance(minutes=15)
    delete_schedules()
    hitl.clock.sleep(timedelta(days=3).total_seconds())
    hitl.advance(minutes=5)
    assert request.response["responded_at"] == "2026-01-17T12:15:00Z"


def test_a_reminder_whose_schedule_was_deleted_comes_once(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}], "sla_target_minutes": 120})
    request = hitl.ask(emit=EMIT)
    delete_schedules()
    hitl.advance(minutes=66)
    assert request.kinds == [*MAILED, "reminder_due", "reminder_sent"]
    hitl.advance(days=10)
    assert len(hitl.inbox) == 2


def test_what_went_well_leaves_nothing_on_the_agenda(hitl: Hitl) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}], "sla_target_minutes": 60})
    request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    hitl.advance(minutes=15)
    assert [entry.partition("#")[2].partition("#")[0] for entry in agenda()] == ["reminder", "auto_response"]
    hitl.advance(minutes=60)
    assert agenda() == []
    assert request.kinds[:5] == [*MAILED, "reminder_due", "reminder_sent", "response_submitted"]


def test_an_answered_request_is_left_alone_by_its_reminders_and_deadline(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    callback(hitl, request)
    delete_schedules()
    hitl.advance(minutes=90)
    assert request.outcome == "approved"
    assert agenda() == []


def test_an_email_whose_worker_died_and_whose_message_is_gone_is_sent(hitl: Hitl) -> None:
    with unsettled(hitl):
        request = hitl.ask(emit=EMIT)
    hitl._relay_new_events()
    effect = Effect(EffectKind.NOTIFY, request.id, 1)
    assert current()._effects.claim(effect, hitl.clock.now(), timedelta(minutes=1))
    purge("email")
    hitl.advance(days=4)
    assert hitl.inbox == [], "its queue may still deliver it"
    hitl.advance(days=1)
    assert request.kinds == MAILED
    hitl.advance(days=20)
    assert len(hitl.inbox) == 1
    assert agenda() == []


def test_an_answer_that_was_given_up_is_sent_again_when_the_flow_may_be_back(hitl: Hitl, app: Receiver) -> None:
    app.status = 503
    request = hitl.ask(emit=EMIT, resume_url=app.url)
    callback(hitl, request)
    hitl.advance(days=1, minutes=120)
    assert request.now()["resume"]["status"] == "failed"
    app.status = 200
    hitl.advance(days=1)
    assert request.now()["resume"]["status"] == "delivered"
    posts = len(app.received)
    hitl.advance(days=14)
    assert len(app.received) == posts


def test_an_export_that_has_stopped_goes_on(hitl: Hitl) -> None:
    with unsettled(hitl):
        answer = hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/audit/export", {})
    export = answer.json["export"]["id"]
    purge("export")
    hitl.advance(minutes=119)
    path = f"/v1/deployments/{hitl.deployment_id}/audit/export/{export}"
    assert hitl.api("GET", path).json["export"]["state"] == "pending"
    hitl.advance(minutes=10)
    assert hitl.api("GET", path).json["export"]["state"] == "done"


def test_a_request_that_reaches_nobody_is_found_after_a_day_and_each_week(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.bounce(request, "creator@example.com")
    capsys.readouterr()
    hitl.advance(days=16)
    found = [document for document in metrics(capsys) if "SweepFound" in document]
    assert [(one["topic"], one["subject"]) for one in found] == [("owner", request.id)] * 3
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "b@example.com"})
    hitl.advance(days=16)
    assert [document for document in metrics(capsys) if "SweepFound" in document] == []
    assert agenda() == []


def test_a_deadline_that_cannot_be_kept_is_found(hitl: Hitl, capsys: pytest.CaptureFixture[str]) -> None:
    request = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    delete_schedules()

    def refuse(call: Call, when: When) -> None:
        if call.function == "deadline":
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "down"}}, "GetItem")

    with watched(hitl, refuse):
        hitl.advance(minutes=180)
    found = [document for document in metrics(capsys) if "SweepFound" in document]
    assert {(one["topic"], one["subject"]) for one in found} == {("auto_response", request.id)}
    hitl.advance(days=1)
    assert request.outcome == "rejected"


def test_what_is_late_for_a_day_gets_one_message_and_is_found(hitl: Hitl, capsys: pytest.CaptureFixture[str]) -> None:
    """Its message comes again by itself: more of them would not help, and each would be tried."""
    timed_out = hitl.ask(emit=EMIT, auto_response=IN_AN_HOUR)
    with unsettled(hitl):
        late = hitl.ask(emit=EMIT)

    def refuse(call: Call, when: When) -> None:
        if call.function in ("deadline", "send_email") and call.operation.startswith("dynamodb") and when == "before":
            raise ClientError({"Error": {"Code": "InternalServerError", "Message": "down"}}, "GetItem")

    with watched(hitl, refuse) as calls:
        hitl.advance(days=1, minutes=8 * 60)
    sent = [call for call in calls.begun if call.function == "sweep" and call.operation == "sqs.SendMessage"]
    assert len(sent) == 2, "one for the auto-response and one for the email"
    found = [document["topic"] for document in metrics(capsys) if "SweepFound" in document]
    assert (found.count("auto_response"), found.count("effect")) == (3, 1)
    hitl.advance(minutes=61)
    assert timed_out.outcome == "rejected"
    assert late.kinds == MAILED


def delete_schedules() -> None:
    scheduler = aws.client("scheduler")
    for schedule in scheduler.list_schedules(GroupName="hitl")["Schedules"]:
        scheduler.delete_schedule(GroupName="hitl", Name=schedule["Name"])


def metrics(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the metrics that were counted since this was last asked."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith('{"_aws"')]
