"""Analytics: checks a query, reads its figures with few calls, and makes the report."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import islice

from flow_hitl.deployments.deployment import Deployment
from flow_hitl.metrics.analytics import Inquiry, Report, WaitingAlert, report
from flow_hitl.metrics.measured_log import MeasuredLog
from flow_hitl.metrics.metrics import (
    ALL_TIME,
    GROUPINGS,
    Bucket,
    Dimension,
    Figures,
    Generation,
    Progress,
    Span,
    Tallies,
    Tally,
    day_period,
    figures,
    merged,
    month_period,
    next_month,
    spans,
)
from flow_hitl.metrics.ports import MetricReading, MetricStore
from flow_hitl.people.access import Action, KeyHolder, SignedInMember, authorize
from flow_hitl.platform.errors import Conflict, FieldError, ValidationFailed
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds
from flow_hitl.platform.times import ceil_second, parse_rfc3339
from flow_hitl.requests.ports import Backlog

DEFAULT_DAYS = 30
MOST_DAYS = 5 * 366
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_ONE_DAY = timedelta(days=1)
_TOTAL = Bucket(Dimension.TOTAL, ALL_TIME)
# Twenty calls. So many wait only in a rush of some hundred requests a minute, or after an outage of `measure`.
_MOST_FRESH = 2_000
# The clocks of two functions differ by less.
_AHEAD = timedelta(minutes=1)


@dataclass(frozen=True)
class ReadAnalytics:
    """The figures of a range of days, for managers."""

    metrics: MetricStore
    log: MeasuredLog
    backlog: Backlog
    clock: Clock
    pause: Callable[[int], None]

    def __call__(
        self, reader: KeyHolder | SignedInMember, *, begin: str | None, end: str | None, group_by: str | None
    ) -> Report:
        """Return the report for a query of the API or the page; raises Forbidden, and what `read_inquiry` raises."""
        authorize(reader, Action.CONFIGURE)
        now = self.clock.now()
        inquiry = read_inquiry(begin=begin, end=end, group_by=group_by, today=now.astimezone(UTC).date())
        deployment = reader.deployment
        counted = self._counted(deployment.deployment_id, inquiry, now)
        return report(
            inquiry,
            total=counted.total.tallies,
            groups=counted.groups.tallies,
            methods=counted.methods.tallies,
            complete=counted.groups.complete and counted.methods.complete,
            up_to_date=counted.up_to_date,
            all_time=counted.all_time.tallies.get(_TOTAL, {}),
            overdue=self.backlog.overdue(deployment.deployment_id, now),
            alerts=self._alerts(deployment, now),
        )

    def before(self, reader: KeyHolder | SignedInMember, inquiry: Inquiry) -> Figures:
        """Return the figures of as many days before a range, as far as they are stored; raises Forbidden."""
        authorize(reader, Action.CONFIGURE)
        deployment_id, days = reader.deployment.deployment_id, inquiry.last - inquiry.first + _ONE_DAY
        number = self.metrics.generations(deployment_id).live.number
        periods = spans(inquiry.first - days, inquiry.first - _ONE_DAY)
        total = Counter[str]()
        for tally in self.metrics.read(deployment_id, number, Dimension.TOTAL, periods).tallies.values():
            total.update(tally)
        return figures(+total)

    def months(self, deployment_id: int, first: date, last: date) -> Iterator[Tallies]:
        """Yield all buckets of each month between two days, with what came latest: its days, and the month itself."""
        month = first.replace(day=1)
        while month <= last:
            yield in_rounds(partial(self._month, deployment_id, month), self.pause)
            month = next_month(month)

    def _month(self, deployment_id: int, month: date) -> Tallies:
        """Return all buckets of a month; raises Conflict if some events were stored meanwhile."""
        live, last = self.metrics.generations(deployment_id).live, next_month(month) - _ONE_DAY
        days = [month + number * _ONE_DAY for number in range(last.day)]
        whole = Span(month_period(month), month_period(month))
        read = partial(self.metrics.read, deployment_id, live.number)
        found: dict[Bucket, Tally] = {}
        progress = self._progress(deployment_id, live, self.metrics.all_time(deployment_id, live.number))
        fresh = self._fresh(deployment_id, progress, self.clock.now()) if progress is not None else None
        for dimension in Dimension:
            # A day at a time, so that what one call may read suffices.
            for span in (*(Span(day_period(day), day_period(day)) for day in days), whole):
                reading = read(dimension, [span])
                if fresh is not None:
                    reading = fresh.on(reading, partial(_is_of, dimension, [span]))
                found |= reading.tallies
        if self.metrics.generations(deployment_id).live != live:
            raise Conflict("some events are stored by now: they would count twice")
        return found

    def _counted(self, deployment_id: int, inquiry: Inquiry, now: datetime) -> "_Counted":
        def attempt() -> _Counted:
            live = self.metrics.generations(deployment_id).live
            stored = self._stored(deployment_id, live.number, inquiry)
            progress = self._progress(deployment_id, live, stored.all_time)
            if progress is None:
                return stored
            fresh = self._fresh(deployment_id, progress, now)
            if self.metrics.generations(deployment_id).live != live:
                raise Conflict("some events are stored by now: they would count twice")
            return stored.plus(fresh)

        try:
            return in_rounds(attempt, self.pause, rounds=3)
        except Conflict:
            # A backlog is being worked off.
            return self._stored(deployment_id, self.metrics.generations(deployment_id).live.number, inquiry)

    def _stored(self, deployment_id: int, number: int, inquiry: Inquiry) -> "_Counted":
        periods = spans(inquiry.first, inquiry.last)
        total, methods = (
            self.metrics.read(deployment_id, number, dimension, periods)
            for dimension in (Dimension.TOTAL, Dimension.METHOD)
        )
        groups = methods
        if inquiry.group_by is not Dimension.METHOD:
            groups = self.metrics.read(deployment_id, number, inquiry.group_by, periods)
        return _Counted(inquiry, total, methods, groups, self.metrics.all_time(deployment_id, number))

    def _progress(self, deployment_id: int, live: Generation, all_time: MetricReading) -> Progress | None:
        """Return how far is stored; None if nobody knows, until the figures are rebuilt."""
        return live.progress if live.progress is not None else self.log.begun(deployment_id, all_time.tallies)

    def _fresh(self, deployment_id: int, progress: Progress, now: datetime) -> "_Fresh":
        begun: Tallies = {}
        position = progress.position
        if progress.ahead is not None:
            cut = self.log.between(deployment_id, position, progress.ahead)
            begun, position = merged(one.tallies or {} for one in cut), progress.ahead
        seen = self.log.after(deployment_id, position, ceil_second(now + _AHEAD), fresh=True)
        later = merged(one.tallies or {} for one in islice(seen, _MOST_FRESH))
        return _Fresh(progress.number, begun, later, up_to_date=next(seen, None) is None)

    def _alerts(self, deployment: Deployment, now: datetime) -> list[WaitingAlert]:
        """Return the alert about requests that wait longer than the limit, by default the SLA target."""
        settings = deployment.settings
        limit = settings.waiting_alert_minutes or settings.sla_target_minutes
        if limit is None:
            return []
        waiting = self.backlog.waiting_since(deployment.deployment_id, now - timedelta(minutes=limit))
        return [WaitingAlert(waiting, limit)] if waiting.number else []


@dataclass(frozen=True)
class _Fresh:
    """What the latest events add: of a cut that some buckets have, and `later` ones, which no bucket has.

    Unless it is `up_to_date`, there are more.
    """

    number: int
    begun: Tallies
    later: Tallies
    up_to_date: bool

    def on(self, reading: MetricReading, wanted: Callable[[Bucket], bool]) -> MetricReading:
        """Return what was read together with that."""
        lacking = {b: tally for b, tally in self.begun.items() if reading.cuts.get(b, 0) < self.number and wanted(b)}
        later = {bucket: tally for bucket, tally in self.later.items() if wanted(bucket)}
        return replace(reading, tallies=merged([reading.tallies, lacking, later]))


@dataclass(frozen=True)
class _Counted:
    """What was counted in a range; unless it is `up_to_date`, the latest events are missing."""

    inquiry: Inquiry
    total: MetricReading
    methods: MetricReading
    groups: MetricReading
    all_time: MetricReading
    up_to_date: bool = False

    def plus(self, fresh: _Fresh) -> "_Counted":
        return _Counted(
            self.inquiry,
            total=fresh.on(self.total, self._of(Dimension.TOTAL)),
            methods=fresh.on(self.methods, self._of(Dimension.METHOD)),
            groups=fresh.on(self.groups, self._of(self.inquiry.group_by)),
            all_time=fresh.on(self.all_time, lambda bucket: bucket == _TOTAL),
            up_to_date=fresh.up_to_date,
        )

    def _of(self, dimension: Dimension) -> Callable[[Bucket], bool]:
        return partial(_is_of, dimension, spans(self.inquiry.first, self.inquiry.last))


def _is_of(dimension: Dimension, periods: Sequence[Span], bucket: Bucket) -> bool:
    return bucket.dimension is dimension and any(span.holds(bucket.period) for span in periods)


def read_inquiry(*, begin: str | None, end: str | None, group_by: str | None, today: date) -> Inquiry:
    """Return what a query asks for, by default the last 30 days by reviewer; raises ValidationFailed.

    A time (RFC 3339) stands for its UTC day, but a range that ends at midnight ends with the day before.
    """
    until = _moment("to", end, whole_days=1) if end else _midnight(today + _ONE_DAY)
    last = (until - timedelta(microseconds=1)).date()
    since = _moment("from", begin, whole_days=0) if begin else _midnight(last - timedelta(days=DEFAULT_DAYS - 1))
    if since >= until:
        raise ValidationFailed([FieldError("/from", "must be before the end of the range")])
    first = since.date()
    if (last - first).days >= MOST_DAYS:
        message = f"must be at most {MOST_DAYS:,} days (5 years) before the end of the range"
        raise ValidationFailed([FieldError("/from", message)])
    chosen = group_by or Dimension.REVIEWER.value
    if chosen not in set(GROUPINGS):
        raise ValidationFailed([FieldError("/group_by", f"must be one of: {', '.join(GROUPINGS)}")])
    return Inquiry(first, last, Dimension(chosen))


def _moment(name: str, text: str, *, whole_days: int) -> datetime:
    """Return a time; a day is its midnight, plus this many whole days."""
    day = _DAY.fullmatch(text)
    try:
        moment = _midnight(date.fromisoformat(text)) if day else parse_rfc3339(text)
    except ValueError:
        message = "must be a day such as 2026-01-14, or a time such as 2026-01-14T12:00:00Z"
        raise ValidationFailed([FieldError(f"/{name}", message)]) from None
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValidationFailed([FieldError(f"/{name}", f"must be in the years {_FIRST_YEAR} to {_LAST_YEAR}")])
    return moment + whole_days * _ONE_DAY if day else moment


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
