"""How often flows ask for their answers, and when they last did."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta

from flow_hitl.platform.records import dataclass

POLL_NOTED_EVERY = timedelta(minutes=1)
"""The precision of recorded polls: each process records one at most this often."""

LONGEST_WAIT = timedelta(seconds=20)
"""For how long a call may wait."""
LONGEST_PAUSE = timedelta(seconds=30)
"""For how long our own client pauses between two calls for a request that has been open for long."""
SOON_SECONDS = 0.5
_SELDOM_SECONDS = 5.0


def look_again_after(age: timedelta) -> float:
    """Return after how many seconds a call that waits reads a pending request of this age again.

    Who did not answer in the first minutes will not do so in this very second: each read has its price.
    """
    return min(max(age / timedelta(minutes=1), SOON_SECONDS), _SELDOM_SECONDS)


@dataclass(frozen=True)
class LastPolls:
    """When API keys (by id) last polled a deployment's decisions feed, and when a request was last waited on.

    Precise to `POLL_NOTED_EVERY`.
    """

    decisions_feed: Mapping[str, datetime] = field(default_factory=dict)
    request: datetime | None = None
