"""When a responder is reminded of an unanswered request."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from flow_hitl.deployments.deployment import Reminder
from flow_hitl.platform.times import ceil_second


def reminder_times(
    reminders: Sequence[Reminder], *, created_at: datetime, timeout_at: datetime | None, sla_minutes: int | None
) -> tuple[datetime, ...]:
    """Return the distinct moments (whole seconds, sorted) between creation and auto-response.

    Reminders relative to a timeout or an SLA that the request lacks are left out.
    """
    moments = {ceil_second(moment) for moment in _moments(reminders, created_at, timeout_at, sla_minutes)}
    return tuple(
        sorted(moment for moment in moments if created_at < moment and (timeout_at is None or moment < timeout_at))
    )


def _moments(
    reminders: Sequence[Reminder], created_at: datetime, timeout_at: datetime | None, sla_minutes: int | None
) -> Iterator[datetime]:
    for reminder in reminders:
        if reminder.minutes_before_timeout is not None and timeout_at is not None:
            yield timeout_at - timedelta(minutes=reminder.minutes_before_timeout)
        if reminder.share_of_sla is not None and sla_minutes is not None:
            yield created_at + timedelta(minutes=sla_minutes * reminder.share_of_sla)
