"""Webhooks without any I/O: which secret signs, what is told, and how a delivery is named."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flow_hitl.audit.chain import EventKind
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.webhooks.webhook import (
    DeliveryResult,
    DeliveryStatus,
    SealedSecret,
    Webhook,
    body_of,
    delivery_id,
    event_of,
    events_wanted,
    first_delivery,
    redelivery,
)
from tests.support import examples
from tests.support.examples import NOON

HOUR = timedelta(hours=1)
OLD = SealedSecret("old", NOON)
WEBHOOK = Webhook(
    webhook_id="wh_1",
    deployment_id=456,
    name="Jira",
    url="https://jira.example.com/",
    events=(WebhookEvent.NEW_REQUEST,),
    active=True,
    created_at=NOON,
    secrets=(OLD,),
)


def test_a_new_secret_signs_from_its_moment_on() -> None:
    new = SealedSecret("new", NOON + HOUR)
    rotated = WEBHOOK.rotated(new, NOON)
    assert rotated.secret_at(NOON + HOUR - timedelta(seconds=1)) == OLD
    assert rotated.secret_at(NOON + HOUR) == new


def test_a_secret_that_signs_at_once_is_the_only_one() -> None:
    new = SealedSecret("new", NOON)
    assert WEBHOOK.rotated(new, NOON).secrets == (new,)


def test_a_rotation_forgets_a_secret_that_never_signed_and_one_that_signs_no_more() -> None:
    second, third = SealedSecret("second", NOON + HOUR), SealedSecret("third", NOON + 3 * HOUR)
    rotated = WEBHOOK.rotated(second, NOON)
    assert rotated.rotated(third, NOON).secrets == (OLD, third)
    assert rotated.rotated(third, NOON + 2 * HOUR).secrets == (second, third)


def test_a_clock_that_goes_behind_still_finds_a_secret() -> None:
    assert WEBHOOK.secret_at(NOON - timedelta(seconds=2)) == OLD


def test_only_active_webhooks_want_anything() -> None:
    cancelled = replace(WEBHOOK, events=(WebhookEvent.REQUEST_CANCELLED,))
    assert events_wanted([cancelled, WEBHOOK]) == (WebhookEvent.NEW_REQUEST, WebhookEvent.REQUEST_CANCELLED)
    assert events_wanted([replace(cancelled, active=False), WEBHOOK]) == (WebhookEvent.NEW_REQUEST,)
    assert not replace(WEBHOOK, active=False).wants(WebhookEvent.NEW_REQUEST)


@pytest.mark.parametrize("kind", EventKind)
def test_four_kinds_of_events_are_told(kind: EventKind) -> None:
    told = {
        EventKind.REQUEST_CREATED: WebhookEvent.NEW_REQUEST,
        EventKind.RESPONSE_SUBMITTED: WebhookEvent.RESPONSE_SUBMITTED,
        EventKind.REQUEST_CANCELLED: WebhookEvent.REQUEST_CANCELLED,
        EventKind.QUESTION_ASKED: WebhookEvent.QUESTION_ASKED,
    }
    assert event_of(examples.event(kind, {})) == told.get(kind)


def test_a_delivery_is_named_by_its_event_and_its_webhook() -> None:
    event = examples.event(EventKind.REQUEST_CREATED, {})
    first = first_delivery(WEBHOOK, event, WebhookEvent.NEW_REQUEST)
    assert first == first_delivery(WEBHOOK, event, WebhookEvent.NEW_REQUEST)
    assert first.message_id == first.delivery_id
    other = first_delivery(replace(WEBHOOK, webhook_id="wh_2"), event, WebhookEvent.NEW_REQUEST)
    assert other.delivery_id != first.delivery_id


def test_a_redelivery_is_a_delivery_of_its_own_of_the_same_message() -> None:
    first = first_delivery(WEBHOOK, examples.event(EventKind.REQUEST_CREATED, {}), WebhookEvent.NEW_REQUEST)
    failed = replace(first, attempts=1, result=DeliveryResult(500, "HTTP 500", 12, "", NOON))
    again = redelivery(redelivery(failed, seed="a", at=NOON + HOUR), seed="b", at=NOON + 2 * HOUR)
    assert again.message_id == first.message_id
    assert again.delivery_id != first.delivery_id
    assert (again.attempts, again.result) == (0, None)


def test_deliveries_sort_by_their_second() -> None:
    ids = [delivery_id(NOON + timedelta(seconds=second), f"seed {second}") for second in range(100)]
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(199, "failed"), (200, "delivered"), (299, "delivered"), (300, "failed"), (500, "failed"), (None, "failed")],
)
def test_2xx_alone_is_delivered(status: int | None, expected: str) -> None:
    assert DeliveryResult(status, "", 0, "", NOON).status is DeliveryStatus(expected)


def test_a_body_is_json_in_utf_8() -> None:
    assert body_of({"text": "Grüße 🎉"}) == '{"text":"Grüße 🎉"}'.encode()
