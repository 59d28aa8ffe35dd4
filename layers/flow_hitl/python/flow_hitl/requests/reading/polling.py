"""When flows last asked for their answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

POLL_NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when somebody polled: each process notes it at most this often."""


@dataclass(frozen=True)
class LastPolls:
    """When API keys (by id) last polled the decisions feed of a deployment, and when anybody last waited on a request.

    Each is known to the minute; see `POLL_NOTED_EVERY`.
    """

    decisions_feed: Mapping[str, datetime] = field(default_factory=dict)
    request: datetime | None = None
