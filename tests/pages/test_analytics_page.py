"""The page of the figures, as a manager who is signed in sees it."""

import re
from html.parser import HTMLParser

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Browser, Hitl
from tests.support.asserts import EMIT

VOID = {"meta", "link", "input", "line", "path", "br", "hr"}


def address(hitl: Hitl, query: str = "") -> str:
    return f"/d/{hitl.deployment_id}/analytics{query}"


def words(html: str) -> str:
    """Return what the page says, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_deployment_without_requests_says_what_will_be_seen_here(hitl: Hitl, manager: Browser) -> None:
    page = manager.get(address(hitl))
    assert page.status == 200
    assert "No requests in these days" in page.text
    assert "As soon as a flow asks for a review" in page.text
    assert '<svg class="chart"' not in page.text


def test_figures_charts_and_tables(hitl: Hitl, manager: Browser) -> None:
    for outcome in ("approved", "approved", "rejected"):
        hitl.ask(emit=EMIT, method_name="review_article", sla_target_minutes=60, assigned_to_email="anna@example.com")
        hitl.advance(minutes=20)
        hitl.reply(outcome)
    page = manager.get(address(hitl)).text
    text = words(page)
    assert "Median response 20 min average 20 min" in text
    assert "Within the SLA 100 % 3 of 3 that had one" in text
    assert "anna@example.com 3 3 20 min 20 min 100 % 0 %" in text
    assert "review_article approved 2 66.7 % rejected 1 33.3 %" in text
    assert "14 Jan 2026 3 3" in text
    assert "Wednesday 3 12:00 to 13:00" in text
    assert page.count('<svg class="chart"') == 5


def test_every_chart_says_what_it_shows_and_every_table_what_it_holds(hitl: Hitl, manager: Browser) -> None:
    hitl.ask(emit=EMIT, sla_target_minutes=1)
    hitl.reply("approved")
    page = Structure(manager.get(address(hitl)).text)
    charts = [each for each in page.elements if each.get("class") == "chart"]
    assert len(charts) == 5
    for chart in charts:
        assert chart["role"] == "img"
        assert set(str(chart["aria-labelledby"]).split()) <= page.ids
    assert page.count["table"] == page.count["caption"] >= 5
    assert len(page.ids) == len(page.all_ids)
    assert page.open == []


def test_an_alert_stands_above_everything(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"sla_target_minutes": 120})
    for _ in range(6):
        hitl.ask(emit=EMIT)
    hitl.advance(minutes=121)
    page = manager.get(address(hitl)).text
    assert "6 requests waiting &gt; 120 min." in page
    assert page.index("6 requests waiting") < page.index('class="tiles"')
    assert "Pending now 6 6 past the SLA target" in words(page)


@pytest.mark.parametrize(
    ("group_by", "heading"), [("reviewer", "Reviewer"), ("flow", "Flow"), ("method", "Review type")]
)
def test_figures_are_told_apart_as_one_chooses(hitl: Hitl, manager: Browser, group_by: str, heading: str) -> None:
    hitl.ask(emit=EMIT)
    hitl.reply("approved")
    page = manager.get(address(hitl, f"?from=2026-01-01&to=2026-01-31&group_by={group_by}")).text
    assert f'<th scope="col">{heading}</th><th scope="col" class="number">Opened</th>' in page
    assert f'<input type="hidden" name="group_by" value="{group_by}">' in page


@pytest.mark.parametrize(
    ("range_", "unit"),
    [
        ("from=2026-01-01&to=2026-01-31", "day"),
        ("from=2025-06-01&to=2026-01-31", "week"),
        ("from=2023-01-01&to=2026-01-31", "month"),
    ],
)
def test_a_long_range_is_charted_by_weeks_or_months(hitl: Hitl, manager: Browser, range_: str, unit: str) -> None:
    hitl.ask(emit=EMIT)
    assert f"Requests by {unit}" in manager.get(address(hitl, f"?{range_}")).text


def test_a_range_that_is_none_is_said_and_the_last_30_days_are_shown(hitl: Hitl, manager: Browser) -> None:
    page = manager.get(address(hitl, "?from=2026-02-01&to=2026-01-01"))
    assert page.status == 422
    assert "The first day must be before the end of the range. These are the last 30 days." in page.text
    assert 'value="2025-12-16"' in page.text


def test_names_from_outside_are_text(hitl: Hitl, manager: Browser) -> None:
    hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    hitl.ask(emit=[hostile], method_name=hostile, flow_name=hostile)
    hitl.reply(hostile)
    for group_by in ("flow", "method"):
        page = manager.get(address(hitl, f"?group_by={group_by}")).text
        assert "<script>alert" not in page
        assert "<img" not in page


def test_only_managers_see_it(hitl: Hitl) -> None:
    responder = Member("r@example.com", frozenset({Permission.RESPOND}))
    current().manage_deployments.set_member(hitl.deployment_id, responder)
    assert hitl.signed_in("r@example.com").get(address(hitl)).status == 403
    assert hitl.browser().get(address(hitl)).status == 303


class Structure(HTMLParser):
    """The elements of a page; `open` are those that were never closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[dict[str, str | None]] = []
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.feed(html)
        self.all_ids = [str(each["id"]) for each in self.elements if "id" in each]
        self.ids = set(self.all_ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(dict(attrs))
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
