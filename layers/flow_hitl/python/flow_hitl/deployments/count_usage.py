"""What a deployment uses of its quotas, counted from audit events.

What anybody can cause again and again is counted where its effects begin, one batch of events at a time. An answer ends
a request, so its emails are never more than there are requests: they are counted later, many together.
"""

import hashlib
from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from itertools import islice

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import MAILS, effects_of
from flow_hitl.audit.index import midnight, place_in_day
from flow_hitl.deployments.ports import UsageLog
from flow_hitl.deployments.quotas import NO_USAGE, Usage, quarter_of_hour
from flow_hitl.platform.records import dataclass

_COUNTED_LATER = frozenset({EventKind.RESPONSE_SUBMITTED})
# DynamoDB takes 300 operators in a condition, and each mark needs three.
_MOST_AT_ONCE = 60
_MARK_CHARACTERS = 6


@dataclass(frozen=True)
class CountUsage:
    """Add up the requests that events opened and the emails that follow from them, each event once."""

    log: UsageLog

    def __call__(self, events: Iterable[AuditEvent]) -> None:
        """Write it down, once for each deployment and quarter of an hour that the events are of; none costs nothing.

        What was counted before, in whatever batch, is not counted again.
        """
        uses: dict[tuple[int, datetime], dict[str, Usage]] = {}
        for event in events:
            used = _usage_of(event) if event.kind not in _COUNTED_LATER else NO_USAGE
            if used != NO_USAGE:
                place = int(event.data["deployment_id"]), quarter_of_hour(event.at)
                uses.setdefault(place, {})[_mark(event)] = used
        for (deployment_id, quarter), by_mark in uses.items():
            while by_mark:
                now = dict(islice(by_mark.items(), _MOST_AT_ONCE))
                before = self.log.add(deployment_id, quarter, sum(now.values(), NO_USAGE), tuple(now))
                for mark in before or now:
                    del by_mark[mark]


@dataclass(frozen=True)
class CountAnswers:
    """Add up the emails that follow from answers, as the events of a deployment are looked at again, in order."""

    log: UsageLog

    def __call__(self, deployment_id: int, events: Iterable[AuditEvent]) -> None:
        """Write it down, once for each day that the events are of; events of before are not counted again."""
        days: dict[datetime, dict[str, int]] = {}
        for event in events:
            mails = _usage_of(event).mails if event.kind in _COUNTED_LATER else 0
            if mails:
                days.setdefault(midnight(event.at), {})[place_in_day(event.at, event.subject, event.seq)] = mails
        for day, mails_by_place in days.items():
            self.log.add_behind(deployment_id, day, mails_by_place)


def _usage_of(event: AuditEvent) -> Usage:
    mails = sum(effect.kind in MAILS for effect in effects_of(event))
    return Usage(requests=int(event.kind is EventKind.REQUEST_CREATED), mails=mails)


def _mark(event: AuditEvent) -> str:
    """Return what tells an event from the others of its quarter of an hour; of a million, two may have the same."""
    digest = hashlib.sha256(f"{event.subject}#{event.seq}".encode()).digest()
    return b64encode(digest)[:_MARK_CHARACTERS].decode()
