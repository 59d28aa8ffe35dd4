"""When flows last asked for their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

POLL_NOTED_EVERY = timedelta(minutes=1)
"""The precision of recorded polls: each process records one at most this often."""


@dataclass(frozen=True)
class LastPolls:
    """When API keys (by id) last polled a deployment's decisions feed, and when a request was last waited on.

    Precise to `POLL_NOTED_EVERY`.
    """

    decisions_feed: Mapping[str, datetime] = field(default_factory=dict)
    request: datetime | None = None
