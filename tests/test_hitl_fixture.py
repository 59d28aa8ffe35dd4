"""What the `hitl` fixture promises to whoever tests a flow with it."""

from datetime import timedelta
from typing import Any

import boto3
from moto import mock_aws

from infra.local.hitl_fixture import START, Hitl, hitl_on_moto
from infra.local.hitl_fixture.stack import REGION
from tests.support.asserts import EMIT

CLOCK = {"timeout_minutes": 60, "default_outcome": "rejected"}


def found(hitl: Hitl) -> tuple[Any, ...]:
    """Return all that a test can see of the stack."""
    requests = hitl.api("GET", "/v1/requests").json["requests"]
    settings = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/settings").json
    return requests, [mail.raw for mail in hitl.inbox], settings, hitl.clock.now(), list(hitl._coming())


def test_no_test_finds_anything_that_another_left_behind() -> None:
    ids = []
    for _ in range(2):
        with hitl_on_moto() as hitl:
            requests, mails, settings, now, coming = found(hitl)
            assert (requests, mails, now) == ([], [], START)
            assert coming == [START + timedelta(minutes=15)], "the first sweep"
            assert settings["email_notifications"]
            ids.append(hitl.ask("Publish?", emit=EMIT, output="x" * 100_000, auto_response=CLOCK).id)
            hitl.configure(settings={"email_notifications": False})
            hitl.advance(minutes=30)
    assert ids[0] == ids[1], "the ids are the same in every run"


def test_emails_arrive_after_a_test_that_asked_moto_for_ses_by_itself() -> None:
    with mock_aws():
        boto3.client("sesv2", region_name=REGION).list_email_identities()
    for _ in range(2):
        with hitl_on_moto() as hitl:
            assert hitl.inbox == []
            go_back = hitl.checkpoint()
            hitl.ask("Publish?", emit=EMIT)
            assert len(hitl.inbox) == 1
            go_back()
            assert hitl.inbox == []


def test_a_checkpoint_can_be_gone_back_to_again_and_again(hitl: Hitl) -> None:
    request = hitl.ask("Publish?", emit=EMIT, output="x" * 100_000, auto_response=CLOCK)
    hitl.advance(minutes=5)
    before, go_back = found(hitl), hitl.checkpoint()
    for outcome in EMIT:
        hitl.reply(outcome)
        assert request.outcome == outcome
        hitl.ask("Another?")
        hitl.configure(settings={"email_notifications": False})
        go_back()
        assert found(hitl) == before
    hitl.advance(minutes=55)
    assert request.response["responded_via"] == "auto_response"
