"""What a deployment uses of its quotas is counted where its effects begin, one batch of audit events at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flow_hitl.domain.audit import AuditEvent, EventKind
from flow_hitl.domain.effects import MAILS, effects_of
from flow_hitl.domain.quotas import NO_USAGE, Usage, full_hour
from flow_hitl.ports import UsageLog


@dataclass(frozen=True)
class CountUsage:
    """Add up the requests that events opened and the mails that follow from them."""

    log: UsageLog

    def __call__(self, events: Iterable[AuditEvent]) -> None:
        """Write it down, once for each deployment and hour that the events are of; none costs nothing."""
        totals: dict[tuple[int, datetime], Usage] = {}
        for event in events:
            used = _usage_of(event)
            if used != NO_USAGE:
                place = int(event.data["deployment_id"]), full_hour(event.at)
                totals[place] = totals.get(place, NO_USAGE) + used
        for (deployment_id, hour), used in totals.items():
            self.log.add(deployment_id, hour, used)


def _usage_of(event: AuditEvent) -> Usage:
    mails = sum(effect.kind in MAILS for effect in effects_of(event))
    return Usage(requests=int(event.kind is EventKind.REQUEST_CREATED), mails=mails)
