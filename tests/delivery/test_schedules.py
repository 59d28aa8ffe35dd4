"""A request that is over leaves no schedule behind, and whoever has none pays nothing."""

import pytest
from botocore.exceptions import EndpointConnectionError

from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import Call, When, watched

AUTO = {"timeout_minutes": 60, "default_outcome": "rejected"}


def schedules(hitl: Hitl) -> list[str]:
    return [schedule["Name"] for schedule in hitl._clients["scheduler"].list_schedules(GroupName="hitl")["Schedules"]]


@pytest.mark.parametrize("how", ["answered", "canceled"])
def test_a_request_that_is_over_leaves_no_schedule(hitl: Hitl, how: str) -> None:
    hitl.configure(settings={"reminders": [{"minutes_before_timeout": 30}, {"minutes_before_timeout": 50}]})
    request, other = (hitl.ask(emit=EMIT, auto_response=AUTO) for _ in range(2))
    assert len(schedules(hitl)) == 6
    hitl.advance(minutes=15)
    with watched(hitl) as calls:
        if how == "answered":
            callback(hitl, request)
        else:
            hitl.api("DELETE", f"/v1/requests/{request.id}")
    # The reminder after ten minutes is over: its schedule has deleted itself.
    assert calls.operations.count("scheduler.DeleteSchedule") == 2
    left = schedules(hitl)
    assert len(left) == 2
    assert all(other.id in name for name in left)


def test_without_a_schedule_or_after_it_nothing_is_called(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    late = hitl.ask(emit=EMIT, auto_response=AUTO)
    with watched(hitl) as calls:
        callback(hitl, request)
        hitl.advance(minutes=61)
    assert late.response["responded_via"] == "auto_response"
    assert not [operation for operation in calls.operations if operation.startswith("scheduler")]


def test_nobody_waits_for_their_mail_because_nothing_can_be_scheduled(hitl: Hitl) -> None:
    def away(call: Call, when: When) -> None:
        if when == "before" and call.operation == "scheduler.CreateSchedule":
            raise EndpointConnectionError(endpoint_url="https://scheduler")

    hitl.configure(settings={"reminders": [{"minutes_before_timeout": 30}]})
    with watched(hitl, away):
        request = hitl.ask(emit=EMIT, auto_response=AUTO)
        assert request.kinds == ["request_created", "notification_sent"]
    hitl.advance(minutes=1)
    assert len(schedules(hitl)) == 2


def test_a_schedule_that_is_gone_or_cannot_be_deleted_holds_up_nothing(hitl: Hitl) -> None:
    def away(call: Call, when: When) -> None:
        if when == "before" and call.operation == "scheduler.DeleteSchedule":
            raise EndpointConnectionError(endpoint_url="https://scheduler")

    gone, kept = (hitl.ask(emit=EMIT, auto_response=AUTO) for _ in range(2))
    hitl._clients["scheduler"].delete_schedule(GroupName="hitl", Name=f"deadline-{gone.id}")
    hitl.reply("approved", to=hitl.inbox[0])
    with watched(hitl, away):
        hitl.reply("approved", to=hitl.inbox[1])
    hitl.advance(minutes=90)
    for request in (gone, kept):
        assert request.kinds.count("response_submitted") == 1
        assert request.kinds.count("confirmation_sent") == 1
    assert schedules(hitl) == []
