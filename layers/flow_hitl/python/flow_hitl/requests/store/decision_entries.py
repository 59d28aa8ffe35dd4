"""One page of the decisions feed: a look back at what may have become visible late, then what is new."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from flow_hitl.requests.reading.decision_feed import FeedPlace, short
from flow_hitl.requests.store.request_index import LAST

_Shown = TypeVar("_Shown")
Row = dict[str, Any]
Read = Callable[[str, str, int], tuple[Mapping[str, Row], bool]]
"""Returns the rows behind one key and up to another, by their keys in order, and whether that is all; about so many."""


def next_page(
    place: FeedPlace,
    limit: int,
    settled: str,
    read: Read,
    load: Callable[[Sequence[Row]], Iterator[tuple[Row, _Shown | None]]],
) -> tuple[FeedPlace, list[_Shown]]:
    """Return the place behind a page and what it shows; nothing becomes visible before `settled` any more.

    `load` yields rows with what they are of, None where that is gone, and may end early. What is read does not grow
    with what is stored, nor with how much was decided.
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
