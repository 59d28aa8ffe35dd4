"""Analytics: checks a query, reads its figures with few calls, and makes the report."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from flow_hitl.deployments.deployment import Deployment
from flow_hitl.metrics.analytics import Inquiry, Report, WaitingAlert, report
from flow_hitl.metrics.metrics import GROUPINGS, Dimension, spans
from flow_hitl.metrics.ports import MetricStore
from flow_hitl.people.access import Action, KeyHolder, SignedInMember, authorize
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.times import parse_rfc3339
from flow_hitl.requests.ports import Backlog

DEFAULT_DAYS = 30
MOST_DAYS = 5 * 366
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_FIRST_YEAR, _LAST_YEAR = 2000, 2099
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class ReadAnalytics:
    """The figures of a range of days, for managers."""

    metrics: MetricStore
    backlog: Backlog
    clock: Clock

    def __call__(
        self, reader: KeyHolder | SignedInMember, *, begin: str | None, end: str | None, group_by: str | None
    ) -> Report:
        """Return the report for a query of the API or the page; raises Forbidden, and what `read_inquiry` raises."""
        authorize(reader, Action.CONFIGURE)
        now = self.clock.now()
        inquiry = read_inquiry(begin=begin, end=end, group_by=group_by, today=now.astimezone(UTC).date())
        deployment = reader.deployment
        deployment_id = deployment.deployment_id
        number = self.metrics.generations(deployment_id).live.number
        periods = spans(inquiry.first, inquiry.last)
        total, methods = (
            self.metrics.read(deployment_id, number, dimension, periods)
            for dimension in (Dimension.TOTAL, Dimension.METHOD)
        )
        groups = methods
        if inquiry.group_by is not Dimension.METHOD:
            groups = self.metrics.read(deployment_id, number, inquiry.group_by, periods)
        return report(
            inquiry,
            total=total.tallies,
            groups=groups.tallies,
            methods=methods.tallies,
            complete=groups.complete and methods.complete,
            all_time=self.metrics.all_time(deployment_id, number),
            overdue=self.backlog.overdue(deployment_id, now),
            alerts=self._alerts(deployment, now),
        )

    def _alerts(self, deployment: Deployment, now: datetime) -> list[WaitingAlert]:
        """Return the alert about requests that wait longer than the limit, by default the SLA target."""
        settings = deployment.settings
        limit = settings.waiting_alert_minutes or settings.sla_target_minutes
        if limit is None:
            return []
        waiting = self.backlog.waiting_since(deployment.deployment_id, now - timedelta(minutes=limit))
        return [WaitingAlert(waiting, limit)] if waiting.number else []


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
