"""The report of a range: totals, groups, volumes, what is pending, and alerts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import date

from flow_hitl.metrics.metrics import (
    CREATED,
    RESPONDED,
    Bucket,
    DayVolume,
    Dimension,
    Figures,
    Tallies,
    Tally,
    figures,
    pending,
    volume_by_day,
    volume_by_hour,
)
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.reading.list_rows import Count

MOST_GROUPS = 100


@dataclass(frozen=True)
class Inquiry:
    """What is asked for: days in UTC, both included, and how to group the figures."""

    first: date
    last: date
    group_by: Dimension


@dataclass(frozen=True)
class WaitingAlert:
    """This many pending requests have been waiting for longer than these minutes."""

    waiting: Count
    minutes: int

    def __str__(self) -> str:
        noun = "request" if self.waiting == Count(1) else "requests"
        return f"{self.waiting} {noun} waiting > {self.minutes} min"


@dataclass(frozen=True)
class FigureGroup:
    """The figures of one reviewer, flow ("" without a name) or method."""

    name: str
    figures: Figures


@dataclass(frozen=True)
class Report:
    """The answer to an inquiry.

    `others` sums up the groups that are not listed; unless `complete`, their outcomes are unknown. Unless it is
    `up_to_date`, the latest events are missing. `hours` are the requests opened in each hour of the week, Monday first.
    `pending_now` and `overdue` do not depend on the range.
    """

    inquiry: Inquiry
    totals: Figures
    groups: tuple[FigureGroup, ...]
    others: Figures | None
    methods: tuple[FigureGroup, ...]
    complete: bool
    up_to_date: bool
    volume: tuple[DayVolume, ...]
    hours: tuple[tuple[int, ...], ...]
    pending_now: int
    overdue: Count
    alerts: tuple[WaitingAlert, ...]

    @property
    def is_empty(self) -> bool:
        return not (self.totals.created or self.totals.responded or self.totals.cancelled)


def report(
    inquiry: Inquiry,
    *,
    total: Tallies,
    groups: Tallies,
    methods: Tallies,
    complete: bool,
    up_to_date: bool,
    all_time: Tally,
    overdue: Count,
    alerts: Iterable[WaitingAlert],
) -> Report:
    """Return the report of the range's buckets: of the total, the groups, and the methods."""
    periods = {bucket.period: tally for bucket, tally in total.items()}
    everything = _Sum()
    for tally in periods.values():
        everything.tally.update(tally)
    by_method = _by_value(methods)
    for one in by_method.values():
        everything.outcomes.update(one.outcomes)
    by_group = {name: one for name, one in _by_value(groups).items() if +one.tally or +one.outcomes}
    listed = _largest(by_group)
    rest = _Sum(Counter(everything.tally), Counter(everything.outcomes))
    for name in listed:
        rest.tally.subtract(by_group[name].tally)
        rest.outcomes.subtract(by_group[name].outcomes)
    return Report(
        inquiry=inquiry,
        totals=everything.figures,
        groups=tuple(FigureGroup(name, by_group[name].figures) for name in listed),
        others=rest.figures if not complete or len(listed) < len(by_group) else None,
        methods=tuple(FigureGroup(name, by_method[name].figures) for name in _largest(by_method)),
        complete=complete,
        up_to_date=up_to_date,
        volume=volume_by_day(periods, inquiry.first, inquiry.last),
        hours=volume_by_hour(everything.tally),
        pending_now=max(0, pending(all_time)),
        overdue=overdue,
        alerts=tuple(alerts),
    )


@dataclass
class _Sum:
    tally: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def figures(self) -> Figures:
        return figures(+self.tally, +self.outcomes)


def _by_value(tallies: Mapping[Bucket, Tally]) -> dict[str, _Sum]:
    sums: dict[str, _Sum] = {}
    for bucket, tally in tallies.items():
        one = sums.setdefault(bucket.value, _Sum())
        if bucket.outcome is None:
            one.tally.update(tally)
        else:
            one.outcomes[bucket.outcome] += sum(tally.values())
    return sums


def _largest(sums: Mapping[str, _Sum]) -> list[str]:
    """Return the names with the most requests and answers."""

    def size(name: str) -> tuple[int, str]:
        tally = sums[name].tally
        return -tally[CREATED] - tally[RESPONDED], name

    return sorted(sums, key=size)[:MOST_GROUPS]
