"""Messages to the workers, and the one place that says how they are spelled."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.adapters.dynamodb import error_code
from flow_hitl.domain.effects import Effect, EffectKind
from flow_hitl.domain.times import parse_rfc3339, rfc3339
from flow_hitl.domain.webhook import Delivery

_LONGEST_DELAY = 900
_SOON_SECONDS = 60


def effect_message(effect: Effect) -> str:
    message: dict[str, Any] = {
        "kind": effect.kind.value,
        "request_id": effect.request_id,
        "event_seq": effect.event_seq,
    }
    return json.dumps({**message, "target": effect.target} if effect.target else message)


def read_effect(body: str) -> Effect:
    """Return the effect that a message names; raises KeyError or ValueError for a message that is none of ours."""
    message = json.loads(body)
    return Effect(
        EffectKind(message["kind"]), str(message["request_id"]), int(message["event_seq"]), message.get("target", "")
    )


def deadline_message(request_id: str, reminder_at: datetime | None = None) -> str:
    """Return the message that a request's auto-response is due, or the reminder of that moment (whole seconds)."""
    message = {"request_id": request_id}
    return json.dumps({**message, "reminder_at": rfc3339(reminder_at)} if reminder_at else message)


def read_deadline(body: str) -> tuple[str, datetime | None]:
    """Return the request that a message names, and the moment if it is about a reminder."""
    message = json.loads(body)
    reminder_at = message.get("reminder_at")
    return str(message["request_id"]), parse_rfc3339(reminder_at) if reminder_at else None


class SqsEffectQueue:
    """Sends each effect to the queue of its kind."""

    def __init__(self, client: Any, queue_urls: Mapping[EffectKind, str]) -> None:
        self._client, self._queue_urls = client, queue_urls

    def send(self, effect: Effect) -> None:
        self._client.send_message(QueueUrl=self._queue_urls[effect.kind], MessageBody=effect_message(effect))


class SchedulerDeadlines:
    """One-time schedules that send to the deadline queue and delete themselves."""

    def __init__(
        self, *, scheduler: Callable[[], Any], sqs: Any, group: str, role_arn: str, queue_arn: str, queue_url: str
    ) -> None:
        self._scheduler, self._sqs = scheduler, sqs
        self._group, self._role_arn, self._queue_arn, self._queue_url = group, role_arn, queue_arn, queue_url

    def schedule(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """See to it that `deadline` hears of the request at `due_at` (whole seconds); again does no harm.

        What is due within a minute goes to the queue, because Scheduler works by the minute.
        """
        if (due_at - now).total_seconds() <= _SOON_SECONDS:
            self.postpone(request_id, due_at, now, reminder=reminder)
            return
        message = deadline_message(request_id, due_at if reminder else None)
        try:
            self._scheduler().create_schedule(
                Name=f"reminder-{request_id}-{int(due_at.timestamp())}" if reminder else f"deadline-{request_id}",
                GroupName=self._group,
                ScheduleExpression=f"at({due_at:%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={"Arn": self._queue_arn, "RoleArn": self._role_arn, "Input": message},
            )
        except ClientError as error:
            if error_code(error) != "ConflictException":
                raise

    def postpone(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Send the message once more, to arrive at `due_at` or in a quarter of an hour, whichever is first."""
        delay = min(_LONGEST_DELAY, max(0, math.ceil((due_at - now).total_seconds())))
        message = deadline_message(request_id, due_at if reminder else None)
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message, DelaySeconds=delay)


class SqsDeliveryQueue:
    """Sends deliveries to the queue of the webhooks' worker, where the effects come from which they are."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, delivery: Delivery) -> None:
        body = json.dumps({"webhook_id": delivery.webhook_id, "delivery_id": delivery.delivery_id})
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)


def read_delivery(body: str) -> tuple[str, str] | None:
    """Return the webhook id and the delivery id that a message names, or None if it names an effect."""
    message = json.loads(body)
    return (str(message["webhook_id"]), str(message["delivery_id"])) if "delivery_id" in message else None


class SqsSignInQueue:
    """Sends tries to sign in to the worker that sends mails, by the queue from which it takes effects too."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, try_id: str) -> None:
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps({"sign_in": try_id}))


def read_sign_in(body: str) -> str | None:
    """Return the id of the try to sign in that a message names, or None if it names an effect."""
    found = json.loads(body).get("sign_in")
    return str(found) if found is not None else None


class SqsExportQueue:
    """Sends exports of the audit log to their worker."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, deployment_id: int, export_id: str) -> None:
        body = json.dumps({"deployment_id": deployment_id, "export_id": export_id})
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)


def read_export(body: str) -> tuple[int, str]:
    """Return the deployment's and the export's id that a message names."""
    message = json.loads(body)
    return int(message["deployment_id"]), str(message["export_id"])


class SqsMessages:
    """One queue, for the function that feeds or empties it."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, body: str) -> None:
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)

    def postpone(self, receipt_handle: str, seconds: int) -> None:
        """Hide a message that is in our hands for so long, after which it is delivered again."""
        self._client.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )
