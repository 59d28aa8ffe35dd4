"""Deadlines and reminders, as one-time schedules and messages."""

import json
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.telemetry import about
from flow_hitl.platform.times import parse_rfc3339, rfc3339

_LONGEST_DELAY = 900


_SOON_SECONDS = 60


def deadline_message(request_id: str, reminder_at: datetime | None = None) -> str:
    """Return the message for a request's auto-response, or for a reminder at a moment (whole seconds)."""
    message = {"request_id": request_id}
    return json.dumps({**message, "reminder_at": rfc3339(reminder_at)} if reminder_at else message)


def read_deadline(body: str) -> tuple[str, datetime | None]:
    """Return the request a message names, and the moment if it is a reminder."""
    message = json.loads(body)
    about(request_id=str(message["request_id"]))
    reminder_at = message.get("reminder_at")
    return str(message["request_id"]), parse_rfc3339(reminder_at) if reminder_at else None


def _schedule_name(request_id: str, reminder_at: datetime | None) -> str:
    return f"reminder-{request_id}-{int(reminder_at.timestamp())}" if reminder_at else f"deadline-{request_id}"


class SchedulerDeadlines:
    """One-time schedules that send to the deadline queue and delete themselves."""

    def __init__(
        self,
        *,
        scheduler: Callable[[], Any],
        sqs: Any,
        group: str,
        role_arn: str,
        queue_arn: str,
        queue_url: str,
        dead_letters_arn: str,
    ) -> None:
        self._scheduler, self._sqs = scheduler, sqs
        self._group, self._queue_url = group, queue_url
        self._target = {
            "Arn": queue_arn,
            "RoleArn": role_arn,
            # Where a call rests that Scheduler could not make for a day.
            "DeadLetterConfig": {"Arn": dead_letters_arn},
        }

    def schedule(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Notify `deadline` of the request at `due_at` (whole seconds); repeating it is harmless.

        Anything due within a minute goes to the queue, because Scheduler works by the minute.
        """
        if (due_at - now).total_seconds() <= _SOON_SECONDS:
            self.postpone(request_id, due_at, now, reminder=reminder)
            return
        message = deadline_message(request_id, due_at if reminder else None)
        try:
            self._scheduler().create_schedule(
                Name=_schedule_name(request_id, due_at if reminder else None),
                GroupName=self._group,
                ScheduleExpression=f"at({due_at:%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={**self._target, "Input": message},
            )
        except ClientError as error:
            if error_code(error) != "ConflictException":
                raise

    def forget(self, request_id: str, reminder_at: datetime | None = None) -> bool:
        """Delete a schedule, if there is one; one that cannot be deleted finds nothing to do when it fires."""
        try:
            self._scheduler().delete_schedule(Name=_schedule_name(request_id, reminder_at), GroupName=self._group)
        except ClientError as error:
            return error_code(error) == "ResourceNotFoundException"
        except BotoCoreError:
            return False
        return True

    def postpone(self, request_id: str, due_at: datetime, now: datetime, *, reminder: bool = False) -> None:
        """Send the message again, to arrive at `due_at` or in 15 minutes, whichever comes first."""
        delay = min(_LONGEST_DELAY, max(0, math.ceil((due_at - now).total_seconds())))
        message = deadline_message(request_id, due_at if reminder else None)
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=message, DelaySeconds=delay)
