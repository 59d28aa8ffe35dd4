"""What the API answers, by the contract's names: shapes and descriptions, which the services' `to_dict` follow.

Nothing in Lambda imports this; the tests compare it with every answer that they get. A field that is `ABSENT` by
default is missing from an answer where it means nothing.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

ABSENT: Any = None


class Answer(BaseModel):
    """Base of every answer; the text below a field is its description."""

    model_config = ConfigDict(use_attribute_docstrings=True)


# --- analytics

Day = Annotated[str, Field(json_schema_extra={"format": "date"})]


class OutcomeFigures(Answer):
    """How often an outcome was chosen."""

    outcome: str | None
    """The outcome; null for free text that matched none."""
    count: int
    """How many answers had it."""
    share: float | None
    """Its share of the answers, from 0 to 1."""


class Figures(Answer):
    """What was counted in a range; each request and each answer on its own day. Tests are left out."""

    created: int
    """How many requests were opened."""
    responded: int
    """How many were answered, by people or by the clock."""
    cancelled: int
    """How many were cancelled."""
    average_response_seconds: float | None
    """The mean time that people took to answer; null where nobody answered."""
    median_response_seconds: float | None
    """The median of that time; `median_error` says how exact it is."""
    sla_met: int
    """How many were answered within their SLA."""
    sla_missed: int
    """How many were answered later, or by the clock."""
    sla_compliance: float | None
    """The share within the SLA, from 0 to 1; null where no request had one."""
    auto_responded: int
    """How many the clock answered."""
    auto_response_share: float | None
    """The clock's share of the answers, from 0 to 1."""
    outcomes: list[OutcomeFigures]
    """The outcomes, the most frequent first."""


class GroupFigures(Figures):
    """The figures of one group; which of the three names it has depends on `group_by`."""

    reviewer: str | None = ABSENT
    """Who answered, or was asked."""
    flow: str | None = ABSENT
    """The flow's name; null for flows without one."""
    method: str | None = ABSENT
    """The flow's method."""


class ReviewTypeFigures(Figures):
    """The figures of one kind of review."""

    method: str | None
    """The flow's method."""


class DayFigures(Answer):
    """One day."""

    day: Day
    """The day, in UTC."""
    created: int
    """How many requests were opened."""
    responded: int
    """How many were answered."""


class WaitingAlert(Answer):
    """Something that a manager should look at now."""

    kind: Literal["waiting"]
    """Always `waiting`: requests wait for too long."""
    requests: int
    """How many, counted up to 1,000."""
    minutes: int
    """The limit that they are beyond."""
    text: str
    """The same in words."""


class Analytics(Answer):
    """The figures of a range of days."""

    since: Annotated[Day, Field(alias="from")]
    """The first day, in UTC."""
    to: Day
    """The last day, in UTC."""
    group_by: Literal["reviewer", "flow", "method"]
    """By what the groups are told apart."""
    totals: Figures
    """The figures of the whole deployment."""
    groups: list[GroupFigures]
    """The groups with the most requests and answers, at most 100."""
    others: Figures | None
    """The figures of the groups that are not listed; null where all are."""
    review_types: list[ReviewTypeFigures]
    """The figures by method, whatever `group_by` says."""
    volume_by_day: list[DayFigures]
    """Each day of the range."""
    volume_by_hour_of_week: list[list[int]]
    """How many requests were opened in each hour of the week (UTC): seven days from Monday on, 24 hours each."""
    pending_now: int
    """How many requests are pending now, whatever the range is."""
    overdue: int
    """How many of them are past their SLA, counted up to 1,000."""
    alerts: list[WaitingAlert]
    """What a manager should look at now."""
    median_error: float
    """By how much a median may be wrong, as a share of it."""
