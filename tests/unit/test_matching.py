"""The matching rule of the contract, and what an answer's first line is."""

import pytest

from flow_hitl.domain.matching import match_outcome, split_answer

OPTIONS = ["approved", "rejected", "needs_changes"]


@pytest.mark.parametrize(
    ("line", "outcome"),
    [
        ("approved", "approved"),
        ("  Approved!  ", "approved"),
        ("**APPROVED**", "approved"),
        ("“approved”.", "approved"),
        ("approved ✔️", "approved"),
        ("👍 approved", "approved"),
        ("ａｐｐｒｏｖｅｄ", "approved"),
        ("\ufeffapproved\u200b", "approved"),
        ("Needs changes", "needs_changes"),
        ("needs-changes", "needs_changes"),
        ("needs  changes", "needs_changes"),
        ("needs\u00a0changes", "needs_changes"),
        ("not approved", None),
        ("Approved, thanks", None),
        ("approved rejected", None),
        ("approvedrejected", None),
        ("ap proved", None),
        ("approve", None),
        ("needschanges", None),
        ("", None),
        ("!!!", None),
        ("\u0430pproved", None),  # a Cyrillic letter
    ],
)
def test_the_whole_line_must_equal_one_option(line: str, outcome: str | None) -> None:
    assert match_outcome(line, OPTIONS) == outcome


def test_two_options_that_read_the_same_match_neither() -> None:
    assert match_outcome("approved", ["approved", "Approved!"]) is None


def test_an_option_is_returned_as_the_flow_wrote_it() -> None:
    assert match_outcome("straße", ["STRASSE!"]) == "STRASSE!"


def test_options_that_are_symbols_are_told_apart() -> None:
    assert match_outcome("👍", ["👍", "👎"]) == "👍"
    assert match_outcome("👎\ufe0f", ["👍", "👎"]) == "👎"
    assert match_outcome("!!!", ["👍", "👎"]) is None


def test_marks_that_belong_to_letters_are_kept() -> None:
    assert match_outcome("हाँ।", ["हाँ"]) == "हाँ"
    assert match_outcome("ह", ["हाँ"]) is None


def test_without_options_nothing_matches() -> None:
    assert match_outcome("approved", []) is None


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rejected\nwrong price", ("rejected", "wrong price")),
        ("\n \u200b\n  rejected  \r\n\r\n  a\r\n b \r\n", ("rejected", "a\n b")),
        ("approved", ("approved", "")),
        (" \n\t\n\u200b", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_first_line_that_shows_anything_is_the_answer(text: str, parts: tuple[str, str]) -> None:
    assert split_answer(text) == parts
