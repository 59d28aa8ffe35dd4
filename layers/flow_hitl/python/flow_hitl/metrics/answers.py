"""The answer about analytics; shares are from 0 to 1, times in seconds."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from flow_hitl.contract.shapes import ABSENT, Schema
from flow_hitl.metrics.analytics import Report
from flow_hitl.metrics.metrics import GROUPINGS, MEDIAN_ERROR, DayVolume, Figures, share
from flow_hitl.platform.records import dataclass


@dataclass(frozen=True)
class OutcomeFigures:
    """How often an outcome was chosen."""

    outcome: str | None
    """The outcome; null for free text that matched none."""
    count: int
    """How many answers had it."""
    share: float | None
    """Its share of the answers, from 0 to 1."""


@dataclass(frozen=True)
class FiguresShown:
    """What was counted in a range, each request and each answer on its own day, without tests."""

    created: int
    """How many requests were opened."""
    responded: int
    """How many were answered, by people or automatically."""
    cancelled: int
    """How many were cancelled."""
    average_response_seconds: float | None
    """The mean response time of people; null if no one answered."""
    median_response_seconds: float | None
    """The median of that time, within `median_error`."""
    sla_met: int
    """How many were answered within their SLA."""
    sla_missed: int
    """How many were answered later, or automatically."""
    sla_compliance: float | None
    """The share within the SLA, from 0 to 1; null if no request had one."""
    auto_responded: int
    """How many were answered automatically."""
    auto_response_share: float | None
    """The share of automatic answers, from 0 to 1."""
    outcomes: Sequence[OutcomeFigures]
    """The outcomes, most frequent first."""


@dataclass(frozen=True)
class GroupFigures(FiguresShown):
    """The figures of a group; `group_by` decides which of the three names it has."""

    reviewer: str | None = ABSENT
    """Who answered or was asked."""
    flow: str | None = ABSENT
    """The flow's name; null for flows without one."""
    method: str | None = ABSENT
    """The flow's method."""


@dataclass(frozen=True)
class ReviewTypeFigures(FiguresShown):
    """The figures of one kind of review."""

    method: str | None
    """The flow's method."""


@dataclass(frozen=True)
class WaitingAlertShown:
    """Something that a manager should look at now."""

    kind: Literal["waiting"]
    """Always `waiting`: requests have been waiting for too long."""
    requests: int
    """How many, up to 1,000."""
    minutes: int
    """The limit that they exceed."""
    text: str
    """The same in words."""


@dataclass(frozen=True)
class Analytics:
    """The figures of a range of days."""

    since: date
    """The first day, in UTC."""
    to: date
    """The last day, in UTC."""
    group_by: Annotated[str, Schema(enum=[*GROUPINGS])]
    """What the groups are."""
    totals: FiguresShown
    """The figures of the whole deployment."""
    groups: Sequence[GroupFigures]
    """The groups with the most requests and answers, at most 100."""
    others: FiguresShown | None
    """The figures of all other groups; null if all are listed."""
    review_types: Sequence[ReviewTypeFigures]
    """The figures by method, whatever `group_by` says."""
    volume_by_day: Sequence[DayVolume]
    """Each day of the range."""
    volume_by_hour_of_week: Sequence[Sequence[int]]
    """How many requests were opened in each hour of the week (UTC): seven days from Monday on, 24 hours each."""
    up_to_date: bool
    """False while the latest requests and answers are not all counted: for some minutes after thousands of events at
    once, and after an upgrade that counts anew."""
    pending_now: int
    """How many requests are pending now, regardless of the range."""
    overdue: int
    """How many of them are past their SLA, up to 1,000."""
    alerts: Sequence[WaitingAlertShown]
    """What a manager should look at now."""
    median_error: float
    """The relative error of medians."""


def analytics_of(found: Report) -> Analytics:
    """Return a report as the API shows it."""
    inquiry = found.inquiry
    return Analytics(
        since=inquiry.first,
        to=inquiry.last,
        group_by=inquiry.group_by,
        totals=figures_shown(found.totals),
        groups=[
            GroupFigures(**{**_members(one.figures), inquiry.group_by.value: one.name or None}) for one in found.groups
        ],
        others=figures_shown(found.others) if found.others else None,
        review_types=[ReviewTypeFigures(**_members(one.figures), method=one.name or None) for one in found.methods],
        volume_by_day=found.volume,
        volume_by_hour_of_week=found.hours,
        up_to_date=found.up_to_date,
        pending_now=found.pending_now,
        overdue=found.overdue.number,
        alerts=[WaitingAlertShown("waiting", one.waiting.number, one.minutes, str(one)) for one in found.alerts],
        median_error=round(MEDIAN_ERROR, 4),
    )


def figures_shown(found: Figures) -> FiguresShown:
    """Return figures as the API shows them."""
    return FiguresShown(**_members(found))


def _members(figures: Figures) -> dict[str, Any]:
    answers = sum(count for _, count in figures.outcomes)
    return {
        "created": figures.created,
        "responded": figures.responded,
        "cancelled": figures.cancelled,
        "average_response_seconds": _rounded(figures.average_seconds, 1),
        "median_response_seconds": _rounded(figures.median_seconds, 1),
        "sla_met": figures.sla_met,
        "sla_missed": figures.sla_missed,
        "sla_compliance": _rounded(figures.sla_compliance, 4),
        "auto_responded": figures.auto_responded,
        "auto_response_share": _rounded(figures.auto_response_share, 4),
        "outcomes": [
            OutcomeFigures(outcome, count, _rounded(share(count, answers), 4)) for outcome, count in figures.outcomes
        ],
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
