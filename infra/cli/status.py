"""`flow-hitl status`: how a stack is doing, on one screen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.people.access import Operator
from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.ports import RequestFilter
from flow_hitl.requests.reading.list_rows import Count, Order
from flow_hitl.requests.request import Status
from infra.cli.found import alarms_on, dead_letter_numbers
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, with_target
from infra.names import alarm_name

_UNKNOWN = "?"


@dataclass(frozen=True)
class _Row:
    """A deployment's numbers."""

    deployment_id: int
    name: str
    pending: Count
    done: Count
    overdue_since: str | None
    requests_this_hour: str
    emails_today: str


@click.command()
@with_target
def status(target: CommandTarget) -> None:
    """Show what waits, what is overdue, what has failed, and which alarms are on.

    `flow-hitl doctor` checks more, and says what to do.
    """
    rows = _deployments(target)
    resting = _resting(target)
    alarms = _alarms(target)
    document = {
        "deployments": [
            {
                "id": one.deployment_id,
                "name": one.name,
                "pending": one.pending.number,
                "done": one.done.number,
                "overdue_since": one.overdue_since,
                "requests_this_hour": one.requests_this_hour,
                "emails_today": one.emails_today,
            }
            for one in rows
        ],
        "dead_letters": resting,
        "alarms": alarms,
    }
    fine = not resting and not alarms
    lines = [
        table(
            ("id", "deployment", "pending", "overdue since", "done", "requests this hour", "emails today"),
            [_cells(one) for one in rows],
        )
        if rows
        else "No deployments yet.",
        "",
        f"Dead letters: {', '.join(f'{number} in {name}' for name, number in resting.items()) or 'none'}",
        f"Alarms: {_told(alarms, target)}",
    ]
    step = target.command("request list ID --status pending" if fine else "doctor")
    show(target, document, "\n".join(lines), step)


def _cells(row: _Row) -> tuple[object, ...]:
    numbers = str(row.pending), row.overdue_since or "-", str(row.done)
    return row.deployment_id, row.name, *numbers, row.requests_this_hour, row.emails_today


def _deployments(target: CommandTarget) -> Sequence[_Row]:
    found = []
    for one in target.manage.list():
        counts, used = target.application.list_requests.counts(Operator(one)), target.manage.usage(one.deployment_id)
        found.append(
            _Row(
                one.deployment_id,
                one.name,
                counts.pending,
                counts.history,
                _overdue_since(target, Operator(one)),
                f"{used.requests:,} of {one.quotas.requests_per_hour:,}",
                f"{used.mails:,} of {one.quotas.mails_per_day:,}",
            )
        )
    return found


def _overdue_since(target: CommandTarget, operator: Operator) -> str | None:
    """Return when the first of the pending requests should have been answered, if that is over."""
    pending = RequestFilter(statuses=(Status.PENDING.value,))
    first = target.application.list_requests.page(operator, pending, order=Order.DUE, limit=1).rows
    due = first[0].sla_due_at if first else None
    return rfc3339(due) if due is not None and due < target.application.clock.now() else None


def _resting(target: CommandTarget) -> Mapping[str, Any]:
    """Return how much rests in each dead-letter queue that is not empty, or "?" where SQS does not say."""
    numbers = dead_letter_numbers(target.application.settings)
    return {name: _UNKNOWN if isinstance(one, Unknown) else one for name, one in numbers.items() if one}


def _alarms(target: CommandTarget) -> Sequence[str]:
    """Return what each alarm that is on is about."""
    if target.local:
        return []
    try:
        return [alarm_name(alarm["AlarmDescription"])[0] for alarm in alarms_on(target.stack_name)]
    except (BotoCoreError, ClientError):
        return [_UNKNOWN]


def _told(alarms: Sequence[str], target: CommandTarget) -> str:
    if target.local:
        return "the local stack has none"
    return ", ".join(alarms) or "none"
