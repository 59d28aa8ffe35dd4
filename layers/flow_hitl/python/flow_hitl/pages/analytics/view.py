"""The analytics page: a report as tiles, charts, and tables."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import ClassVar, Literal
from urllib.parse import urlencode

from flow_hitl.metrics.analytics import FigureGroup, Inquiry, Report
from flow_hitl.metrics.metrics import DayVolume, Dimension, Figures, share
from flow_hitl.pages.analytics.charts import Chart, ChartPart, ChartRow, Slot, Tone, columns, rows, week
from flow_hitl.pages.contexts import Shell
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import readable_duration
from flow_hitl.requests.wording import OptionTone, option_shown

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FREE_TEXT = "Free text"
UNNAMED_FLOW = "Without a name"
NOTHING = "–"
_GROUPINGS = {Dimension.REVIEWER: "Reviewer", Dimension.FLOW: "Flow", Dimension.METHOD: "Review type"}
_FIELDS = {"/from": "The first day", "/to": "The last day", "/group_by": "The grouping"}
_MEANINGS: Mapping[OptionTone, Sequence[Tone]] = {
    OptionTone.POSITIVE: ("yes1", "yes2", "yes3"),
    OptionTone.NEGATIVE: ("no1", "no2", "no3"),
    OptionTone.NEUTRAL: ("else1", "else2", "else3", "else4", "else5", "else6"),
}
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
    """One figure, with a note, and what it was in as many days `before`."""

    name: str
    value: str
    note: str
    tone: Literal["", "warn"] = ""
    before: str | None = None


@dataclass(frozen=True)
class VolumeRow:
    """The requests opened and answered in a day, week, or month, and where each number leads."""

    name: str
    created: int
    responded: int
    href: str
    answered_href: str


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
    href: str = ""
    answered_href: str = ""


@dataclass(frozen=True)
class OutcomeRow:
    """How often one outcome was the answer."""

    outcome: str
    count: int
    share: str
    href: str


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


def analytics_page(
    shell: Shell, report: Report, *, today: date, before: Figures | None = None, problem: str | None = None
) -> AnalyticsPage:
    """Return the page of a report, with the figures of as many days before it."""
    leads = _Leads(shell.deployment.deployment_id, report.inquiry)
    unit, volume_rows, slots = _volume(report.volume, leads)
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
        tiles=_tiles(report, before),
        volume_unit=unit,
        volume=columns(slots),
        volume_rows=[row for row in volume_rows if row.created or row.responded],
        hours=week(report.hours, DAYS),
        busy=[_busy(day, counts) for day, counts in zip(DAYS, report.hours, strict=True) if any(counts)],
        days=DAYS,
        responses=_responses(report.groups, leads),
        compliance=_compliance(report.groups, leads),
        group_rows=_group_rows(report, leads),
        outcomes=_outcomes(report.methods, tones, leads),
        legend=_legend(report.totals, tones),
        outcome_rows=[_method_rows(method, leads) for method in report.methods if method.figures.outcomes],
    )


@dataclass(frozen=True)
class _Leads:
    """Where figures lead: the requests that they count, as far as lists can be narrowed to them."""

    deployment_id: int
    inquiry: Inquiry

    def to(self, first: date | None = None, last: date | None = None, **narrow: str) -> str:
        days = {"from": first or self.inquiry.first, "to": last or self.inquiry.last}
        wanted = {**narrow, **{name: day.isoformat() for name, day in days.items()}}
        return f"/d/{self.deployment_id}/requests?{urlencode({'tab': 'all', **wanted})}"

    def answered(self, first: date | None = None, last: date | None = None, **narrow: str) -> str:
        """Return where the answers of some days lead, whenever their requests were opened."""
        days = {"answered_from": first or self.inquiry.first, "answered_to": last or self.inquiry.last}
        wanted = {**narrow, **{name: day.isoformat() for name, day in days.items()}}
        return f"/d/{self.deployment_id}/requests?{urlencode({'tab': 'history', **wanted})}"

    def group_answered(self, name: str) -> str:
        return self.answered(None, None, **{self._kind: name}) if name else ""

    def group(self, name: str) -> str:
        """Return where the figures of a group lead; a flow without a name has no filter."""
        return self.to(None, None, **{self._kind: name}) if name else ""

    @property
    def _kind(self) -> str:
        return {Dimension.REVIEWER: "assignee", Dimension.FLOW: "flow"}.get(self.inquiry.group_by, "method")


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


def _tiles(report: Report, earlier: Figures | None) -> list[Tile]:
    totals = report.totals

    def before(say: Callable[[Figures], str]) -> str | None:
        return say(earlier) if earlier is not None and (earlier.created or earlier.responded) else None

    with_sla = totals.sla_met + totals.sla_missed
    return [
        Tile(
            "Pending now",
            f"{report.pending_now:,}",
            f"{report.overdue} past the SLA target" if report.overdue.number else "none past the SLA target",
            "warn" if report.overdue.number else "",
        ),
        Tile(
            "Answered",
            f"{totals.responded:,}",
            f"{totals.created:,} opened, {totals.cancelled:,} cancelled",
            before=before(lambda figures: f"{figures.responded:,}"),
        ),
        Tile(
            "Median response",
            _duration(totals.median_seconds),
            f"average {_duration(totals.average_seconds)}",
            before=before(lambda figures: _duration(figures.median_seconds)),
        ),
        Tile(
            "Within the SLA",
            _per_cent(totals.sla_compliance),
            f"{totals.sla_met:,} of {with_sla:,} that had one" if with_sla else "no answer had one",
            before=before(lambda figures: _per_cent(figures.sla_compliance)),
        ),
        Tile(
            "Answered automatically",
            _per_cent(totals.auto_response_share),
            f"{totals.auto_responded:,} of {totals.responded:,} answers",
            before=before(lambda figures: _per_cent(figures.auto_response_share)),
        ),
    ]


def _volume(days: Sequence[DayVolume], leads: _Leads) -> tuple[str, list[VolumeRow], list[Slot]]:
    """Return the unit of the volume that keeps columns wide enough to see, with its rows and columns."""
    if len(days) <= _MOST_COLUMNS:
        unit, names = "day", [_day(one.day) for one in days]
    elif len(days) <= _MOST_COLUMNS * 7:
        unit, names = "week", [f"Week of {_day(one.day - timedelta(days=one.day.weekday()))}" for one in days]
    else:
        unit, names = "month", [f"{one.day:%b %Y}" for one in days]
    parts: dict[str, list[DayVolume]] = {}
    for name, one in zip(names, days, strict=True):
        parts.setdefault(name, []).append(one)
    found = [
        VolumeRow(
            name,
            sum(one.created for one in part),
            sum(one.responded for one in part),
            leads.to(part[0].day, part[-1].day),
            leads.answered(part[0].day, part[-1].day),
        )
        for name, part in parts.items()
    ]
    slots = [
        Slot(
            one.name.removeprefix("Week of ").rpartition(" ")[0] if unit != "month" else one.name,
            [
                (one.created, f"{one.name}: {one.created:,} opened"),
                (one.responded, f"{one.name}: {one.responded:,} answered"),
            ],
            one.href,
        )
        for one in found
    ]
    return unit, found, slots


def _busy(day: str, counts: Sequence[int]) -> Busy:
    hour = max(range(24), key=lambda one: (counts[one], -one))
    return Busy(day, sum(counts), f"{hour:02}:00 to {hour + 1:02}:00" if counts[hour] else NOTHING)


def _responses(groups: Sequence[FigureGroup], leads: _Leads) -> Chart | None:
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
                [ChartPart(median or 0.0, "first", f"{_name(group)}: {_duration(median)}", leads.group(group.name))],
            )
            for group, median in timed
        ],
        whole=longest,
    )


def _compliance(groups: Sequence[FigureGroup], leads: _Leads) -> Chart | None:
    having = [group for group in groups if group.figures.sla_compliance is not None][:_CHARTED]
    if not having:
        return None
    return rows(
        [
            ChartRow(
                _name(group),
                _per_cent(group.figures.sla_compliance),
                [
                    ChartPart(count, tone, f"{_name(group)}: {count:,} {word}", leads.group(group.name))
                    for count, tone, word in _met_and_missed(group.figures)
                ],
            )
            for group in having
        ]
    )


def _met_and_missed(figures: Figures) -> Sequence[tuple[int, Tone, str]]:
    return ((figures.sla_met, "good", "met"), (figures.sla_missed, "bad", "missed"))


def _outcome_tones(totals: Figures) -> dict[str, Tone]:
    """Give each frequent outcome a color of its own, by what it means; all others share one with free text."""
    left = {meaning: list(tones) for meaning, tones in _MEANINGS.items()}
    tones: dict[str, Tone] = {}
    for outcome, _ in totals.outcomes:
        if outcome is not None:
            own = left[option_shown(outcome, {}).tone]
            tone = own.pop(0) if own else left[OptionTone.NEUTRAL].pop(0) if left[OptionTone.NEUTRAL] else None
            tones |= {outcome: tone} if tone is not None else {}
    return tones


def _legend(totals: Figures, tones: dict[str, Tone]) -> list[tuple[Tone, str]]:
    rest = {_outcome(outcome) for outcome, _ in totals.outcomes if outcome not in tones}
    named: list[tuple[Tone, str]] = [(tone, outcome) for outcome, tone in tones.items()]
    return [*named, ("rest", FREE_TEXT if rest == {FREE_TEXT} else "Others")] if rest else named


def _outcomes(methods: Sequence[FigureGroup], tones: dict[str, Tone], leads: _Leads) -> Chart | None:
    answered = [method for method in methods if method.figures.outcomes][:_CHARTED]
    if not answered:
        return None
    return rows(
        [
            ChartRow(
                method.name,
                _answers(sum(count for _, count in method.figures.outcomes)),
                [
                    ChartPart(
                        count,
                        tones.get(outcome or "", "rest"),
                        f"{method.name}: {_outcome(outcome)} {count:,}",
                        _to_outcome(leads, method.name, outcome),
                    )
                    for outcome, count in method.figures.outcomes
                ],
            )
            for method in answered
        ]
    )


def _to_outcome(leads: _Leads, method: str, outcome: str | None) -> str:
    return leads.answered(method=method, outcome=outcome) if outcome is not None else leads.answered(method=method)


def _method_rows(method: FigureGroup, leads: _Leads) -> MethodRows:
    answers = sum(count for _, count in method.figures.outcomes)
    found = [
        OutcomeRow(_outcome(outcome), count, _per_cent(share(count, answers)), _to_outcome(leads, method.name, outcome))
        for outcome, count in method.figures.outcomes
    ]
    return MethodRows(method.name, found)


def _group_rows(report: Report, leads: _Leads) -> list[FigureRow]:
    named = [
        (_name(group), group.figures, leads.group(group.name), leads.group_answered(group.name))
        for group in report.groups
    ]
    return [
        FigureRow(
            name=name,
            created=figures.created,
            responded=figures.responded,
            average=_duration(figures.average_seconds),
            median=_duration(figures.median_seconds),
            sla=_per_cent(figures.sla_compliance),
            automatic=_per_cent(figures.auto_response_share),
            href=href,
            answered_href=answered_href,
        )
        for name, figures, href, answered_href in [
            *named,
            *([("All others", report.others, "", "")] if report.others else []),
        ]
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
