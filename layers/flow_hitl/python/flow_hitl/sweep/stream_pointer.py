"""What the audit stream could not deliver rests as a pointer to the time of the events."""

import json
from datetime import datetime, timedelta
from typing import Self

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import ceil_second, parse_rfc3339

# Events reach the stream soon after they are dated, whosever clock is slow.
_MARGIN = timedelta(minutes=5)


@dataclass(frozen=True)
class StreamPointer:
    """The time of the events, in whole seconds with a margin."""

    since: datetime
    until: datetime

    @classmethod
    def read(cls, body: str) -> Self | None:
        """Return what Lambda wrote, or None for a message of another kind."""
        try:
            message = json.loads(body)
            batch = message["DDBStreamBatchInfo"]
            first, last = (
                parse_rfc3339(batch[f"approximateArrivalOf{which}Record"]).replace(microsecond=0)
                for which in ("First", "Last")
            )
        except (KeyError, TypeError, ValueError):
            return None
        return cls(first - _MARGIN, ceil_second(last + _MARGIN))
