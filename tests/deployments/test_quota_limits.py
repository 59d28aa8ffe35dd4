"""A flow that runs in circles is stopped at the door, clearly and for a time; nothing that was taken is lost."""

from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from flow_hitl.platform.dynamodb import item, values
from infra.local.hitl_fixture import Answer, Hitl
from infra.local.hitl_fixture.between import lambda_context
from tests.support.asserts import (
    EMIT,
    NEW,
    api_key,
    assert_problem,
    callback,
    everything_written,
    key_of_another_deployment,
)
from tests.support.aws_calls import Call, When, unsettled, watched

ANN, BOB = "ann@example.com", "bob@example.com"
OWN_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"


def limit(hitl: Hitl, **quotas: Any) -> None:
    """Set quotas as the operator does."""
    current().manage_deployments.set_quotas(hitl.deployment_id, **quotas)


def post(hitl: Hitl, headers: dict[str, str] | None = None, **fields: Any) -> Answer:
    return hitl.api("POST", "/v1/requests", {**NEW, **fields}, headers=headers)


def used(hitl: Hitl) -> tuple[int, int]:
    """Return the requests of this hour and the mails of this day, as they are counted."""
    usage = current().manage_deployments.usage(hitl.deployment_id)
    return usage.requests, usage.mails


def test_a_loop_is_stopped_until_the_hour_is_over(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=3)
    hitl.advance(minutes=20)
    assert [post(hitl).status for _ in range(3)] == [201] * 3
    before = everything_written(hitl)

    refused = post(hitl)

    problem = assert_problem(refused, 429, "rate-limited")
    assert refused.headers["Retry-After"] == str(40 * 60)
    assert (problem["quota"], problem["limit"], problem["retry_after"]) == ("requests_per_hour", 3, 40 * 60)
    assert "3 requests per hour" in problem["detail"]
    assert "2026-01-14T13:00:00Z" in problem["detail"]
    assert everything_written(hitl) == before
    hitl.advance(minutes=40)
    assert post(hitl).status == 201


def test_what_was_taken_before_goes_its_way(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=1, mails_per_day=1)
    hitl.configure(settings={"reminders": [{"minutes_before_timeout": 15}]})
    request = hitl.ask(
        emit=EMIT, assigned_to_email=ANN, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"}
    )
    assert_problem(post(hitl), 429, "rate-limited")
    hitl.advance(minutes=45)
    hitl.reply("approved", verdicts={"dmarc": "FAIL"})
    hitl.reply("approved", to=hitl.inbox[0])
    assert request.outcome == "approved"
    sent = ["request_created", "notification_sent", "reminder_due", "reminder_sent", "reply_rejected"]
    assert request.kinds == [*sent, "error_mail_sent", "response_submitted", "confirmation_sent"]
    assert [mail.to for mail in hitl.inbox] == [ANN] * 4


def test_mails_are_counted_by_the_day_whatever_they_say(hitl: Hitl) -> None:
    hitl.configure(
        settings={
            "groups": [{"name": "finance", "members": [ANN, BOB]}],
            "reminders": [{"minutes_before_timeout": 15}],
            "allow_delegation": True,
        }
    )
    hitl.ask(
        emit=EMIT,
        assigned_to_email="group:finance",
        auto_response={"timeout_minutes": 60, "default_outcome": "rejected"},
    )
    hitl.reply("approved", to=hitl.inbox[0], sender="somebody@example.com")
    hitl.reply("delegate: cleo@example.com", to=hitl.inbox[0])
    hitl.advance(minutes=45)
    before = len(hitl.inbox)
    assert used(hitl) == (1, before)
    hitl.reply("approved", to=hitl.inbox[1])
    assert used(hitl) == (1, before), "emails about an answer count when the sweep looks at it"
    assert len(hitl.inbox) > before + 1
    assert len(hitl.inbox) > 6
    hitl.advance(minutes=30)
    assert used(hitl) == (0, len(hitl.inbox)), "the hour is over, the day is not"
    hitl.advance(days=1)
    assert used(hitl) == (0, 0)


def answered(hitl: Hitl, number: int) -> None:
    for _ in range(number):
        hitl.ask(emit=EMIT)
        hitl.reply("approved")


def forget_where_the_sweep_was(hitl: Hitl) -> None:
    """As if the last run of the sweep had died before it could say how far it came."""
    key = item({"pk": "sweep", "sk": "watermark"})
    hitl._clients["dynamodb"].delete_item(TableName="deployments", Key=key)


def test_emails_about_an_answer_count_within_a_quarter_of_an_hour(hitl: Hitl) -> None:
    answered(hitl, 2)
    assert used(hitl) == (2, 2)
    hitl.advance(minutes=15)
    assert used(hitl) == (2, 4)
    answered(hitl, 1)
    hitl.advance(minutes=15)
    assert used(hitl) == (3, 6)


def test_a_sweep_that_begins_again_counts_no_email_twice(hitl: Hitl) -> None:
    answered(hitl, 2)
    hitl.advance(minutes=15)
    answered(hitl, 1)
    hitl.advance(minutes=15)
    forget_where_the_sweep_was(hitl)
    answered(hitl, 1)
    hitl.advance(minutes=15)
    assert used(hitl) == (4, 8)


def test_events_that_are_replayed_are_not_counted_again(hitl: Hitl) -> None:
    answered(hitl, 2)
    hitl.advance(minutes=15)
    now = hitl.clock.now().replace(microsecond=0)
    assert sum(one.events for one in current().replay(now - timedelta(hours=1), now, dry_run=False)) > 4
    assert used(hitl) == (2, 4)


def test_emails_about_answers_count_on_the_day_of_the_answer(hitl: Hitl) -> None:
    hitl.advance(minutes=12 * 60 - 1)
    answered(hitl, 1)
    hitl.advance(minutes=2)
    answered(hitl, 1)
    hitl.advance(minutes=15)
    assert used(hitl)[1] == 2
    key = item({"pk": f"deployment#{hitl.deployment_id}", "sk": "activity#2026-01-14"})
    day = values(hitl._clients["dynamodb"].get_item(TableName="deployments", Key=key)["Item"])
    assert day["mails"] == 2


def test_a_count_that_fails_in_the_sweep_raises_an_alarm_and_holds_up_nothing(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(call: Call, when: When) -> None:
        if (call.function, call.operation, when) == ("sweep", "dynamodb.UpdateItem", "before"):
            raise refused_by_aws("UpdateItem")

    answered(hitl, 1)
    with watched(hitl, refuse):
        hitl.advance(minutes=15)
    assert used(hitl) == (1, 1)
    said = capsys.readouterr().out
    assert '"UsageNotCounted":[1.0]' in said
    assert '"SweepEnded":[1.0]' in said


def test_when_the_mails_of_the_day_are_used_up_new_requests_wait_for_the_next(hitl: Hitl) -> None:
    limit(hitl, mails_per_day=2)
    hitl.ask(emit=EMIT)
    request = hitl.ask(emit=EMIT)
    refused = post(hitl)
    assert assert_problem(refused, 429, "rate-limited")["quota"] == "mails_per_day"
    assert refused.headers["Retry-After"] == str(12 * 3600)
    hitl.reply("approved")
    assert request.outcome == "approved"
    hitl.advance(minutes=12 * 60)
    assert post(hitl).status == 201


def test_a_request_that_is_not_mailed_needs_no_mail(hitl: Hitl) -> None:
    limit(hitl, mails_per_day=1)
    hitl.ask(emit=EMIT)
    assert post(hitl).status == 429
    hitl.configure(settings={"email_notifications": False})
    assert post(hitl).status == 201


def test_the_same_call_again_gets_its_request_even_so(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=2)
    key = {"Idempotency-Key": "order-1"}
    by_id, by_key = post(hitl, id=OWN_ID), post(hitl, key)
    assert (by_id.status, by_key.status) == (201, 201)

    again_by_id, again_by_key = post(hitl, id=OWN_ID), post(hitl, key)

    assert (again_by_id.status, again_by_key.status) == (200, 200)
    assert again_by_id.json["request"]["id"] == OWN_ID
    assert again_by_key.json == by_key.json
    assert_problem(post(hitl, id=OWN_ID, message="Something else"), 422, "idempotency-mismatch")
    assert_problem(post(hitl, key, message="Something else"), 422, "idempotency-mismatch")
    assert_problem(post(hitl, id=OWN_ID[:-1] + "c"), 429, "rate-limited")
    assert_problem(post(hitl, {"Idempotency-Key": "order-2"}), 429, "rate-limited")


def test_an_idempotency_key_of_old_is_a_new_request(hitl: Hitl) -> None:
    key = {"Idempotency-Key": "order-1"}
    assert post(hitl, key).status == 201
    hitl.advance(days=7, seconds=1)
    limit(hitl, requests_per_hour=1)
    assert post(hitl).status == 201
    assert_problem(post(hitl, key), 429, "rate-limited")


def test_what_is_wrong_with_a_request_is_said_first(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=1)
    hitl.ask()
    assert_problem(post(hitl, message=" "), 422, "validation")
    assert_problem(hitl.api("POST", "/v1/requests", NEW, key=api_key(hitl, Permission.RESPOND)), 403, "forbidden")


def test_answers_and_reads_have_no_quota(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=1, mails_per_day=1)
    request = hitl.ask(emit=EMIT)
    assert hitl.api("GET", f"/v1/requests/{request.id}").status == 200
    assert hitl.api("GET", "/v1/requests").status == 200
    assert callback(hitl, request).status == 200


def test_passing_on_by_api_needs_a_mail_and_changes_nothing_without_one(hitl: Hitl) -> None:
    limit(hitl, mails_per_day=1)
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN)
    refused = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB})
    assert assert_problem(refused, 429, "rate-limited")["quota"] == "mails_per_day"
    assert int(refused.headers["Retry-After"]) > 0
    assert (request.now()["assigned_to_email"], request.kinds) == (ANN, ["request_created", "notification_sent"])
    kept = hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": ANN})
    assert kept.status == 200, "who has it keeps it without a mail"


def test_a_quota_is_its_deployments_own(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=1)
    other = key_of_another_deployment()
    hitl.ask()
    assert post(hitl).status == 429
    assert hitl.api("POST", "/v1/requests", NEW, key=other).status == 201
    assert used(hitl) == (1, 1)


def test_a_raised_quota_counts_from_the_next_call_and_is_in_the_audit_log(hitl: Hitl) -> None:
    limit(hitl, requests_per_hour=1)
    hitl.ask()
    assert post(hitl).status == 429
    limit(hitl, requests_per_hour=2)
    assert post(hitl).status == 201
    limit(hitl, requests_per_hour=2)
    items = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    changes = [item for item in items if item["kind"]["S"] == "quotas_changed"]
    assert len(changes) == 2, "what changes nothing is no event"
    assert '"after":{"mails_per_day":10000,"requests_per_hour":2}' in max(item["data"]["S"] for item in changes)


def test_it_is_said_before_it_is_used_up(hitl: Hitl, capsys: pytest.CaptureFixture[str]) -> None:
    limit(hitl, requests_per_hour=5)
    first = [post(hitl).json["request"]["warnings"] for _ in range(4)]
    assert first == [[]] * 4
    capsys.readouterr()

    (warning,) = post(hitl).json["request"]["warnings"]

    assert "4 of this deployment's 5 requests per hour are used" in warning
    alarm = capsys.readouterr().out
    assert '"QuotaNearlyUsed":[1.0]' in alarm
    assert '"requests_this_hour":4' in alarm
    assert post(hitl).status == 429
    assert '"requests_this_hour":5' in capsys.readouterr().out


def refused_by_aws(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)


def test_an_event_that_is_relayed_at_the_second_attempt_is_counted_once(hitl: Hitl) -> None:
    failed: list[Call] = []

    def refuse(call: Call, when: When) -> None:
        if (call.function, call.operation, when) == ("relay", "sqs.SendMessage", "before") and not failed:
            failed.append(call)
            raise refused_by_aws("SendMessage")

    with unsettled(hitl):
        for _ in range(3):
            hitl.ask(emit=EMIT)
    with watched(hitl, refuse):
        hitl.advance(seconds=1)
    assert failed
    assert used(hitl) == (3, 3)


def records(hitl: Hitl) -> list[dict[str, Any]]:
    """Return all audit events of requests as the stream has them."""
    items = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    wanted = [item for item in items if item["subject"]["S"].startswith("request#")]
    return [{"eventSource": "aws:dynamodb", "eventName": "INSERT", "dynamodb": {"NewImage": item}} for item in wanted]


def test_a_batch_that_comes_again_whole_or_in_part_is_counted_once(hitl: Hitl) -> None:
    from functions.relay import handler

    for _ in range(70):
        hitl.ask(emit=EMIT)
    assert used(hitl) == (70, 70)
    batch = records(hitl)
    handler({"Records": batch}, lambda_context("relay"))
    handler({"Records": batch[: len(batch) // 2]}, lambda_context("relay"))
    assert used(hitl) == (70, 70)


def test_what_is_new_in_a_batch_that_comes_again_is_counted(hitl: Hitl) -> None:
    from functions.relay import handler

    first = hitl.ask(emit=EMIT)
    with unsettled(hitl):
        hitl.ask(emit=EMIT)
        handler({"Records": records(hitl)}, lambda_context("relay"))
    assert used(hitl) == (2, 2)
    hitl.advance(seconds=1)
    assert used(hitl) == (2, 2)
    assert first.status == "pending"


def test_what_the_count_remembers_does_not_grow_with_the_day(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    sizes = []
    for _ in range(10):
        for _ in range(3):
            hitl.ask(emit=EMIT)
        hitl.advance(minutes=20)
        rows = hitl._clients["dynamodb"].scan(TableName="deployments")["Items"]
        (day,) = [row for row in rows if row["sk"]["S"].startswith("activity#")]
        sizes.append(sum(len(value["SS"]) for value in day.values() if "SS" in value))
    assert max(sizes) <= 6
    assert len(str(day)) < 1024, "one write unit"


def test_a_count_that_fails_holds_up_no_mail_and_raises_an_alarm(
    hitl: Hitl, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(call: Call, when: When) -> None:
        if (call.function, call.operation, when) == ("relay", "dynamodb.UpdateItem", "before"):
            raise refused_by_aws("UpdateItem")

    with watched(hitl, refuse) as calls:
        request = hitl.ask(emit=EMIT)
        hitl.advance(minutes=10)
    assert request.kinds == ["request_created", "notification_sent"]
    assert len(hitl.inbox) == 1
    assert calls.operations.count("dynamodb.UpdateItem") == 2, "the count once, and the mail's claim"
    assert used(hitl) == (0, 0)
    assert '"UsageNotCounted":[1.0]' in capsys.readouterr().out


def test_what_was_used_is_forgotten_after_a_week(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    rows = hitl._clients["dynamodb"].scan(TableName="deployments")["Items"]
    (day,) = [row for row in rows if row["sk"]["S"].startswith("activity#")]
    assert day["sk"]["S"] == "activity#2026-01-14"
    assert int(day["ttl"]["N"]) == int(hitl.clock.now().timestamp()) + 7 * 24 * 3600
