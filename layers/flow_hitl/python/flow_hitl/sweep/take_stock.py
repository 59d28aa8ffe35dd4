"""What a deployment's tables hold up to a moment, and whether its pending requests go on by what they hold alone."""

from collections.abc import Iterator, Sequence, Set
from datetime import datetime, timedelta

from flow_hitl.audit.index import midnight, periods
from flow_hitl.audit.ports import AuditArchive
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.ports import RequestStore
from flow_hitl.requests.request import Head, Status
from flow_hitl.sweep.agenda import Matter, Topic, first_entry
from flow_hitl.sweep.ports import Agenda, Watermarks

_AT_ONCE = 100
# How far from its last look the next one lies, at most, once a deadline has passed.
_NEXT_LOOK_WITHIN = timedelta(days=1)


@dataclass(frozen=True)
class Stock:
    """How much there is; `stuck`: pending requests whose auto-response nothing would bring, with when they began."""

    events: int
    requests: int
    pending: int
    stuck: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True)
class TakeStock:
    """Counts everything, so it takes as long as there is much: for an operator, not for a function."""

    audit: AuditArchive
    requests: RequestStore
    deployments: DeploymentStore
    agenda: Agenda
    marks: Watermarks
    clock: Clock

    def deployment_ids(self) -> Sequence[int]:
        return sorted(self.deployments.list_ids())

    def latest_event(self, since: datetime) -> datetime | None:
        """Return the moment of the newest event since another moment, of any deployment; None if there is none."""
        for period in reversed(list(periods(since, self.clock.now() + timedelta(seconds=1)))):
            latest = max((event.at for event in self.audit.indexed(period)), default=None)
            if latest is not None:
                return latest
        return None

    def __call__(self, deployment_id: int, since: datetime, until: datetime) -> Stock:
        """Count what came about from `since` (included) to `until` (excluded)."""
        events = sum(
            1 for period in periods(since, until) for _ in self.audit.indexed(period, deployment_id, ahead=1000)
        )
        number, pending = 0, list[Head]()
        for heads in self._opened(deployment_id, since, until):
            number += len(heads)
            pending += [head for head in heads if head.status is Status.PENDING]
        return Stock(events, number, len(pending), tuple(self._stuck(pending)))

    def _opened(self, deployment_id: int, since: datetime, until: datetime) -> Iterator[Sequence[Head]]:
        cursor = None
        while True:
            ids, cursor = self.requests.opened_between(deployment_id, since, until, _AT_ONCE, cursor)
            yield list(self.requests.heads(ids).values()) if ids else []
            if cursor is None:
                return

    def _stuck(self, pending: Sequence[Head]) -> Iterator[tuple[str, datetime]]:
        """Yield those whose deadline neither stands on the agenda, nor will, as the sweep has yet to see their event.

        A schedule is not counted: it stands outside of the tables, and may be gone.
        """
        due = [
            (head, Matter(Topic.AUTO_RESPONSE, head.deployment_id, head.request_id, head.auto_response.due_at))
            for head in pending
            if head.auto_response is not None
        ]
        if not due:
            return
        mark = self.marks.load()
        listed = self._listed([matter for _, matter in due], mark.agenda_from if mark is not None else None)
        for head, matter in due:
            unseen = mark is not None and head.created_at >= mark.looked_until
            if not unseen and matter not in listed:
                yield head.request_id, head.created_at

    def _listed(self, matters: Sequence[Matter], agenda_from: datetime | None) -> Set[Matter]:
        """Return what stands on the agenda, of the days on which these matters can stand."""
        now = self.clock.now()
        days = {midnight(first_entry(matter, now).at) for matter in matters}
        if any(first_entry(matter, now).at <= now for matter in matters):
            # Its first look is past: it stands at any of the later ones.
            days |= {
                midnight(period.since)
                for period in periods(midnight(agenda_from or now), midnight(now + _NEXT_LOOK_WITHIN) + timedelta(1))
            }
        return {entry.matter for day in sorted(days) for entry in self.agenda.of_day(day)}
