"""Figures about reviews: what each audit event adds to which counters, up to where sets count, and what they say.

A bucket holds the counters of one period (a UTC day, a month, or all time) for one value of one dimension. Buckets are
merged by addition, so the order of events does not matter, and a long range is the sum of a few months and days. A
request counts on the day it was opened, its answer on the day it was given. A reassignment moves the request to another
reviewer on the day it was opened; nothing else is ever subtracted.

Response times are those of people. Automatic answers are counted separately, and miss the SLA if there was one.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.index import IndexedEvent
from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339

BIN_RATIO = 1.05
"""Each bin of response times is this much wider than the previous one."""
MEDIAN_ERROR = (BIN_RATIO - 1) / (BIN_RATIO + 1)
"""The relative error of a median from the bins: 2.44%."""
ALL_TIME = "all"

CREATED, RESPONDED, CANCELLED = "created", "responded", "cancelled"
_AUTO, _SECONDS, _MET, _MISSED = "auto", "seconds", "met", "missed"
_BIN, _HOUR = "bin:", "hour:"

# No event of ours comes near: with more, DynamoDB would refuse the transaction that it is a part of.
_LONGEST_NAME, _MOST_SECONDS = 2_000, 10**12
# An expression has at most 300 operators and 4 KB.
_MOST_COUNTERS = 250
_MOST_SEEN = 1_000

Tally = Mapping[str, int]
"""Counters by name; a missing one is 0."""


class Dimension(StrEnum):
    """What figures are grouped by.

    The reviewer of an answer is the proven responder, else the assignee. A flow without a name is "".
    """

    TOTAL = "total"
    REVIEWER = "reviewer"
    FLOW = "flow"
    METHOD = "method"


GROUPINGS = (Dimension.REVIEWER, Dimension.FLOW, Dimension.METHOD)


@dataclass(frozen=True)
class Bucket:
    """The name of a set of counters.

    `period` is `2026-01-14`, `2026-01`, or `ALL_TIME`. With an outcome ("" for free text), it counts answers with that
    outcome, with None everything else.
    """

    dimension: Dimension
    period: str
    value: str = ""
    outcome: str | None = None


Tallies = Mapping[Bucket, Tally]


@dataclass(frozen=True)
class Measurement:
    """What an event adds."""

    event_id: str
    at: datetime
    tallies: Tallies


def measure(event: AuditEvent) -> Measurement | None:
    """Return what an event adds to the figures of its deployment, None if it does not count.

    Requests count when opened, answered, cancelled, and reassigned, unless they are tests. Raises KeyError, TypeError,
    or ValueError for a malformed event.
    """
    match event.kind:
        case EventKind.REQUEST_CREATED:
            adds, reviewer, outcome = Counter({CREATED: 1}), event.data["assigned_to_email"], None
        case EventKind.RESPONSE_SUBMITTED:
            adds, reviewer, outcome = _answered(event), _reviewer(event), event.data["outcome"] or ""
        case EventKind.REQUEST_CANCELLED:
            adds, reviewer, outcome = Counter({CANCELLED: 1}), event.data["assigned_to_email"], None
        case EventKind.REQUEST_REASSIGNED:
            return _moved(event)
        case _:
            return None
    if event.data["test"]:
        return None
    values = {
        Dimension.REVIEWER: str(reviewer).lower(),
        Dimension.FLOW: event.data["flow_name"] or "",
        Dimension.METHOD: event.data["method_name"],
    }
    tallies = {Bucket(Dimension.TOTAL, ALL_TIME): _only_states(adds)}
    at = event.at.astimezone(UTC)
    _check([*values.values(), outcome or ""], adds)
    for period in (day_period(at.date()), month_period(at.date())):
        tallies[Bucket(Dimension.TOTAL, period)] = adds + _when(event.kind, at, period)
        for dimension, value in values.items():
            tallies[Bucket(dimension, period, value)] = adds
            if outcome is not None:
                tallies[Bucket(dimension, period, value, outcome)] = Counter({RESPONDED: 1})
    return Measurement(event.event_id, event.at, tallies)


def _moved(event: AuditEvent) -> Measurement | None:
    """Return how a reassignment moves an opened request, None if it stays, or for old events without that data."""
    before, after = (str(event.data.get(name)).lower() for name in ("assigned_before", "assigned_to_email"))
    opened_at = event.data.get("created_at")
    if opened_at is None or event.data["test"] or before == after:
        return None
    opened_on = parse_rfc3339(opened_at).astimezone(UTC).date()
    _check((before, after), {})
    tallies = {
        Bucket(Dimension.REVIEWER, period, reviewer): Counter({CREATED: by})
        for period in (day_period(opened_on), month_period(opened_on))
        for reviewer, by in ((before, -1), (after, 1))
    }
    return Measurement(event.event_id, event.at, tallies)


def merged(tallies: Iterable[Tallies]) -> dict[Bucket, Counter[str]]:
    """Return the sum of sets of buckets."""
    total: dict[Bucket, Counter[str]] = {}
    for each in tallies:
        merge(total, each)
    return total


def merge(total: dict[Bucket, Counter[str]], tallies: Tallies) -> None:
    """Add a set of buckets to another."""
    for bucket, tally in tallies.items():
        total.setdefault(bucket, Counter()).update(tally)


def day_period(day: date) -> str:
    return day.isoformat()


def month_period(day: date) -> str:
    return f"{day:%Y-%m}"


def is_month(period: str) -> bool:
    return len(period) == len("2026-01")


@dataclass(frozen=True)
class Position:
    """A place in a deployment's events: behind all before `at` (whole seconds), and those of `at` up to `after`."""

    at: datetime
    after: IndexedEvent | None = None

    @classmethod
    def behind(cls, event: IndexedEvent) -> "Position":
        # Its key tells the place; a set's record stays small.
        return cls(event.at, replace(event, hash=""))


@dataclass(frozen=True)
class Seen:
    """An event that was looked at, or a time without any: the place behind it, and what it adds, if it counts.

    `senseless` names an event that cannot be counted.
    """

    position: Position
    tallies: Tallies | None = None
    senseless: str | None = None


@dataclass(frozen=True)
class Cut:
    """What a run of events adds, and the place behind the last of them."""

    position: Position
    tallies: Tallies
    events: int
    senseless: tuple[str, ...]


def cuts(seen: Iterable[Seen]) -> Iterator[Cut]:
    """Divide what was looked at into runs that are short enough, and change no bucket in too many ways."""
    run = None
    for one in seen:
        if run is None or not run.has_room_for(one):
            if run is not None:
                yield run.cut()
            run = _Run(one.position)
        run.add(one)
    if run is not None:
        yield run.cut()


def whole_cut(position: Position, seen: Iterable[Seen]) -> Cut:
    """Return all that was looked at up to a place as one run."""
    run = _Run(position)
    for one in seen:
        run.add(one)
    return replace(run.cut(), position=position)


@dataclass
class _Run:
    last: Position
    sums: dict[Bucket, Counter[str]] = field(default_factory=dict)
    seen: int = 0
    events: int = 0
    senseless: list[str] = field(default_factory=list)

    def has_room_for(self, one: Seen) -> bool:
        return self.seen < _MOST_SEEN and all(
            len({*self.sums.get(bucket, ()), *tally}) <= _MOST_COUNTERS for bucket, tally in (one.tallies or {}).items()
        )

    def add(self, one: Seen) -> None:
        self.last = one.position
        self.seen += 1
        if one.senseless is not None:
            self.senseless.append(one.senseless)
        if one.tallies is not None:
            self.events += 1
            merge(self.sums, one.tallies)

    def cut(self) -> Cut:
        return Cut(self.last, self.sums, self.events, tuple(self.senseless))


@dataclass(frozen=True)
class Progress:
    """How far a set has come: its place in the log, the events that it counts, and how many made no sense.

    While a cut is being added, `ahead` is the place behind it, and the buckets that have it name its `number`, which
    counts the cuts from 1. `version` counts the writes, from 1.
    """

    position: Position
    events: int = 0
    senseless: int = 0
    version: int = 1
    number: int = 0
    ahead: Position | None = None

    def begun(self, cut: Cut) -> "Progress":
        """Return how it stands when some buckets may have a cut."""
        return replace(self, version=self.version + 1, number=self.number + 1, ahead=cut.position)

    def moved(self, cut: Cut) -> "Progress":
        """Return how far it has come when all buckets have the cut that was begun."""
        return replace(
            self,
            position=cut.position,
            events=self.events + cut.events,
            senseless=self.senseless + len(cut.senseless),
            version=self.version + 1,
            ahead=None,
        )


@dataclass(frozen=True)
class Generation:
    """A set of buckets, which counts each event up to its position once; one of before sets had positions has none."""

    number: int
    progress: Progress | None = None


@dataclass(frozen=True)
class Generations:
    """A deployment's sets of buckets: the one shown, one being built, and those to be removed.

    `version` counts the changes; no number is ever reused.
    """

    live: Generation = Generation(0)
    building: Generation | None = None
    discarded: tuple[int, ...] = ()
    version: int = 0

    @property
    def is_unfinished(self) -> bool:
        """Tell whether a set is to be built, shown, or removed."""
        return self.live.progress is None or self.building is not None or bool(self.discarded)

    def begun(self, progress: Progress) -> "Generations":
        """Return the generations with another set being built, instead of an unfinished one."""
        abandoned = (self.building.number,) if self.building else ()
        number = self.version + 1
        return Generations(self.live, Generation(number, progress), (*self.discarded, *abandoned), number)

    def switched(self) -> "Generations":
        """Return the generations with the new set shown; raises ValueError if there is none."""
        if self.building is None:
            raise ValueError("nothing is being built")
        return Generations(self.building, None, (*self.discarded, self.live.number), self.version + 1)

    def cleared(self) -> "Generations":
        """Return the generations after the discarded ones were removed."""
        return Generations(self.live, self.building, (), self.version + 1)

    def progress_of(self, number: int) -> Progress | None:
        """Return how far a set that grows has come, None for any other."""
        growing = (self.live, self.building) if self.building else (self.live,)
        return next((one.progress for one in growing if one.number == number), None)


@dataclass(frozen=True)
class Span:
    """Days or months from the first to the last, both included."""

    first: str
    last: str

    def holds(self, period: str) -> bool:
        return is_month(period) == is_month(self.first) and self.first <= period <= self.last


def spans(first: date, last: date) -> tuple[Span, ...]:
    """Return the fewest periods of a range of days, both included: at most days, months, and days."""
    begin = first if first.day == 1 else next_month(first)
    end = last if (last + timedelta(days=1)).day == 1 else last.replace(day=1) - timedelta(days=1)
    if begin > end:
        return (Span(day_period(first), day_period(last)),)
    months = Span(month_period(begin), month_period(end))
    before = (Span(day_period(first), day_period(begin - timedelta(days=1))),) if first < begin else ()
    after = (Span(day_period(end + timedelta(days=1)), day_period(last)),) if end < last else ()
    return (*before, months, *after)


def bin_of(seconds: int) -> int:
    """Return the bin of a response time: 0 below a second, then one for each step of `BIN_RATIO`."""
    return 0 if seconds < 1 else 1 + math.floor(math.log(seconds) / math.log(BIN_RATIO))


def middle_of(number: int) -> float:
    """Return the seconds that stand for a bin, within `MEDIAN_ERROR` of any time in it."""
    if number == 0:
        return 0.0
    low = BIN_RATIO ** (number - 1)
    return 2 * low * BIN_RATIO / (1 + BIN_RATIO)


@dataclass(frozen=True)
class Figures:
    """What a tally says; times are in seconds, None without answers or without an SLA."""

    created: int
    responded: int
    cancelled: int
    auto_responded: int
    average_seconds: float | None
    median_seconds: float | None
    sla_met: int
    sla_missed: int
    outcomes: tuple[tuple[str | None, int], ...] = ()

    @property
    def sla_compliance(self) -> float | None:
        """The share of answers within their SLA, of those that had one."""
        return share(self.sla_met, self.sla_met + self.sla_missed)

    @property
    def auto_response_share(self) -> float | None:
        """The share of automatic answers."""
        return share(self.auto_responded, self.responded)


def figures(tally: Tally, outcomes: Mapping[str, int] | None = None) -> Figures:
    """Return the figures of a tally and of the answers by outcome ("" for free text), most frequent first."""
    by_people = tally.get(RESPONDED, 0) - tally.get(_AUTO, 0)
    ranked = sorted((outcomes or {}).items(), key=lambda each: (-each[1], each[0]))
    return Figures(
        created=tally.get(CREATED, 0),
        responded=tally.get(RESPONDED, 0),
        cancelled=tally.get(CANCELLED, 0),
        auto_responded=tally.get(_AUTO, 0),
        average_seconds=tally.get(_SECONDS, 0) / by_people if by_people else None,
        median_seconds=_median(tally),
        sla_met=tally.get(_MET, 0),
        sla_missed=tally.get(_MISSED, 0),
        outcomes=tuple((outcome or None, count) for outcome, count in ranked),
    )


def pending(all_time: Tally) -> int:
    """Return how many requests are open, from the tally of all time."""
    return all_time.get(CREATED, 0) - all_time.get(RESPONDED, 0) - all_time.get(CANCELLED, 0)


def share(part: int, whole: int) -> float | None:
    """Return a part of a whole, from 0 to 1, None of nothing."""
    return part / whole if whole else None


@dataclass(frozen=True)
class DayVolume:
    """One day."""

    day: date
    """The day, in UTC."""
    created: int
    """How many requests were opened."""
    responded: int
    """How many were answered."""


def volume_by_day(total: Mapping[str, Tally], first: date, last: date) -> tuple[DayVolume, ...]:
    """Return the volume of each day of a range, from the total's tallies by period."""
    return tuple(_volume(total, first + timedelta(days=number)) for number in range((last - first).days + 1))


def volume_by_hour(tally: Tally) -> tuple[tuple[int, ...], ...]:
    """Return the requests opened in each hour (UTC) of each day of the week, Monday first."""
    return tuple(tuple(tally.get(f"{_HOUR}{day * 24 + hour}", 0) for hour in range(24)) for day in range(7))


def _volume(total: Mapping[str, Tally], day: date) -> DayVolume:
    own = total.get(day_period(day))
    if own is not None:
        return DayVolume(day, own.get(CREATED, 0), own.get(RESPONDED, 0))
    month = total.get(month_period(day), {})
    return DayVolume(day, month.get(f"{CREATED}:{day.day}", 0), month.get(f"{RESPONDED}:{day.day}", 0))


def _answered(event: AuditEvent) -> Counter[str]:
    data = event.data
    adds = Counter({RESPONDED: 1})
    by_clock = data["responded_via"] == Channel.AUTO_RESPONSE.value
    if by_clock:
        adds[_AUTO] = 1
    else:
        seconds = int(data["response_seconds"])
        adds[_SECONDS] = seconds
        adds[f"{_BIN}{bin_of(seconds)}"] = 1
    if data["sla_due_at"] is not None:
        in_time = not by_clock and event.at <= parse_rfc3339(data["sla_due_at"])
        adds[_MET if in_time else _MISSED] = 1
    return adds


def _check(names: Iterable[object], adds: Tally) -> None:
    """Raise ValueError for what somebody has forged so that no item could hold it."""
    for name in names:
        if not isinstance(name, str) or len(name.encode()) > _LONGEST_NAME:
            raise ValueError("a name is no short text")
    if any(abs(number) > _MOST_SECONDS for number in adds.values()):
        raise ValueError("a number is too large")


def _reviewer(event: AuditEvent) -> str:
    proven = event.data["responder"] if event.data["responder_verified"] else None
    return str(proven or event.data["assigned_to_email"])


def _only_states(adds: Tally) -> Counter[str]:
    return Counter({name: adds[name] for name in (CREATED, RESPONDED, CANCELLED) if name in adds})


def _when(kind: EventKind, at: datetime, period: str) -> Counter[str]:
    """Return the total's counters by day of the month and hour of the week."""
    adds: Counter[str] = Counter()
    if kind is EventKind.REQUEST_CREATED:
        adds[f"{_HOUR}{at.weekday() * 24 + at.hour}"] = 1
        if is_month(period):
            adds[f"{CREATED}:{at.day}"] = 1
    elif kind is EventKind.RESPONSE_SUBMITTED and is_month(period):
        adds[f"{RESPONDED}:{at.day}"] = 1
    return adds


def _median(tally: Tally) -> float | None:
    bins = sorted((int(name.removeprefix(_BIN)), count) for name, count in tally.items() if name.startswith(_BIN))
    total = sum(count for _, count in bins)
    if not total:
        return None
    return (_ranked(bins, (total - 1) // 2) + _ranked(bins, total // 2)) / 2


def _ranked(bins: Iterable[tuple[int, int]], rank: int) -> float:
    """Return the approximate value of a rank, from 0, among the bins' values."""
    for number, count in bins:
        if rank < count:
            return middle_of(number)
        rank -= count
    raise ValueError("the rank is beyond the last value")


def next_month(day: date) -> date:
    """Return the first day of the month after a day's."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)
