"""What reads and writes the audit log and the records of its effects."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.effects import Effect, EffectState
from flow_hitl.audit.index import IndexedEvent, Period
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.records import dataclass


class AuditLog(Protocol):
    def timeline(self, request_id: str) -> Sequence[AuditEvent]: ...

    def event(self, request_id: str, seq: int) -> AuditEvent: ...

    def reading(self, request_id: str, seq: int) -> Reading[AuditEvent]:
        """Return the reading of one event, which raises NotFound."""

    def reading_first(self, request_id: str, number: int) -> Reading[Sequence[AuditEvent]]:
        """Return the reading of the first events of a request; missing ones are left out."""

    def later(self, request_id: str, seq: int) -> Iterator[AuditEvent]:
        """Yield the events of a request behind a place of its chain, in order, read consistently."""

    def changes(self, deployment_id: int, seq: int, limit: int) -> Sequence[AuditEvent]:
        """Return events of a deployment's own chain that come after a place of it, in order, read consistently."""


AuditRecord = Mapping[str, Any]
"""An event as it stands in the log, possibly forged: the members of `AuditEvent`."""


class AuditArchive(Protocol):
    """The whole log, for those who read much of it: all of it by day, and each chain."""

    def indexed(
        self, period: Period, deployment_id: int | None = None, after: IndexedEvent | None = None, ahead: int = 1000
    ) -> Iterator[IndexedEvent]:
        """Yield what the index holds of a period, or of what comes after one event of it, in order.

        The order is that of deployments, then moments, then chains and places in them. `ahead` is how much is read at
        a time.
        """

    def records(self, events: Sequence[IndexedEvent]) -> Sequence[AuditRecord]:
        """Return events in the same order, read consistently; those that are gone are left out."""

    def settled(self, events: Sequence[IndexedEvent]) -> Sequence[AuditRecord]:
        """Do the same with events that are older than a second, at half the cost."""

    def chain(self, subject: str) -> Sequence[AuditRecord]:
        """Return all events of a chain in order, read consistently.

        `misfiled` lists, as sentences about the event, what is wrong with its index keys and other attributes.
        """

    def first_events(self, deployment_ids: Sequence[int]) -> Mapping[int, IndexedEvent]:
        """Return the first events of deployments' own chains, of those (a hundred at most) that there are."""


class EffectLog(Protocol):
    def claim(self, effect: Effect, now: datetime, lease: timedelta) -> bool:
        """Take an effect for as long as the lease; return False if it is done. Raises EffectBusy if it is taken."""

    def release(self, effect: Effect) -> None:
        """Give an effect back so that it can be tried again at once."""

    def complete(self, effect: Effect) -> None:
        """Mark an effect done that left no event; the event of any other says so by its member `did`."""


@dataclass(frozen=True)
class Try:
    """A try at what cannot be undone: its number among those whose end nobody knows, and what an earlier one kept."""

    number: int
    kept: Mapping[str, str] | None


class TryLog(EffectLog, Protocol):
    """Also counts how often an effect may have happened, and remembers what could not be recorded."""

    def begin(self, effect: Effect, now: datetime, lease: timedelta) -> Try | None:
        """Take an effect as `claim` does and count the try; return None if it is done. Raises EffectBusy."""

    def came_to_nothing(self, effect: Effect) -> None:
        """Give an effect back, and count the try that was begun no more: it did nothing."""

    def keep(self, effect: Effect, result: Mapping[str, str]) -> None:
        """Give an effect back with what came of it, for a later try to record."""


class EffectStates(Protocol):
    """The records of many effects at once, for those who look at them again."""

    def states(self, effects: Sequence[Effect], now: datetime) -> Mapping[Effect, EffectState]:
        """Return how far each of the effects has come, as far as was known a second ago."""


class EffectRecords(Protocol):
    """The records themselves, for those who erase what they name."""

    def recorded(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        """Return those that have a record, read consistently."""

    def forget(self, effects: Sequence[Effect]) -> None:
        """Delete the records of emails about requests whose content is erased; then none of them is sent any more."""


class EffectBusy(Exception):
    """Another worker holds the effect: leave the message to be delivered again."""
