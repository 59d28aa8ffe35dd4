"""What has come due on the agenda is looked at: what did not happen is done again, what cannot be mended is found."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from datetime import datetime

from flow_hitl.audit.effects import Effect, EffectState
from flow_hitl.audit.ports import AuditLog
from flow_hitl.delivery.ports import EffectQueue
from flow_hitl.mails.mail_feedback import reaches_nobody
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.proof.export import ExportState
from flow_hitl.proof.ports import ExportQueue, ExportStore
from flow_hitl.requests.ports import Deadlines, RequestStore
from flow_hitl.requests.request import Head, Status
from flow_hitl.sweep.agenda import Entry, Matter, Topic, next_entry
from flow_hitl.sweep.looks import goes_again
from flow_hitl.sweep.ports import Agenda, StepsTaken
from flow_hitl.sweep.progress import Progress

_AT_ONCE = 100


@dataclass(frozen=True)
class Kept:
    """What came of some entries: what was done again, and what is still open though it is late."""

    entries: int
    repaired: tuple[Matter, ...] = ()
    found: tuple[Matter, ...] = ()


@dataclass(frozen=True)
class _Facts:
    """What is known of the entries' subjects, read together."""

    now: datetime
    heads: Mapping[str, Head] = field(default_factory=dict)
    taken: frozenset[str] = frozenset()
    states: Mapping[Effect, EffectState] = field(default_factory=dict)


@dataclass(frozen=True)
class KeepAgenda:
    agenda: Agenda
    requests: RequestStore
    steps: StepsTaken
    audit: AuditLog
    effects: Progress
    queue: EffectQueue
    deadlines: Deadlines
    exports: ExportStore
    export_queue: ExportQueue
    clock: Clock

    def __call__(self, day: datetime) -> Iterator[Kept]:
        """Yield what came of a day's entries whose moment has come, a hundred at a time, until none is left."""
        now = self.clock.now()
        while entries := self.agenda.due(day, now, _AT_ONCE):
            yield self._look(entries, now)

    def _look(self, entries: Sequence[Entry], now: datetime) -> Kept:
        facts = self._facts([entry.matter for entry in entries], now)
        repaired, found, later = list[Matter](), list[Matter](), list[Entry]()
        for entry in entries:
            matter, repair = entry.matter, self._owes(entry.matter, facts)
            if repair is None:
                continue
            sent = repair is not _look_again and not entry.is_under_way(now)
            if sent:
                repair()
            again = next_entry(entry, now, sent=sent)
            later += [again] if again else []
            if matter.is_late(now) or again is None:
                found.append(matter)
            elif sent:
                repaired.append(matter)
        # In this order: whoever dies in between looks at some twice.
        self.agenda.add(later)
        self.agenda.remove(entries)
        return Kept(len(entries), tuple(repaired), tuple(found))

    def _facts(self, matters: Sequence[Matter], now: datetime) -> _Facts:
        of_requests = {matter.subject for matter in matters if matter.topic not in (Topic.EXPORT, Topic.EFFECT)}
        reminders = [_step(matter) for matter in matters if matter.topic is Topic.REMINDER]
        effects = [matter.effect for matter in matters if matter.effect is not None]
        return _Facts(
            now,
            self.requests.heads(sorted(of_requests)) if of_requests else {},
            frozenset(self.steps.taken(reminders)) if reminders else frozenset(),
            self.effects.states(effects, now) if effects else {},
        )

    def _owes(self, matter: Matter, facts: _Facts) -> Callable[[], None] | None:
        """Return what is to be done about a matter, be it nothing but to look again; None if it is closed."""
        if matter.effect is not None:
            return self._effect(matter, matter.effect, facts)
        if matter.topic is Topic.EXPORT:
            return self._export(matter)
        head = facts.heads.get(matter.subject)
        if head is None or head.status is not Status.PENDING:
            return None
        if matter.topic is Topic.OWNER:
            return _look_again if reaches_nobody(head, self.audit.timeline(matter.subject)) else None
        is_reminder = matter.topic is Topic.REMINDER
        if _step(matter) in facts.taken if is_reminder else head.auto_response is None:
            return None
        return lambda: self.deadlines.postpone(matter.subject, matter.since, facts.now, reminder=is_reminder)

    def _effect(self, matter: Matter, effect: Effect, facts: _Facts) -> Callable[[], None] | None:
        state = facts.states[effect]
        if state is EffectState.DONE:
            return None
        again = goes_again(effect.kind, state, facts.now - matter.since)
        return (lambda: self.queue.send(effect)) if again else _look_again

    def _export(self, matter: Matter) -> Callable[[], None] | None:
        try:
            export = self.exports.load(matter.deployment_id, matter.subject)
        except NotFound:
            return None
        if export.state in (ExportState.DONE, ExportState.FAILED):
            return None
        return lambda: self.export_queue.send(matter.deployment_id, matter.subject)


def _step(matter: Matter) -> str:
    """Return the name under which a reminder's step is taken."""
    return f"reminder/{matter.subject}/{rfc3339(matter.since)}"


def _look_again() -> None:
    return None
