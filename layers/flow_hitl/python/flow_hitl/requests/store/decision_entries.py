"""One page of the decisions feed: entries that became visible late, then new ones."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from flow_hitl.requests.reading.decision_feed import FeedPlace, short
from flow_hitl.requests.store.request_index import LAST

_Shown = TypeVar("_Shown")
Row = dict[str, Any]
Read = Callable[[str, str, int], tuple[Mapping[str, Row], bool]]
"""Returns up to about so many rows after one key and up to another, sorted by key, and whether that is all."""


def next_page(
    place: FeedPlace,
    limit: int,
    settled: str,
    read: Read,
    load: Callable[[Sequence[Row]], Iterator[tuple[Row, _Shown | None]]],
) -> tuple[FeedPlace, list[_Shown]]:
    """Return the place after a page and what it shows; nothing before `settled` becomes visible anymore.

    `load` yields rows with their values, None for deleted ones, and may end early. The cost does not grow with the
    number of stored or decided requests.
    """
    check, late = place.check(settled), dict[str, Row]()
    found: Mapping[str, Row] = {}
    complete = True
    if check is not None:
        found, complete = read(check.above, check.below, check.most)
        late = {key: found[key] for key in place.checked(check, list(found), complete, settled, limit)[1]}
    ahead, _ = read(place.singles_after, LAST, limit + len(place.shown) + 1)
    known = set(place.shown)
    fresh = {key: row for key, row in ahead.items() if short(key) not in known}
    wanted = {**late, **dict(list(fresh.items())[: min(limit - len(late), place.room)])}
    loaded = list(load(list(wanted.values())))
    handed_out = list(wanted)[: len(loaded)]
    if check is not None:
        looked_at = limit if len(loaded) >= len(late) else len(loaded)
        place, _ = place.checked(check, list(found), complete, settled, looked_at)
    place = place.showing(list(ahead), frozenset(handed_out[len(late) :]), settled)
    return place, [one for _, one in loaded if one is not None]
