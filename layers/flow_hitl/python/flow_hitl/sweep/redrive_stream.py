"""Pointers to events that the relay missed are followed: their time is looked at again."""

from flow_hitl.delivery.dead_letters import DeadLetter
from flow_hitl.delivery.ports import DeadLetterQueues
from flow_hitl.delivery.redrive_dead_letters import Redriven, clear
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.sweep.looks import SETTLED_AFTER
from flow_hitl.sweep.replay import Replay
from flow_hitl.sweep.stream_pointer import StreamPointer

STREAM = "stream"
_MOST_IN_A_RUN = 20


@dataclass(frozen=True)
class RedriveStream:
    queues: DeadLetterQueues
    replay: Replay
    clock: Clock

    def due(self) -> Redriven:
        """Follow pointers that have rested for an hour, as many as a run has time for."""
        return self._redrive(most=_MOST_IN_A_RUN, by_itself=True)

    def all(self) -> Redriven:
        """Follow every pointer whose events have settled."""
        return self._redrive(most=None, by_itself=False)

    def _redrive(self, *, most: int | None, by_itself: bool) -> Redriven:
        return clear(self.queues, STREAM, lambda letter: self._follow(letter, by_itself=by_itself), most=most)

    def _follow(self, letter: DeadLetter, *, by_itself: bool) -> bool:
        if by_itself and not letter.may_go(self.clock.now()):
            return False
        pointer = StreamPointer.read(letter.body)
        if pointer is None or pointer.until > self.clock.now() - SETTLED_AFTER:
            return False
        for _ in self.replay(pointer.since, pointer.until, dry_run=False):
            pass
        self.queues.drop(letter)
        return True
