"""When reminders come: minutes before the timeout, or shares of the SLA."""

from datetime import timedelta

import pytest

from flow_hitl.deployments.deployment import Reminder
from flow_hitl.requests.changing.reminders import reminder_times
from tests.support.examples import NOON


def minutes(
    *reminders: Reminder, timeout: float | None = None, sla: int | None = None, late: timedelta = timedelta()
) -> list[float]:
    """Return the minutes after the creation at which reminders come."""
    created_at = NOON + late
    timeout_at = created_at + timedelta(minutes=timeout) if timeout is not None else None
    times = reminder_times(reminders, created_at=created_at, timeout_at=timeout_at, sla_minutes=sla)
    return [(moment - created_at).total_seconds() / 60 for moment in times]


def before(minutes: int) -> Reminder:
    return Reminder(minutes_before_timeout=minutes)


def share(share: float) -> Reminder:
    return Reminder(share_of_sla=share)


@pytest.mark.parametrize(
    ("reminders", "timeout", "sla", "expected"),
    [
        ((before(15),), 60, None, [45]),
        ((before(15), before(30)), 60, None, [30, 45]),
        ((share(0.5), share(1)), None, 120, [60, 120]),
        ((before(15), share(0.5)), 60, 60, [30, 45]),
        ((before(30), share(0.5)), 60, 60, [30]),
        ((before(15),), None, None, []),
        ((share(0.5),), 60, None, []),
        ((before(60), before(90)), 60, None, []),
        ((share(1),), 60, 60, []),
        ((share(1),), 30, 60, []),
        ((), 60, 60, []),
    ],
)
def test_they_come_after_the_creation_and_before_the_timeout(
    reminders: tuple[Reminder, ...], timeout: int | None, sla: int | None, expected: list[float]
) -> None:
    assert minutes(*reminders, timeout=timeout, sla=sla) == expected


def test_they_fall_on_whole_seconds() -> None:
    created_at = NOON + timedelta(milliseconds=300)
    (moment,) = reminder_times([share(0.001)], created_at=created_at, timeout_at=None, sla_minutes=1)
    assert moment == NOON + timedelta(seconds=1)
