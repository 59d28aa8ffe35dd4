"""What carries an effect to its worker, and what holds messages that were given up."""

from collections.abc import Sequence
from typing import Protocol

from flow_hitl.audit.effects import Effect
from flow_hitl.delivery.dead_letters import DeadLetter


class EffectQueue(Protocol):
    def send(self, effect: Effect) -> None: ...


class DeadLetterQueues(Protocol):
    """The dead-letter queues, each by the name of what fills it."""

    def take(self, name: str) -> Sequence[DeadLetter]:
        """Return up to ten messages, which nobody else sees for two minutes; none if there are no others."""

    def move(self, letter: DeadLetter, *, counted: bool) -> None:
        """Send a message again, `counted` if it is to say that it has gone back once more.

        Ended in between, it leaves the message in both queues, which workers take without harm.
        """

    def drop(self, letter: DeadLetter) -> None:
        """Delete a message that has nothing left to say."""

    def leave(self, name: str, letters: Sequence[DeadLetter]) -> None:
        """Let others see these messages at once."""
