"""What rests in dead-letter queues goes back to where it was given up, by itself or when a person says so."""

from collections.abc import Callable, Iterator
from datetime import datetime

from flow_hitl.delivery.dead_letters import GOING_BACK, DeadLetter
from flow_hitl.delivery.ports import DeadLetterQueues
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass

_MOST_IN_A_RUN = 300
_MOST_LOOKED_AT = 1000


@dataclass(frozen=True)
class Redriven:
    """What came of one dead-letter queue; `oldest` is when the oldest message that was seen there was sent."""

    queue: str
    moved: int
    resting: int
    oldest: datetime | None


@dataclass(frozen=True)
class RedriveDeadLetters:
    queues: DeadLetterQueues
    clock: Clock

    def due(self) -> Iterator[Redriven]:
        """Send back what has rested for long enough, of each queue as much as a run has time for."""
        now = self.clock.now()
        for name in GOING_BACK:
            yield self._redrive(name, lambda letter: letter.may_go(now), most=_MOST_IN_A_RUN, counted=True)

    def all(self, name: str) -> Redriven:
        """Send back everything, with all the attempts that a new message has."""
        return self._redrive(name, lambda _: True, most=None, counted=False)

    def look(self, name: str) -> Redriven:
        """Only tell what rests, up to a thousand messages."""
        return self._redrive(name, lambda _: False, most=_MOST_LOOKED_AT, counted=False)

    def _redrive(self, name: str, goes: Callable[[DeadLetter], bool], *, most: int | None, counted: bool) -> Redriven:
        def send(letter: DeadLetter) -> bool:
            if goes(letter):
                self.queues.move(letter, counted=counted)
                return True
            return False

        return clear(self.queues, name, send, most=most)


def clear(
    queues: DeadLetterQueues, name: str, deal_with: Callable[[DeadLetter], bool], *, most: int | None
) -> Redriven:
    """Deal with a dead-letter queue's messages, up to about so many; those that `deal_with` is False of stay there."""
    seen, resting = list[DeadLetter](), list[DeadLetter]()
    while (most is None or len(seen) < most) and (letters := queues.take(name)):
        seen += letters
        resting += [letter for letter in letters if not deal_with(letter)]
    queues.leave(name, resting)
    oldest = min((letter.sent_at for letter in seen), default=None)
    return Redriven(name, len(seen) - len(resting), len(resting), oldest)
