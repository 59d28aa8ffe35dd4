"""A manager gives a request to somebody else."""

import pytest

from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import Answer, AskedRequest, Hitl
from tests.support.asserts import (
    EMIT,
    api_key,
    assert_invalid,
    assert_problem,
    callback,
    everything_written,
    key_of_another_deployment,
)

ANN, BOB = "ann@example.com", "bob@example.com"


def ask(hitl: Hitl) -> AskedRequest:
    return hitl.ask("Publish?", emit=EMIT, assigned_to_email=ANN)


def reassign(hitl: Hitl, request: AskedRequest, to: str = BOB, key: str | None = "own") -> Answer:
    return hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": to}, key=key)


def test_the_new_person_is_asked_and_answers(hitl: Hitl) -> None:
    request = ask(hitl)

    answer = reassign(hitl, request)

    assert answer.status == 200
    shown = answer.json["request"]
    assert (shown["assigned_to_email"], shown["assigned_by"]) == (BOB, "reassignment")
    assert shown == request.now()
    assert hitl.inbox[-1].to == BOB
    assert 'because a program of the deployment "Content Review" reassigned this to you' in hitl.inbox[-1].text
    hitl.reply("approved")
    assert (request.outcome, request.response["responder"]) == ("approved", BOB)


def test_it_stands_on_the_timeline_with_who_and_from_whom(hitl: Hitl) -> None:
    request = ask(hitl)
    reassign(hitl, request)
    event = next(event for event in request.timeline if event["kind"] == "request_reassigned")
    assert (event["data"]["assigned_before"], event["data"]["assigned_to_email"]) == (ANN, BOB)
    assert event["actor"].startswith("api_key/")
    mails = ["handled_mail_sent", "notification_sent"]
    assert request.kinds == ["request_created", "notification_sent", "request_reassigned", *mails]


def test_the_former_persons_reply_and_link_are_dead(hitl: Hitl) -> None:
    request = ask(hitl)
    former = hitl.inbox[-1]
    reassign(hitl, request)

    hitl.reply("approved", to=former)
    assert hitl.page("GET", hitl.review_url(former)).status == 403
    assert hitl.page("POST", hitl.review_url(former), {"outcome": "approved"}).status == 403

    assert request.status == "pending"


def test_nobody_answers_with_the_former_persons_token_in_the_new_persons_name(hitl: Hitl) -> None:
    request = ask(hitl)
    former = hitl.inbox[-1]
    reassign(hitl, request)
    hitl.reply("approved", to=former, sender=BOB)
    assert request.status == "pending"


def test_the_callback_url_survives(hitl: Hitl) -> None:
    request = ask(hitl)
    reassign(hitl, request)
    assert callback(hitl, request).status == 200


def test_the_same_address_changes_nothing(hitl: Hitl) -> None:
    request = ask(hitl)
    before = everything_written(hitl)
    answer = reassign(hitl, request, ANN.upper())
    assert (answer.status, answer.json["request"]["assigned_by"]) == (200, "request")
    assert everything_written(hitl) == before


def test_with_notifications_off_nobody_is_written_to(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = ask(hitl)
    assert reassign(hitl, request).status == 200
    assert (hitl.inbox, request.now()["assigned_to_email"]) == ([], BOB)


def test_the_deadline_stays_where_it_was(hitl: Hitl) -> None:
    wish = {"timeout_minutes": 60, "default_outcome": "rejected"}
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN, auto_response=wish)
    hitl.advance(minutes=50)
    reassign(hitl, request)
    hitl.advance(minutes=10)
    assert request.response["responded_via"] == "auto_response"


def test_an_answered_request_is_not_passed_on(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("approved")
    for to in (BOB, ANN):
        problem = assert_problem(reassign(hitl, request, to), 409, "already-responded")
        assert (problem["outcome"], problem["responded_via"]) == ("approved", "email")


def test_a_cancelled_request_is_not_passed_on(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    assert assert_problem(reassign(hitl, request), 409, "not-pending")["request_status"] == "cancelled"


def test_only_to_the_allowed_domains(hitl: Hitl) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["example.com"]})
    request = ask(hitl)
    assert_invalid(reassign(hitl, request, "mallory@evil.example"), "/assigned_to_email")
    assert reassign(hitl, request).status == 200


@pytest.mark.parametrize("to", ["", "bob", "Bob <bob@example.com>", "a@example.com,b@example.com", "bob@localhost"])
def test_what_is_no_address_is_refused(hitl: Hitl, to: str) -> None:
    request = ask(hitl)
    before = everything_written(hitl)
    assert_invalid(reassign(hitl, request, to), "/assigned_to_email")
    assert everything_written(hitl) == before


def test_the_body_has_the_address_alone(hitl: Hitl) -> None:
    request = ask(hitl)
    path = f"/v1/requests/{request.id}/reassign"
    assert_invalid(hitl.api("POST", path, {}), "/assigned_to_email")
    assert_invalid(hitl.api("POST", path, {"assigned_to_email": BOB, "why": "holiday"}), "/why")


def test_it_needs_a_key_that_may_manage(hitl: Hitl) -> None:
    request = ask(hitl)
    assert_problem(reassign(hitl, request, key=None), 401, "unauthorized")
    flows = api_key(hitl, Permission.CREATE_REQUESTS, Permission.RESPOND)
    assert_problem(reassign(hitl, request, key=flows), 403, "forbidden")
    assert_problem(reassign(hitl, request, key=key_of_another_deployment()), 404, "not-found")
    assert reassign(hitl, request, key=api_key(hitl, Permission.MANAGE)).status == 200


def test_an_unknown_request_is_not_found(hitl: Hitl) -> None:
    path = "/v1/requests/00000000-0000-7000-8000-000000000000/reassign"
    assert_problem(hitl.api("POST", path, {"assigned_to_email": BOB}), 404, "not-found")
