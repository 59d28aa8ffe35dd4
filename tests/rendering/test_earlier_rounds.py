"""What was asked and answered before: newest first, with the words that have changed since."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from flow_hitl.rendering.earlier_rounds import EarlierRound, ValueChange, earlier_rounds, value_changes, word_changes
from flow_hitl.requests.reading.earlier_reviews import EarlierReview
from flow_hitl.requests.request import HistoryRound
from tests.speed import cpu_seconds

EVIL = "<script>alert(1)</script>"
DRAFT, FIRST = HistoryRound("draft", None, "An idea"), HistoryRound("review", "t1", "One\n\n**rejected**: too long")
SECOND = HistoryRound("review", "t2", "One two\n\n**approved**")


def test_the_newest_round_comes_first_and_says_what_was_answered() -> None:
    newest, older, oldest = earlier_rounds([DRAFT, FIRST, SECOND], "review", "One three")
    assert (newest.output, newest.answer, newest.comment) == ("One two", "approved", "")
    assert (older.output, older.answer, older.comment) == ("One", "rejected", "too long")
    assert oldest == EarlierRound("draft", None, "An idea")


def test_the_words_that_changed_are_marked() -> None:
    (one,) = earlier_rounds([SECOND], "review", "One three")
    assert str(one.changes) == "One <del>two</del><ins>three</ins>"
    assert word_changes("same", "same") is None


def test_a_long_text_that_stayed_is_shortened() -> None:
    before = " ".join(f"w{n}" for n in range(500))
    changes = str(word_changes(before, before + " end"))
    assert changes.endswith("w499<ins> end</ins>")
    assert "w250" not in changes


def test_json_rounds_say_what_was_answered_too() -> None:
    output = {"output": {"a": 1}, "answer": "rejected", "comment": "why"}
    (one,) = earlier_rounds([HistoryRound("review", None, output)], "review", {"a": 2})
    assert (one.output, one.answer, one.comment, one.changes) == ({"a": 1}, "rejected", "why", None)
    assert (one.values, one.more) == ((ValueChange("A", "1", "2"),), False)


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ({"a": 1, "b": 2}, {"a": 1, "b": 2}, []),
        (
            {"total_due": 12000, "paid": False},
            {"total_due": 13000, "paid": True},
            ["Total due: 12,000 → 13,000", "Paid: No → Yes"],
        ),
        ({"a": 1}, {"b": None}, ["B: – → not set", "A: 1 → –"]),
        ({"n": 1}, {"n": True}, ["N: 1 → Yes"]),
        ({"rows": [{"q": "x", "a": "yes"}]}, {"rows": [{"q": "x", "a": "no"}]}, ["Rows › 1 › A: yes → no"]),
        ([1, 2, 3, 4], [1, 2, 9, 3, 4], ["3: – → 9"]),
        ([1, 2, 3], [1, 3], ["2: 2 → –"]),
        ({"a": [1]}, {"a": {"b": 1}}, ['A: [1] → {"b": 1}']),
        ({"a": 1}, [1], ['All of it: {"a": 1} → [1]']),
    ],
)
def test_values_that_changed_are_listed_with_what_they_were(before: object, after: object, changed: list[str]) -> None:
    found = value_changes(before, after)
    assert [f"{one.path}: {one.was or '–'} → {one.now or '–'}" for one in found] == changed


def test_only_some_of_many_changes_are_listed() -> None:
    then = {"output": {"rows": list(range(900))}, "answer": "rejected", "comment": ""}
    (one,) = earlier_rounds([HistoryRound("review", None, then)], "review", {"rows": list(range(1, 901))})
    assert (len(one.values), one.more) == (40, True)


@pytest.mark.parametrize("output", [None, 1, "**bold**", "x\n\n**a**\nmore", {"answer": "a"}, ["x"]])
def test_what_is_no_review_is_shown_as_it_is(output: object) -> None:
    assert earlier_rounds([HistoryRound("review", None, output)], "review", "x")[0] == EarlierRound(
        "review", None, output
    )


def test_no_text_is_markup_in_changes() -> None:
    html = str(word_changes(f"a {EVIL}", f"b {EVIL}{EVIL} \x00"))
    assert "<script" not in html
    assert "alert(1)" in html


def test_a_text_that_is_made_to_be_slow_is_compared_in_time() -> None:
    assert cpu_seconds(lambda: word_changes("a b " * 370, "b a " * 370), 20.0) < 20


def test_only_some_versions_are_compared() -> None:
    rounds = earlier_rounds([SECOND] * 9, "review", "One three")
    assert sum(one.changes is not None for one in rounds) == 3


# --- rounds that the service itself knows of


def review(minute: int, **members: Any) -> EarlierReview:
    at = datetime(2026, 1, 1, 12, minute, 30, tzinfo=UTC)
    given = {"request_id": str(minute), "output": f"Draft {minute}", "answer": "rejected", "label": "Rejected"}
    return EarlierReview(**{**given, "at": at, **members})


def told(minute: int, method: str = "write") -> HistoryRound:
    return HistoryRound(method, f"2026-01-01T12:{minute:02d}:00Z", f"text {minute}")


def order(history: Sequence[HistoryRound], *reviews: EarlierReview) -> list[str]:
    rounds = earlier_rounds(history, "review", "Draft", reviews)
    return [f"review {one.review.request_id}" if one.review else str(one.output) for one in rounds]


def test_rounds_from_both_places_stand_in_the_order_of_time() -> None:
    history = [told(10), told(20), told(30)]
    found = order(history, review(40), review(25), review(5))
    assert found == ["review 40", "text 30", "review 25", "text 20", "text 10", "review 5"]


@pytest.mark.parametrize("at", [None, "yesterday", ""])
def test_where_the_history_has_no_times_the_reviews_come_first(at: str | None) -> None:
    assert order([HistoryRound("write", at, "text")], review(2), review(1)) == ["review 2", "review 1", "text"]


def test_two_equal_rounds_in_both_places_stay_two() -> None:
    same = HistoryRound("review", None, "Draft\n\n**rejected**")
    found = order([same, same], review(2, output="Draft"), review(1, output="Draft"))
    assert found == ["review 2", "review 1"]


@pytest.mark.parametrize(
    "output",
    [
        "Draft 1\n\n**approved**",
        "Draft 2\n\n**rejected**",
        "Draft 1",
        {"output": "Draft 1", "answer": "no", "comment": ""},
    ],
)
def test_a_round_that_says_something_else_is_another_one(output: object) -> None:
    assert len(order([HistoryRound("review", None, output)], review(1))) == 2


def test_json_that_both_tell_of_is_there_once() -> None:
    output = {"output": {"n": 1}, "answer": "rejected", "comment": ""}
    assert order([HistoryRound("review", None, output)], review(1, output={"n": 1})) == ["review 1"]
