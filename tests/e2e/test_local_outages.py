"""A part of the real stack is away for a while and comes back; nobody acts, and all that should happen does, once."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local.running import running_stack
from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address
from tests.support.receiver import receiving
from tests.support.slices import WHOLE

pytestmark = [
    pytest.mark.e2e,
    # Pauses and the sweep go by the clock: up to a minute, and up to half an hour.
    pytest.mark.skipif(not WHOLE, reason="takes minutes; `make reliability` runs it"),
    pytest.mark.exhaustive,
]

# The sweep comes every five minutes, to events ten minutes old, and to deadlines five minutes late.
SWEPT_SECONDS = 1800.0


@contextmanager
def ses_away(local: LocalClient) -> Iterator[Callable[[], int]]:
    """Let SES be away while the block runs; yields what counts the emails that it has refused meanwhile."""
    address = f"{local.credentials.base_url}/_local/ses"
    before = web.put(address, json={"away": True}).json()["refused"]
    try:
        yield lambda: int(web.get(address).json()["refused"]) - before
    finally:
        web.put(address, json={})


def test_an_email_that_ses_did_not_take_goes_out_once_when_it_is_back(local: LocalClient) -> None:
    reviewer = fresh_address("away")
    with ses_away(local) as refused:
        request_id = local.ask(assigned_to_email=reviewer)["request"]["id"]
        eventually(refused, "SES refuses the email")
        assert local.mails(reviewer) == []
    mail = local.wait_for_mail(reviewer)
    local.send(reviewer, mail["reply_to"], "approved\n")
    local.wait_for_event(request_id, "confirmation_sent")
    assert len(local.mails(reviewer)) == 2
    assert local.kinds(request_id).count("notification_sent") == 1


def test_a_flow_that_was_away_is_resumed_once_when_it_is_back(local: LocalClient) -> None:
    with receiving() as flow:
        created = local.ask(resume_url=flow.url)
        flow.status = 503
        web.post(created["callback_url"], json={"feedback": "approved"})
        eventually(lambda: len(flow.received) >= 2, "two attempts")
        flow.status = 200
        delivered = eventually(lambda: _delivered(local, created["request"]["id"]), "the flow is resumed")
        assert delivered["attempts"] == len(flow.received)
        assert len({post.headers["idempotency-key"] for post in flow.received}) == 1


def test_the_sweep_makes_up_for_a_relay_and_a_schedule_that_are_gone(tmp_path: Path) -> None:
    """Events that the stream never gives to the relay again, and a deadline that nobody calls any more."""
    with running_stack(tmp_path, errors=tmp_path / "errors") as stack, receiving() as flow:
        local = LocalClient(stack.home, stack.credentials)
        clock = {"timeout_minutes": 5, "default_outcome": "rejected"}
        answered = local.ask(assigned_to_email="one@example.com", resume_url=flow.url)
        overdue = local.ask(assigned_to_email="two@example.com", resume_url=flow.url, auto_response=clock)
        ids = {name: made["request"]["id"] for name, made in (("answered", answered), ("overdue", overdue))}
        for request_id in ids.values():
            local.wait_for_event(request_id, "notification_sent")
        eventually(lambda: _forget_schedule(local, ids["overdue"]), "the schedule of the auto-response")
        with relay_away(local):
            web.post(answered["callback_url"], json={"feedback": "approved"})
            created = local.ask(assigned_to_email="three@example.com", resume_url=flow.url)
            ids["created"] = created["request"]["id"]
        # Longer than anything on its way takes.
        time.sleep(30)
        assert (flow.received, local.mails("three@example.com")) == ([], [])

        mail = eventually(lambda: local.mails("three@example.com"), "the question", SWEPT_SECONDS)[0]
        local.send("three@example.com", mail["reply_to"], "approved\n")
        for request_id in ids.values():
            eventually(lambda: _delivered(local, request_id), f"{ids}: {request_id} is resumed", SWEPT_SECONDS)  # noqa: B023

        response = local.request(ids["overdue"])["response"]
        assert (response["responded_via"], response["outcome"]) == ("auto_response", "rejected")
        assert sorted(post.headers["idempotency-key"] for post in flow.received) == sorted(ids.values())
        for request_id in ids.values():
            kinds = local.kinds(request_id)
            assert [kinds.count(kind) for kind in ("notification_sent", "response_submitted", "resume_attempted")] == [
                1, 1, 1,
            ]  # fmt: skip
        assert [len(local.mails(f"{name}@example.com")) for name in ("one", "two", "three")] == [1, 2, 2]


@contextmanager
def relay_away(local: LocalClient) -> Iterator[None]:
    """Take the relay off the stream while the block runs; it never gets what was written meanwhile."""
    client = local.aws("lambda")
    mappings = client.list_event_source_mappings()["EventSourceMappings"]
    (mapping,) = [
        one for one in mappings if ":dynamodb:" in one["EventSourceArn"] and "RelayFunction" in one["FunctionArn"]
    ]
    client.delete_event_source_mapping(UUID=mapping["UUID"])
    try:
        yield
    finally:
        client.create_event_source_mapping(
            EventSourceArn=mapping["EventSourceArn"],
            FunctionName=mapping["FunctionArn"],
            BatchSize=mapping["BatchSize"],
            StartingPosition="LATEST",
            FunctionResponseTypes=mapping.get("FunctionResponseTypes", []),
        )


def _forget_schedule(local: LocalClient, request_id: str) -> bool:
    """Delete the schedules of a request; tell whether there were any."""
    scheduler, group = local.aws("scheduler"), local.operator.outputs["SchedulerGroup"]
    listed = scheduler.list_schedules(GroupName=group)["Schedules"]
    own = [one["Name"] for one in listed if request_id in one["Name"]]
    for name in own:
        scheduler.delete_schedule(Name=name, GroupName=group)
    return bool(own)


def _delivered(local: LocalClient, request_id: str) -> dict[str, Any] | None:
    resume: dict[str, Any] | None = local.request(request_id)["resume"]
    return resume if resume and resume["status"] == "delivered" else None
