"""The analytics page: a report as tiles, charts, and tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal
from urllib.parse import urlencode

from flow_hitl.metrics.analytics import FigureGroup, Inquiry, Report
from flow_hitl.metrics.metrics import DayVolume, Dimension, Figures, share
from flow_hitl.pages.analytics.charts import TONES, Chart, ChartPart, ChartRow, Slot, Tone, columns, rows, week
from flow_hitl.pages.contexts import Shell
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.times import readable_duration

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FREE_TEXT = "Free text"
UNNAMED_FLOW = "Without a name"
NOTHING = "–"
_GROUPINGS = {Dimension.REVIEWER: "Reviewer", Dimension.FLOW: "Flow", Dimension.METHOD: "Review type"}
_FIELDS = {"/from": "The first day", "/to": "The last day", "/group_by": "The grouping"}
_MOST_COLUMNS = 62
_CHARTED = 10


@dataclass(frozen=True)
class Choice:
    """A link to another view; `current` is the one shown."""

    text: str
    href: str
    current: bool


@dataclass(frozen=True)
class Tile:
    """One figure, with a note."""

    name: str
    value: str
    note: str
    tone: Literal["", "warn"] = ""


@dataclass(frozen=True)
class VolumeRow:
    """The requests opened and answered in a day, week, or month."""

    name: str
    created: int
    responded: int


@dataclass(frozen=True)
class FigureRow:
    """A group's figures, as the table shows them."""

    name: str
    created: int
    responded: int
    average: str
    median: str
    sla: str
    automatic: str


@dataclass(frozen=True)
class OutcomeRow:
    """How often one outcome was the answer."""

    outcome: str
    count: int
    share: str


@dataclass(frozen=True)
class MethodRows:
    """The outcomes of one review type."""

    method: str
    rows: Sequence[OutcomeRow]


@dataclass(frozen=True)
class Busy:
    """A day of the week: its requests, and its busiest hour."""

    day: str
    requests: int
    busiest: str


@dataclass(frozen=True, kw_only=True)
class AnalyticsPage:
    """What a manager sees of a range; `problem` says what was wrong with the requested one, a sentence.

    `responses` charts each group's median, `compliance` its answers within their SLA; None if there is nothing to
    chart. `legend` names the tones of `outcomes`.
    """

    template: ClassVar[str] = "pages/analytics.html"
    shell: Shell
    report: Report
    first_day: str
    last_day: str
    problem: str | None
    presets: Sequence[Choice]
    groupings: Sequence[Choice]
    grouping: str
    tiles: Sequence[Tile]
    volume_unit: str
    volume: Chart
    volume_rows: Sequence[VolumeRow]
    hours: Chart
    busy: Sequence[Busy]
    days: Sequence[str]
    responses: Chart | None
    compliance: Chart | None
    group_rows: Sequence[FigureRow]
    outcomes: Chart | None
    legend: Sequence[tuple[Tone, str]]
    outcome_rows: Sequence[MethodRows]


def analytics_page(shell: Shell, report: Report, *, today: date, problem: str | None = None) -> AnalyticsPage:
    """Return the page of a report."""
    unit, volume_rows, slots = _volume(report.volume)
    inquiry, grouping = report.inquiry, _GROUPINGS[report.inquiry.group_by]
    tones = _outcome_tones(report.totals)
    return AnalyticsPage(
        shell=shell,
        report=report,
        first_day=_day(inquiry.first),
        last_day=_day(inquiry.last),
        problem=problem,
        presets=_preset_choices(inquiry, today),
        groupings=tuple(
            Choice(text, _query(inquiry.first, inquiry.last, one), one is inquiry.group_by)
            for one, text in _GROUPINGS.items()
        ),
        grouping=grouping,
        tiles=_tiles(report),
        volume_unit=unit,
        volume=columns(slots),
        volume_rows=volume_rows,
        hours=week(report.hours, DAYS),
        busy=[_busy(day, counts) for day, counts in zip(DAYS, report.hours, strict=True)],
        days=DAYS,
        responses=_responses(report.groups),
        compliance=_compliance(report.groups),
        group_rows=_group_rows(report),
        outcomes=_outcomes(report.methods, tones),
        legend=_legend(report.totals, tones),
        outcome_rows=[_method_rows(method) for method in report.methods if method.figures.outcomes],
    )


def range_problem(error: FieldError) -> str:
    """Return what is wrong with the requested range, as a sentence."""
    return f"{_FIELDS.get(error.field, 'The range')} {error.message}. These are the last 30 days."


def _preset_choices(inquiry: Inquiry, today: date) -> list[Choice]:
    presets = _presets(today)
    # On the 30th of a month, two presets are the same days.
    current = next((text for text, first, last in presets if (first, last) == (inquiry.first, inquiry.last)), None)
    return [Choice(text, _query(first, last, inquiry.group_by), text == current) for text, first, last in presets]


def _presets(today: date) -> list[tuple[str, date, date]]:
    month = today.replace(day=1)
    last_month = (month - timedelta(days=1)).replace(day=1)
    a_year = date(today.year - (today.month < 12), today.month % 12 + 1, 1)
    return [
        *((f"{days} days", today - timedelta(days=days - 1), today) for days in (7, 30, 90)),
        ("This month", month, today),
        ("Last month", last_month, month - timedelta(days=1)),
        ("12 months", a_year, today),
    ]


def _query(first: date, last: date, group_by: Dimension) -> str:
    return "?" + urlencode({"from": first.isoformat(), "to": last.isoformat(), "group_by": group_by.value})


def _tiles(report: Report) -> list[Tile]:
    totals = report.totals
    with_sla = totals.sla_met + totals.sla_missed
    return [
        Tile(
            "Pending now",
            f"{report.pending_now:,}",
            f"{report.overdue} past the SLA target" if report.overdue.number else "none past the SLA target",
            "warn" if report.overdue.number else "",
        ),
        Tile("Answered", f"{totals.responded:,}", f"{totals.created:,} opened, {totals.cancelled:,} cancelled"),
        Tile("Median response", _duration(totals.median_seconds), f"average {_duration(totals.average_seconds)}"),
        Tile(
            "Within the SLA",
            _per_cent(totals.sla_compliance),
            f"{totals.sla_met:,} of {with_sla:,} that had one" if with_sla else "no answer had one",
        ),
        Tile(
            "Answered automatically",
            _per_cent(totals.auto_response_share),
            f"{totals.auto_responded:,} of {totals.responded:,} answers",
        ),
    ]


def _volume(days: Sequence[DayVolume]) -> tuple[str, list[VolumeRow], list[Slot]]:
    """Return the unit of the volume that keeps columns wide enough to see, with its rows and columns."""
    if len(days) <= _MOST_COLUMNS:
        unit, names = "day", [_day(one.day) for one in days]
    elif len(days) <= _MOST_COLUMNS * 7:
        unit, names = "week", [f"Week of {_day(one.day - timedelta(days=one.day.weekday()))}" for one in days]
    else:
        unit, names = "month", [f"{one.day:%b %Y}" for one in days]
    sums: dict[str, list[int]] = {}
    for name, one in zip(names, days, strict=True):
        total = sums.setdefault(name, [0, 0])
        total[0] += one.created
        total[1] += one.responded
    found = [VolumeRow(name, created, responded) for name, (created, responded) in sums.items()]
    slots = [
        Slot(
            one.name.removeprefix("Week of ").rpartition(" ")[0] if unit != "month" else one.name,
            [
                (one.created, f"{one.name}: {one.created:,} opened"),
                (one.responded, f"{one.name}: {one.responded:,} answered"),
            ],
        )
        for one in found
    ]
    return unit, found, slots


def _busy(day: str, counts: Sequence[int]) -> Busy:
    hour = max(range(24), key=lambda one: (counts[one], -one))
    return Busy(day, sum(counts), f"{hour:02}:00 to {hour + 1:02}:00" if counts[hour] else NOTHING)


def _responses(groups: Sequence[FigureGroup]) -> Chart | None:
    timed = [(group, group.figures.median_seconds) for group in groups if group.figures.median_seconds is not None]
    timed = timed[:_CHARTED]
    if not timed:
        return None
    longest = max(max(median or 0.0 for _, median in timed), 1.0)
    return rows(
        [
            ChartRow(
                _name(group),
                _duration(median),
                [ChartPart(median or 0.0, "first", f"{_name(group)}: {_duration(median)}")],
            )
            for group, median in timed
        ],
        whole=longest,
    )


def _compliance(groups: Sequence[FigureGroup]) -> Chart | None:
    having = [group for group in groups if group.figures.sla_compliance is not None][:_CHARTED]
    if not having:
        return None
    return rows(
        [
            ChartRow(
                _name(group),
                _per_cent(group.figures.sla_compliance),
                [
                    ChartPart(group.figures.sla_met, "good", f"{_name(group)}: {group.figures.sla_met:,} met"),
                    ChartPart(group.figures.sla_missed, "bad", f"{_name(group)}: {group.figures.sla_missed:,} missed"),
                ],
            )
            for group in having
        ]
    )


def _outcome_tones(totals: Figures) -> dict[str, Tone]:
    """Give each of the most frequent outcomes a tone; all others share one with free text."""
    names = [outcome for outcome, _ in totals.outcomes if outcome is not None]
    return dict(zip(names, TONES, strict=False))


def _legend(totals: Figures, tones: dict[str, Tone]) -> list[tuple[Tone, str]]:
    rest = {_outcome(outcome) for outcome, _ in totals.outcomes if outcome not in tones}
    named: list[tuple[Tone, str]] = [(tone, outcome) for outcome, tone in tones.items()]
    return [*named, ("rest", FREE_TEXT if rest == {FREE_TEXT} else "Others")] if rest else named


def _outcomes(methods: Sequence[FigureGroup], tones: dict[str, Tone]) -> Chart | None:
    answered = [method for method in methods if method.figures.outcomes][:_CHARTED]
    if not answered:
        return None
    return rows(
        [
            ChartRow(
                method.name,
                _answers(sum(count for _, count in method.figures.outcomes)),
                [
                    ChartPart(count, tones.get(outcome or "", "rest"), f"{method.name}: {_outcome(outcome)} {count:,}")
                    for outcome, count in method.figures.outcomes
                ],
            )
            for method in answered
        ]
    )


def _method_rows(method: FigureGroup) -> MethodRows:
    answers = sum(count for _, count in method.figures.outcomes)
    found = [
        OutcomeRow(_outcome(outcome), count, _per_cent(share(count, answers)))
        for outcome, count in method.figures.outcomes
    ]
    return MethodRows(method.name, found)


def _group_rows(report: Report) -> list[FigureRow]:
    named = [(_name(group), group.figures) for group in report.groups]
    return [
        FigureRow(
            name=name,
            created=figures.created,
            responded=figures.responded,
            average=_duration(figures.average_seconds),
            median=_duration(figures.median_seconds),
            sla=_per_cent(figures.sla_compliance),
            automatic=_per_cent(figures.auto_response_share),
        )
        for name, figures in [*named, *([("All others", report.others)] if report.others else [])]
    ]


def _name(group: FigureGroup) -> str:
    return group.name or UNNAMED_FLOW


def _outcome(outcome: str | None) -> str:
    return FREE_TEXT if outcome is None else outcome


def _answers(count: int) -> str:
    return f"{count:,} answer" if count == 1 else f"{count:,} answers"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NOTHING
    # A median is an estimate, and may be slightly below a full minute that it stands for.
    return f"{round(seconds)} s" if seconds < 59.5 else readable_duration(60 * round(seconds / 60))


def _per_cent(part: float | None) -> str:
    if part is None:
        return NOTHING
    # Nearly all must not look like all, nor very little like nothing.
    return f"{min(99.9, max(0.1, part * 100)):.1f} %" if 0 < part < 1 else f"{part * 100:.0f} %"


def _day(day: date) -> str:
    return f"{day.day} {day:%b %Y}"
