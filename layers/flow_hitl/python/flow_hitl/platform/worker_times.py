"""How long a worker lives at most, holds an effect, and hides the message of it, and how long a call of AWS takes."""

from datetime import timedelta

from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class WorkerTime:
    """The seconds after which Lambda ends a worker.

    Its lease is longer than that and ends before the message comes again, so only a dead worker's effect is taken over.
    """

    seconds: int

    @property
    def lease(self) -> timedelta:
        return timedelta(seconds=2 * self.seconds)

    @property
    def hidden_seconds(self) -> int:
        """Return how long a message stays hidden: six times the worker's life, as AWS advises."""
        return 6 * self.seconds


# Three tries of 2 + 5 seconds at most: a hung connection must not eat the time of a function.
ATTEMPTS, CONNECT_SECONDS, ANSWER_SECONDS = 3, 2.0, 5.0

WORKER = WorkerTime(30)
MAIL_READER = WorkerTime(60)
# A receiver has 30 of them.
WEBHOOK_SENDER = WorkerTime(60)
