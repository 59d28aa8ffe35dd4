"""The decisions feed shows every decision, however late it becomes visible and however many come in between."""

import uuid
from bisect import bisect_right, insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Any

import pytest

from flow_hitl.platform.cursors import decode_cursor, encode_cursor
from flow_hitl.requests.reading import decision_feed
from flow_hitl.requests.reading.decision_feed import FeedPlace, short
from flow_hitl.requests.store.decision_entries import next_page
from tests.support.examples import NOON

SETTLES_AFTER = timedelta(seconds=90)
# More would be refused by API Gateway, together with the rest of a request's head.
LONGEST_CURSOR = 8000


@pytest.fixture(autouse=True)
def _same_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work out a key's digest once: thousands of polls in one process would do it for each of them."""
    monkeypatch.setattr(decision_feed, "_digest", cache(decision_feed._digest))


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}"


@dataclass
class Feed:
    """An index whose entries become visible when the test says so, and one worker that polls it."""

    random: Random = field(default_factory=lambda: Random(1))  # noqa: S311 - the same in every run
    visible: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    cursor: str | None = None
    read_at_once: int = 0

    def decide(self, at: datetime) -> str:
        """Let a decision of a moment become visible now, and return its key."""
        key = f"{moment(at)}#{uuid.UUID(int=self.random.getrandbits(128))}"
        insort(self.visible, key)
        return key

    def poll(self, now: datetime, limit: int = 100) -> list[str]:
        """Poll once, as a worker does that has just the cursor of the page before."""
        self.read_at_once = 0
        place = FeedPlace.of(decode_cursor(self.cursor)) if self.cursor else FeedPlace()
        assert place is not None
        place, page = next_page(place, limit, moment(now - SETTLES_AFTER), self._read, self._load)
        self.cursor = encode_cursor(place.to_document())
        assert len(self.cursor) < LONGEST_CURSOR
        assert len(page) <= limit
        assert self.read_at_once < 3000
        self.shown += page
        return page

    def poll_to_the_end(self, now: datetime, limit: int = 100) -> list[str]:
        """Poll until nothing comes any more."""
        pages: list[str] = []
        for _ in range(len(self.visible) + 10):
            page = self.poll(now, limit)
            pages += page
            if not page:
                return pages
        raise AssertionError("the feed never came to its end")

    def _read(self, above: str, below: str, most: int) -> tuple[dict[str, dict[str, Any]], bool]:
        first, end = bisect_right(self.visible, above), bisect_right(self.visible, below)
        found = self.visible[first : min(end, first + most)]
        self.read_at_once += len(found)
        return {key: {"key": key} for key in found}, end - first <= most

    def _load(self, rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str | None]]:
        for row in rows:
            yield row, row["key"]


@pytest.mark.parametrize("between", [1, 399, 401, 500, 501, 600, 1000, 5000])
def test_an_entry_that_becomes_visible_behind_many_others_is_shown(between: int) -> None:
    feed = Feed()
    now = NOON + timedelta(seconds=60)
    others = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(between)]
    assert feed.poll_to_the_end(now) == others
    late = feed.decide(NOON - timedelta(seconds=1))
    seen: list[str] = []
    for _ in range(6):
        seen += feed.poll(now)
    assert seen == [late]


def test_two_of_them_are_shown_at_once_and_nothing_else_again() -> None:
    feed = Feed()
    others = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(900)]
    assert feed.poll_to_the_end(NOON) == others
    late = sorted([feed.decide(NOON + timedelta(milliseconds=10.5)), feed.decide(NOON + timedelta(milliseconds=90.5))])
    assert feed.poll(NOON) == late
    assert feed.poll_to_the_end(NOON) == []


def test_many_of_them_are_shown_when_no_more_can_come() -> None:
    feed = Feed()
    others = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(2000)]
    assert feed.poll_to_the_end(NOON, limit=7) == others
    late = {feed.decide(NOON + timedelta(milliseconds=number + 0.5)) for number in range(0, 900, 3)}
    feed.poll_to_the_end(NOON + timedelta(seconds=10), limit=7)
    shown = [key for _ in range(400) for key in feed.poll(NOON + timedelta(seconds=200), limit=7)]
    assert late <= set(feed.shown)
    assert len(shown) < 300 + 1000 + 200, "only the groups that they fell into are shown again"
    assert feed.poll_to_the_end(NOON + timedelta(seconds=200), limit=7) == []


@pytest.mark.parametrize("limit", [1, 20, 100])
@pytest.mark.parametrize("per_second", [1, 8, 40])
@pytest.mark.parametrize("latest", [1.0, 30.0, 89.0])
def test_nothing_is_lost_at_any_rate_and_lateness(per_second: int, latest: float, limit: int) -> None:
    feed = Feed()
    decided: list[tuple[datetime, datetime]] = []
    for number in range(per_second * 30 if limit > 1 else 120):
        at = NOON + timedelta(seconds=number / per_second)
        late = feed.random.random() * latest if feed.random.random() < 0.05 else feed.random.random() * 0.2
        decided.append((at + timedelta(seconds=late), at))
    decided.sort()
    made: list[str] = []
    now = NOON
    while decided:
        now += timedelta(seconds=0.5)
        while decided and decided[0][0] <= now:
            made.append(feed.decide(decided.pop(0)[1]))
        feed.poll(now, limit)
    for _ in range(40):
        now += timedelta(seconds=5)
        feed.poll_to_the_end(now, limit)
    assert set(feed.shown) == set(made)
    if per_second * latest < 100:
        assert len(feed.shown) == len(made), "none was shown twice"


def test_a_worker_that_comes_back_after_a_day_goes_on_where_it_was() -> None:
    feed = Feed()
    first = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(3000)]
    feed.poll_to_the_end(NOON)
    tomorrow = NOON + timedelta(days=1)
    more = [feed.decide(NOON + timedelta(minutes=number)) for number in range(10, 900)]
    feed.poll_to_the_end(tomorrow)
    for _ in range(40):
        feed.poll(tomorrow)
    assert feed.shown == [*first, *more]
    assert len(str(feed.cursor)) < 300, "what has settled is not remembered"


def test_a_crowd_that_is_too_large_to_be_remembered_comes_when_the_first_have_settled() -> None:
    feed = Feed()
    made = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(8000)]
    assert feed.poll_to_the_end(NOON + timedelta(seconds=10)) == made[: len(feed.shown)]
    assert len(feed.shown) > 5000
    for seconds in range(90, 200):
        feed.poll_to_the_end(NOON + timedelta(seconds=seconds))
    assert feed.shown == made


def test_a_cursor_of_an_earlier_kind_is_gone_on_with() -> None:
    feed = Feed()
    made = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(600)]
    earlier = {"after": made[9], "shown": [short(key) for key in made[10:510]]}
    feed.cursor = encode_cursor(earlier)
    assert feed.poll_to_the_end(NOON) == made[510:]


def test_what_cannot_be_loaded_with_the_page_comes_with_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    feed = Feed()
    made = [feed.decide(NOON + timedelta(milliseconds=number)) for number in range(900)]
    feed.poll_to_the_end(NOON)
    load = feed._load

    def little(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str | None]]:
        return load(rows[:1])

    monkeypatch.setattr(feed, "_load", little)
    late = {feed.decide(NOON + timedelta(milliseconds=10.5)), feed.decide(NOON + timedelta(milliseconds=20.5))}
    new = feed.decide(NOON + timedelta(seconds=2))
    assert set(feed.poll_to_the_end(NOON)) == {*late, new}
    assert len(feed.shown) == len(made) + 3


KEY = f"{moment(NOON)}#{uuid.UUID(int=1)}"


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"after": KEY},
        {"after": "x", "shown": []},
        {"after": KEY, "groups": [["x", 1]], "shown": "", "turn": 0},
        {"after": KEY, "groups": [[KEY, 1]], "shown": "", "turn": 0},
        {"after": "0", "groups": [[KEY, -1]], "shown": "", "turn": 0},
        {"after": "0", "groups": [[KEY, "1"]], "shown": "", "turn": 0},
        {"after": "0", "groups": [], "shown": "x" * 8008, "turn": 0},
    ],
)
def test_what_is_no_place_is_none_of_ours(document: Any) -> None:
    assert FeedPlace.of(document) is None
