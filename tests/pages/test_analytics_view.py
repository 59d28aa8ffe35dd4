"""A report in people's words."""

from collections import Counter
from datetime import date
from typing import Any

import pytest

from flow_hitl.deployments.deployment import DeploymentName
from flow_hitl.metrics.analytics import MOST_GROUPS, Inquiry, Report, WaitingAlert, report
from flow_hitl.metrics.metrics import Bucket, Dimension, Figures, Tallies, bin_of, figures
from flow_hitl.pages.analytics.view import AnalyticsPage, analytics_page
from flow_hitl.pages.contexts import Shell
from flow_hitl.requests.reading.list_rows import Count

TODAY = date(2026, 1, 14)
OWN = DeploymentName(1, "Content Review")


def a_report(
    total: dict[str, int], groups: Tallies | None = None, methods: Tallies | None = None, **more: Any
) -> Report:
    inquiry = Inquiry(TODAY, TODAY, Dimension.REVIEWER)
    arguments: dict[str, Any] = {
        "total": {Bucket(Dimension.TOTAL, "2026-01-14"): total},
        "groups": groups or {},
        "methods": methods or {},
        "complete": True,
        "up_to_date": True,
        "all_time": {},
        "overdue": Count(0),
        "alerts": (),
    }
    return report(inquiry, **{**arguments, **more})


def a_page(found: Report, before: Figures | None = None) -> AnalyticsPage:
    shell = Shell(
        email="m@example.com", deployment=OWN, deployments=[OWN], section="analytics", manages=True, form_token="t"
    )
    return analytics_page(shell, found, today=TODAY, before=before)


def people(count: int) -> Tallies:
    return {
        Bucket(Dimension.REVIEWER, "2026-01-14", f"{number:04}@example.com"): {"created": 1, "responded": 1}
        for number in range(count)
    }


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (12, "12 s"), (60, "1 min"), (20 * 60, "20 min"), (2 * 3600, "2 h")]
)
def test_times_are_said_as_people_say_them(seconds: int, text: str) -> None:
    tally = {"responded": 1, "seconds": seconds, f"bin:{bin_of(seconds)}": 1}
    (row,) = a_page(a_report(tally, {Bucket(Dimension.REVIEWER, "2026-01-14", "a@example.com"): tally})).group_rows
    assert row.average == text


@pytest.mark.parametrize(
    ("met", "missed", "text"),
    [(0, 5, "0 %"), (5, 0, "100 %"), (1, 2, "33.3 %"), (99_999, 1, "99.9 %"), (1, 99_999, "0.1 %")],
)
def test_what_is_not_all_never_looks_like_all(met: int, missed: int, text: str) -> None:
    tiles = {tile.name: tile.value for tile in a_page(a_report({"met": met, "missed": missed})).tiles}
    assert tiles["Within the SLA"] == text


def test_more_groups_than_are_listed_are_summed_up() -> None:
    more = 7
    count = MOST_GROUPS + more
    found = a_report({"created": count, "responded": count}, people(count))
    assert (len(found.groups), found.others and found.others.created) == (MOST_GROUPS, more)
    assert a_page(found).group_rows[-1].name == "All others"


def test_groups_that_could_not_all_be_read_are_summed_up_by_what_is_missing_in_the_total() -> None:
    found = a_report({"created": 10, "responded": 9}, people(4), complete=False)
    assert found.others is not None
    assert (found.others.created, found.others.responded) == (6, 5)


def test_all_groups_leave_no_others() -> None:
    assert a_report({"created": 4, "responded": 4}, people(4)).others is None


def test_an_answer_that_is_counted_before_its_question_is_no_negative_backlog() -> None:
    assert a_report({}, all_time=Counter({"responded": 1})).pending_now == 0


@pytest.mark.parametrize(
    ("waiting", "text"),
    [
        (Count(6), "6 requests waiting > 120 min"),
        (Count(1), "1 request waiting > 120 min"),
        (Count(1000, more=True), "1,000+ requests waiting > 120 min"),
    ],
)
def test_an_alert_is_one_sentence(waiting: Count, text: str) -> None:
    assert str(WaitingAlert(waiting, 120)) == text


def test_outcomes_beyond_the_tones_share_one() -> None:
    methods = {
        Bucket(Dimension.METHOD, "2026-01-14", "review", outcome): {"responded": 20 - place}
        for place, outcome in enumerate(["a", "b", "c", "d", "e", "f", "g", ""])
    }
    page = a_page(a_report({"responded": 7}, methods=methods))
    assert [text for _, text in page.legend] == ["a", "b", "c", "d", "e", "f", "Others"]
    assert page.outcomes is not None
    assert [box.tone for box in page.outcomes.boxes[-2:]] == ["rest", "rest"]


def test_presets_are_whole_days_up_to_today() -> None:
    presets = {one.text: one.href for one in a_page(a_report({})).presets}
    assert presets == {
        "7 days": "?from=2026-01-08&to=2026-01-14&group_by=reviewer",
        "30 days": "?from=2025-12-16&to=2026-01-14&group_by=reviewer",
        "90 days": "?from=2025-10-17&to=2026-01-14&group_by=reviewer",
        "This month": "?from=2026-01-01&to=2026-01-14&group_by=reviewer",
        "Last month": "?from=2025-12-01&to=2025-12-31&group_by=reviewer",
        "12 months": "?from=2025-02-01&to=2026-01-14&group_by=reviewer",
    }


def test_every_outcome_has_a_color_of_its_own_by_what_it_means() -> None:
    names = ["approved", "rejected", "needs_revision", "publish", "deny", "later", "escalate"]
    methods = {Bucket(Dimension.METHOD, "2026-01-14", "review", one): {"responded": 1} for one in names}
    page = a_page(a_report({"responded": len(names)}, methods=methods))
    tones = {outcome: tone for tone, outcome in page.legend}
    assert len(set(tones.values())) == len(names)
    assert {name for name, tone in tones.items() if tone.startswith("yes")} == {"approved", "publish"}
    assert {name for name, tone in tones.items() if tone.startswith("no")} == {"rejected", "deny"}


def test_no_row_is_all_zeros() -> None:
    page = a_page(a_report({"created": 1, "hour:50": 1}))
    assert all(row.created or row.responded for row in page.volume_rows)
    assert all(row.requests for row in page.busy)


def test_figures_lead_to_what_they_count() -> None:
    tally = {"created": 1, "responded": 1}
    outcome = {Bucket(Dimension.METHOD, "2026-01-14", "review", "approved"): {"responded": 1}}
    page = a_page(a_report(tally, {Bucket(Dimension.REVIEWER, "2026-01-14", "a@example.com"): tally}, outcome))
    days = "from=2026-01-14&to=2026-01-14"
    assert page.volume_rows[0].href == f"/d/1/requests?tab=all&{days}"
    assert page.volume.boxes[0].href == page.volume_rows[0].href
    assert page.group_rows[0].href == f"/d/1/requests?tab=all&assignee=a%40example.com&{days}"
    answered = "answered_from=2026-01-14&answered_to=2026-01-14"
    assert page.volume_rows[0].answered_href == f"/d/1/requests?tab=history&{answered}"
    assert page.group_rows[0].answered_href == f"/d/1/requests?tab=history&assignee=a%40example.com&{answered}"
    assert page.outcome_rows[0].rows[0].href == f"/d/1/requests?tab=history&method=review&outcome=approved&{answered}"


def test_the_days_before_stand_beside() -> None:
    tiles = {tile.name: tile for tile in a_page(a_report({"responded": 3}), figures({"responded": 2})).tiles}
    assert (tiles["Answered"].value, tiles["Answered"].before) == ("3", "2")
    assert tiles["Pending now"].before is None
    assert all(tile.before is None for tile in a_page(a_report({"responded": 3}), figures({})).tiles)
