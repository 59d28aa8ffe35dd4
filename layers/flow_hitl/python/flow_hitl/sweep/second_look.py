"""A second look at audit events: what should have followed from each, and has not, is handed on again."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from itertools import islice

from flow_hitl.audit.chain import AuditEvent
from flow_hitl.audit.effects import Effect, EffectKind, EffectState, named_done
from flow_hitl.audit.index import IndexedEvent, Period
from flow_hitl.audit.ports import AuditArchive
from flow_hitl.delivery.relay_event import RelayEvent, owed
from flow_hitl.deployments.count_usage import CountAnswers
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.sweep.agenda import Matter, Topic, first_entry, promised
from flow_hitl.sweep.looks import goes_again
from flow_hitl.sweep.ports import Agenda
from flow_hitl.sweep.progress import Progress

# As many as DynamoDB reads in one call.
_AT_ONCE = 100
# They leave no record: a schedule is asked for again when the relay has missed an event, and harmless if it is there.
_SCHEDULES = frozenset({EffectKind.DEADLINE, EffectKind.SCHEDULE_REMINDER})


@dataclass(frozen=True)
class Looked:
    """What came of a look at some events: what was handed on (or would have been), and what made no sense.

    `uncounted`: the emails that follow from answers could not be added to what the deployment uses of its quotas.
    """

    events: int
    handed_on: tuple[Effect, ...] = ()
    senseless: tuple[str, ...] = ()
    uncounted: bool = False


@dataclass(frozen=True)
class SecondLook:
    """Look at events again. It only reads, where all went well; to do it again is harmless, as a relay is."""

    audit: AuditArchive
    effects: Progress
    deployments: DeploymentStore
    agenda: Agenda
    relay: RelayEvent
    count_answers: CountAnswers
    clock: Clock

    def batches(self, period: Period, after: IndexedEvent | None = None) -> Iterator[Sequence[IndexedEvent]]:
        """Yield the events of a period, or those behind one of them, deployment by deployment, a hundred at a time."""
        for deployment_id in sorted(self.deployments.list_ids()):
            if after is not None and deployment_id < after.deployment_id:
                continue
            passed = after if after is not None and deployment_id == after.deployment_id else None
            found = self.audit.indexed(period, deployment_id, passed, ahead=_AT_ONCE)
            while batch := list(islice(found, _AT_ONCE)):
                yield batch

    def __call__(self, batch: Sequence[IndexedEvent], *, dry_run: bool = False, first: bool = False) -> Looked:
        """Hand on what is owed of up to a hundred events, or with `dry_run` only tell.

        `first`: the batches come in order, and each event for the first time, or again only if the look was broken off.
        """
        steps, senseless = self._steps(batch)
        now = self.clock.now()
        recorded = [effect for step in steps for effect in step.effects if effect.kind not in _SCHEDULES]
        states = self._states(steps, recorded, now)
        steps, states = self._with_deliveries(steps, states, now)
        handed_on = [
            (step.event, effect)
            for step in steps
            for effect in step.effects
            if _goes_again(step, effect, states, now - step.event.at)
        ]
        if not dry_run:
            # First: whoever dies in between looks at the same events once more.
            sent = {effect for _, effect in handed_on}
            later = [
                first_entry(matter, now, sent=matter.effect in sent)
                for step in steps
                for matter in _open_matters(step, states)
            ]
            if later:
                self.agenda.add(later)
            for event, effect in handed_on:
                self.relay.hand_on(event, effect)
        counted = not first or self._count(batch[0].deployment_id, steps)
        return Looked(len(batch), tuple(effect for _, effect in handed_on), senseless, not counted)

    def _count(self, deployment_id: int, steps: Sequence["_Step"]) -> bool:
        """Return whether the emails of answers could be counted; they hold up nothing."""
        try:
            self.count_answers(deployment_id, [step.event for step in steps])
        except Exception:
            return False
        return True

    def _states(
        self, steps: Sequence["_Step"], effects: Sequence[Effect], now: datetime
    ) -> Mapping[Effect, EffectState]:
        """Return how far effects have come; the records are read of those whose outcome is none of these events."""
        noted = named_done(step.event for step in steps)
        done = {effect: EffectState.DONE for effect in effects if (effect.request_id, effect.name) in noted}
        others = [effect for effect in effects if effect not in done]
        return {**done, **(self.effects.states(others, now) if others else {})}

    def _with_deliveries(
        self, steps: list["_Step"], states: Mapping[Effect, EffectState], now: datetime
    ) -> tuple[list["_Step"], Mapping[Effect, EffectState]]:
        """Return the steps with what was made for single webhooks, and how far that has come."""
        told = [
            step
            for step in steps
            if any(effect.kind is EffectKind.WEBHOOK and states[effect] is EffectState.DONE for effect in step.effects)
        ]
        if not told:
            return steps, states
        made: dict[str, list[Effect]] = {}
        for event, delivery in self.effects.deliveries(told[0].deployment_id, [step.event for step in told]):
            made.setdefault(event.event_id, []).append(delivery)
        found = self.effects.states([delivery for each in made.values() for delivery in each], now)
        with_made = [replace(step, effects=(*step.effects, *made.get(step.event.event_id, ()))) for step in steps]
        return with_made, {**states, **found}

    def _steps(self, batch: Sequence[IndexedEvent]) -> tuple[list["_Step"], tuple[str, ...]]:
        """Return the events with what follows from each, and the names of those that cannot be understood."""
        webhook_events = cache(self.relay.webhook_events)
        deployment_id, steps, senseless = batch[0].deployment_id, [], []
        for record in self.audit.settled(batch):
            try:
                event = AuditEvent.from_dict(record)
                effects = tuple(owed(event, webhook_events))
                matters = tuple(promised(event, deployment_id))
                steps.append(_Step(event, deployment_id, effects, matters))
            except (AttributeError, KeyError, TypeError, ValueError):
                # Somebody wrote it who is none of us: it may not hold up the others.
                senseless.append(f"{record['subject']}#{record['seq']}")
        return steps, tuple(senseless)


@dataclass(frozen=True)
class _Step:
    event: AuditEvent
    deployment_id: int
    effects: tuple[Effect, ...]
    promised: tuple[Matter, ...]


def _open_matters(step: _Step, states: Mapping[Effect, EffectState]) -> Iterator[Matter]:
    """Yield what is to be looked at later: what is promised for then, and what is not yet done."""
    yield from step.promised
    for effect in step.effects:
        if states.get(effect, EffectState.DONE) is not EffectState.DONE:
            yield Matter(Topic.EFFECT, step.deployment_id, effect.request_id, step.event.at, effect)


def _goes_again(step: _Step, effect: Effect, states: Mapping[Effect, EffectState], age: timedelta) -> bool:
    state = states.get(effect)
    if state is not None:
        return goes_again(effect.kind, state, age)
    # Of what leaves no record, an event tells that was missed as a whole.
    return _was_missed(step, states)


def _was_missed(step: _Step, states: Mapping[Effect, EffectState]) -> bool:
    return any(states.get(effect) is EffectState.UNKNOWN for effect in step.effects)
