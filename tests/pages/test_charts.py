"""Charts stay within their place, and their shapes are as large as their numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.pages.analytics.charts import Chart, ChartPart, ChartRow, Slot, columns, rows, week

numbers = st.integers(0, 10**9)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def assert_within(chart: Chart) -> None:
    for box in chart.boxes:
        assert -0.01 <= box.x <= 100
        assert box.x + box.width <= 100.1
        assert box.y >= 0
        assert box.y + box.height <= chart.height + 0.01
    for label in chart.labels:
        assert 0 <= label.x <= 100
        assert 0 < label.y <= chart.height
    assert all(0 <= line <= chart.height for line in chart.lines)


@given(st.lists(st.tuples(numbers, numbers), max_size=62))
def test_columns_are_within_and_as_high_as_their_numbers(pairs: list[tuple[int, int]]) -> None:
    chart = columns([Slot(str(place), [(one, "a"), (two, "b")]) for place, (one, two) in enumerate(pairs)])
    assert_within(chart)
    values = [value for pair in pairs for value in pair]
    tallest = max((box.height for box in chart.boxes), default=0)
    for box, value in zip(chart.boxes, values, strict=True):
        assert box.height == pytest.approx(tallest * value / max(1, *values), abs=0.02)
    assert tallest >= 80 or not any(values)
    assert len(chart.lines) <= 5


@given(st.lists(st.lists(numbers, min_size=1, max_size=6), max_size=20), st.booleans())
def test_rows_are_within_their_width(values: list[list[int]], shared: bool) -> None:
    given_rows = [ChartRow("x" * 300, "1 h", [ChartPart(value, "first", "") for value in one]) for one in values]
    chart = rows(given_rows, whole=max((sum(one) for one in values), default=0) if shared else None)
    assert_within(chart)
    assert all(len(label.text) <= 30 for label in chart.labels)


def test_parts_of_a_whole_fill_it_in_their_proportion() -> None:
    (one, two) = rows([ChartRow("a", "", [ChartPart(30, "good", ""), ChartPart(10, "bad", "")])]).boxes
    assert (one.x, one.width, two.x, two.width) == (0, 75, 75, 25)


@given(st.lists(st.lists(numbers, min_size=24, max_size=24), min_size=7, max_size=7))
def test_a_week_has_a_field_for_each_hour_the_darker_the_more(hours: list[list[int]]) -> None:
    chart = week(hours, DAYS)
    assert_within(chart)
    assert len(chart.boxes) == 7 * 24
    counts = [count for day in hours for count in day]
    by_count = sorted(zip(counts, (box.tone for box in chart.boxes), strict=True))
    assert [tone for _, tone in by_count] == sorted(tone for _, tone in by_count)
    assert all((tone == "heat0") == (count == 0) for count, tone in by_count)


def test_the_scale_is_in_round_steps() -> None:
    few, many = (columns([Slot("14 Jan", [(value, "")])]) for value in (37, 4_100))
    assert [label.text for label in few.labels] == ["14 Jan", "10", "20", "30", "40"]
    assert [label.text for label in many.labels] == ["14 Jan", "2k", "4k", "6k"]


def test_nothing_makes_an_empty_chart() -> None:
    assert columns([]).boxes == rows([]).boxes == ()
    assert columns([Slot("1 Jan", [(0, "")])]).boxes[0].height == 0
