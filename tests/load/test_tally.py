"""The load's table says what does not agree."""

import pytest

from tests.load.tally import Line, Tally


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        (Line("resumed", 10, 10), True),
        (Line("resumed", 10, 9), False),
        (Line("resumed", 10, 11), False),
        (Line("told again", 3, 0, at_most=True), True),
        (Line("told again", 3, 3, at_most=True), True),
        (Line("told again", 3, 4, at_most=True), False),
    ],
)
def test_a_load_holds_if_each_count_is_what_it_must_be(line: Line, holds: bool) -> None:
    tally = Tally([Line("created", 1, 1), line], [("workers killed", "3")])
    assert tally.holds is holds
    assert ("WRONG" in tally.written()) is not holds


def test_the_table_can_be_put_into_a_document() -> None:
    counts = [Line("requests created", 10_000, 10_000), Line("told again", 40, 2, at_most=True)]
    tally = Tally(counts, [("killed", "40")])
    assert (
        tally.written().splitlines()
        == [
            "| counted          | must be    | is     |  |",
            "|------------------|------------|--------|--|",
            "| requests created | 10,000     | 10,000 |  |",
            "| told again       | at most 40 | 2      |  |",
            "",
            "| meanwhile |    |",
            "|-----------|----|",
            "| killed    | 40 |",
            "",
        ][:-1]
    )
