"""What each page and call may read, whether there are few requests or ten times as many.

The limits of lists, counts, searches, and verification are small here, so that both sizes are far beyond them. What is
read with those of a deployment is in docs/growth.md.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Self
from unittest.mock import patch

from flow_hitl.audit import read_audit
from flow_hitl.proof import verify_log
from flow_hitl.requests.reading import search_requests
from flow_hitl.requests.store import request_index, request_rows
from tests.growth import desk
from tests.support.grown import Read

FEW, MANY = 2_000, 20_000
# A count goes up to a thousand in each shard (decision 18), and a list with a filter reads as many; here it is twenty.
_SMALL = {
    (request_index, "MOST_COUNTED"): 20,
    (request_rows, "MOST_COUNTED"): 20,
    (request_index, "_READ_AHEAD"): 20,
    (search_requests, "_MOST_HEADS"): 50,
    (search_requests, "_MOST_READS"): 2,
    (read_audit, "_MOST_DAYS"): 10,
    (verify_log, "_CHAINS"): 10,
    (verify_log, "_DAYS"): 5,
}


class Bound(NamedTuple):
    """AWS calls, items, and read units."""

    calls: int
    items: int
    units: float

    @classmethod
    def of(cls, read: Read) -> Self:
        return cls(read.calls.total(), read.items, read.units)

    def holds(self, read: Self) -> bool:
        return all(one <= most for one, most in zip(read, self, strict=True))


# All others read exactly the same of few requests as of many.
AT_MOST: Mapping[str, Bound] = {
    # How many were opened in that hour, up to a page of each shard.
    "GET requests?from=&to=": Bound(6, 150, 65),
    # How many days it takes to fill a page, up to a page of each shard and so many days.
    "GET audit": Bound(4 * 10 + 15, 125, 60),
    "GET audit (a day)": Bound(7, 125, 30),
    "page: audit": Bound(4 * 10 + 10, 225, 65),
    # How many events a day has, up to so many chains, or days.
    "GET audit/verify": Bound(50, 160, 90),
    # How much of a megabyte the log has, up to two megabytes, and the newest hundred, which it lacks.
    "page: pending, words": Bound(16, 450, 330),
    "page: pending, words (none)": Bound(16, 450, 330),
}


@dataclass(frozen=True)
class Compared:
    """What was read of few requests and of many by those that must read the same, and by those that have a bound."""

    same: Mapping[str, tuple[Bound, Bound]]
    bounded: Mapping[str, tuple[Bound, Bound]]

    @property
    def differing(self) -> Mapping[str, tuple[Bound, Bound]]:
        return {name: (few, many) for name, (few, many) in self.same.items() if few != many}

    @property
    def beyond(self) -> Mapping[str, tuple[Bound, Bound]]:
        """Those that read more than their bound."""
        return {name: reads for name, reads in self.bounded.items() if not all(map(AT_MOST[name].holds, reads))}

    @property
    def most_items_more(self) -> int:
        """The most items that any reads more of many requests, where it must read the same, or than its bound."""
        same = [many.items - few.items for few, many in self.same.values()]
        return max(0, *same, *(many.items - AT_MOST[name].items for name, (_, many) in self.bounded.items()))


def compared() -> Compared:
    """Measure each page and call at both sizes."""
    with _small_limits(), desk() as at:
        few, many = at.measured(FEW), at.measured(MANY)
    reads = {name: (Bound.of(few[name]), Bound.of(many[name])) for name in few}
    return Compared(
        {name: both for name, both in reads.items() if name not in AT_MOST},
        {name: both for name, both in reads.items() if name in AT_MOST},
    )


@contextmanager
def _small_limits() -> Iterator[None]:
    with ExitStack() as stack:
        for (module, name), limit in _SMALL.items():
            stack.enter_context(patch.object(module, name, limit))
        yield
