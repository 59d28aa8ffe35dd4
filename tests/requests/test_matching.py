"""The matching rule of the contract, and what an answer's first line is."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.platform.text import split_answer
from flow_hitl.requests.deciding.matching import match_outcome, none_of, options_like, read_answer, spelling_advice

OPTIONS_OF_A_REVIEW = ["approved", "rejected", "needs_changes"]


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
    assert match_outcome(line, OPTIONS_OF_A_REVIEW) == outcome


@pytest.mark.parametrize(
    ("options", "line", "outcome"),
    [
        (["+1", "-1"], "+1", "+1"),
        (["+1", "-1"], " -1 ", "-1"),
        (["+1", "-1"], "\u22121", "-1"),  # the minus sign
        (["+1", "-1"], "1", None),
        (["+1", "-1"], "+1!", None),
        (["1", "-1"], "1", "1"),
        (["1", "-1"], "(1)", None),
        (["C", "C++", "C#"], "c", "C"),
        (["C", "C++", "C#"], "c++", "C++"),
        (["C", "C++", "C#"], "C.", None),
        (["< 10 %", "> 10 %"], "< 10 %", "< 10 %"),
        (["< 10 %", "> 10 %"], ">  10 %", "> 10 %"),
        (["< 10 %", "> 10 %"], "10 %", None),
        (["approve ✅", "approve ❌"], "Approve ✅", "approve ✅"),
        (["approve ✅", "approve ❌"], "approve ❌\ufe0f", "approve ❌"),
        (["approve ✅", "approve ❌"], "approve", None),
        (["approved", "Approved!"], "approved", "approved"),
        (["approved", "Approved!"], "APPROVED!", "Approved!"),
        (["approved", "Approved!"], "approved?", None),
        (["yes?", "no"], "yes", "yes?"),
        (["-"], "-", "-"),
    ],
)
def test_options_may_differ_in_their_signs_alone_and_then_the_signs_decide(
    options: list[str], line: str, outcome: str | None
) -> None:
    assert options_like(options) == [None] * len(options)
    assert match_outcome(line, options) == outcome


@pytest.mark.parametrize(
    ("options", "like"),
    [
        (["approved", "rejected", "Approved"], ["Approved", None, "approved"]),
        (
            ["needs_revision", "needs revision", "needs-revision"],
            ["needs revision", "needs_revision", "needs_revision"],
        ),
        (["yes", "yes"], ["yes", "yes"]),
        (["straße", "STRASSE"], ["STRASSE", "straße"]),
        (["①", "1"], ["1", "①"]),
        (["-1", "_1"], ["_1", "-1"]),
        (["_", "-"], ["-", "_"]),
        (["👍", "👍\ufe0f"], ["👍\ufe0f", "👍"]),
        ([], []),
    ],
)
def test_options_that_no_answer_could_tell_apart_name_each_other(options: list[str], like: list[str | None]) -> None:
    assert options_like(options) == like


# What the rule treats specially, and some letters.
LINES = st.text(
    st.sampled_from("aAßSsé1+-_−‐ .!<>%#✅❌👍\t\u00a0\u00ad\u200b\u200d\ufe0f\u20e3ＡﬁＩİ̇①…´\u0301हाँ한"), max_size=6
)
OPTIONS = st.lists(LINES, max_size=6)


@given(LINES, OPTIONS)
def test_a_line_names_one_of_the_options_or_none(line: str, options: list[str]) -> None:
    assert match_outcome(line, options) in (None, *options)


@given(OPTIONS)
def test_options_that_are_not_alike_name_themselves(options: list[str]) -> None:
    for option, like in zip(options, options_like(options), strict=True):
        if split_answer(option)[0]:
            assert (match_outcome(option, options) == option) == (like is None)


@given(LINES, LINES)
def test_who_equals_whom_does_not_depend_on_which_is_the_option(one: str, other: str) -> None:
    assert (match_outcome(one, [other]) is None) == (match_outcome(other, [one]) is None)
    assert (options_like([one, other])[0] is None) == (options_like([other, one])[0] is None)


@given(LINES, OPTIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_options_does_not_matter(line: str, options: list[str], random: Random) -> None:
    distinct = list(dict.fromkeys(options))
    shuffled = random.sample(distinct, len(distinct))
    assert match_outcome(line, distinct) == match_outcome(line, shuffled)


@given(LINES, st.text(st.sampled_from("abß1한"), min_size=1, max_size=3), OPTIONS)
def test_part_of_a_line_names_nothing(line: str, more: str, options: list[str]) -> None:
    named = match_outcome(line, options)
    for longer in (f"{line} {more}", f"{more} {line}", f"{line}{more}"):
        if named is not None and any(character.isalnum() for character in line):
            assert match_outcome(longer, [named]) is None


@given(st.text(max_size=40), st.lists(st.text(max_size=8), max_size=4))
def test_any_text_can_be_read(text: str, options: list[str]) -> None:
    reading = read_answer(text, options)
    assert (reading.feedback, reading.comment) in (split_answer(text), split_answer(split_answer(text)[1]))
    assert reading.outcome is None or reading.meant is None


@pytest.mark.parametrize(
    ("text", "outcome", "meant"),
    [
        ("approved\nrejected", "approved", None),
        ("Hi,\n\napproved\nrejected", "approved", None),
        ("Dear team,\nneeds changes!", "needs_changes", None),
        ("Hi,\nlooks good\napproved", None, "approved"),
        ("Hi,\nthanks for this", None, None),
        ("Looks good to me.\n\nApproved!\nThanks", None, "approved"),
        ("Looks good to me.\nI would not have approved it.", None, None),
        ("One of these:\napproved\nrejected", None, None),
        ("Twice:\napproved\napproved", None, None),
        ("Looks good to me.", None, None),
        ("", None, None),
    ],
)
def test_a_line_further_down_decides_nothing_and_is_noticed(text: str, outcome: str | None, meant: str | None) -> None:
    reading = read_answer(text, OPTIONS_OF_A_REVIEW)
    assert (reading.outcome, reading.meant) == (outcome, meant)


def test_a_greeting_is_passed_over_only_for_an_option() -> None:
    reading = read_answer("Hi Bob,\n\napproved\n\nGreat work", OPTIONS_OF_A_REVIEW)
    assert (reading.outcome, reading.feedback, reading.comment) == ("approved", "approved", "Great work")
    reading = read_answer("Hi Bob,\n\nMake it shorter", OPTIONS_OF_A_REVIEW)
    assert (reading.outcome, reading.feedback, reading.comment) == (None, "Hi Bob,", "Make it shorter")
    assert read_answer("Hello\napproved", ["hello", "approved"]).outcome == "hello"


def test_a_programs_value_is_the_option_itself_and_the_nearest_is_named() -> None:
    assert none_of("Approved", ["approved", "rejected"]) == 'must be written exactly as the option is: "approved"'
    assert none_of("maybe", ["approved", "rejected"]) == "must be one of: approved, rejected"


def test_a_configured_value_that_means_an_option_is_advised_to_be_it() -> None:
    assert spelling_advice("APPROVED", ["approved", "rejected"]) == ' Write it exactly as the option is: "approved".'
    assert spelling_advice("later", ["approved", "rejected"]) == ""


def test_an_option_is_returned_as_the_flow_wrote_it() -> None:
    assert match_outcome("straße", ["STRASSE!"]) == "STRASSE!"


def test_options_that_are_symbols_are_told_apart() -> None:
    assert match_outcome("👍", ["👍", "👎"]) == "👍"
    assert match_outcome("👎\ufe0f", ["👍", "👎"]) == "👎"
    assert match_outcome("!!!", ["👍", "👎"]) is None


@pytest.mark.parametrize("line", ["!", "...", "-", "\u200b", ""])
def test_a_line_without_words_names_no_option_that_is_a_symbol(line: str) -> None:
    assert match_outcome(line, ["+", "ok"]) is None


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
