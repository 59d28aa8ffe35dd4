"""JSON as people read it, and code with its parts marked: all of it is there, and none of it comes alive."""

import re
from html import unescape

import pytest
from markupsafe import Markup

from flow_hitl.rendering.code import CODE_CLASSES, LANGUAGES, LONGEST, highlighted
from flow_hitl.rendering.json_mail import MailTree
from flow_hitl.rendering.json_tree import render_tree
from flow_hitl.rendering.markdown import render_markdown
from tests.speed import cpu_seconds

EVIL = "\"'><script>alert(1)</script>"


def text_of(html: str | Markup) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", str(html))).split())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": 1, "b": [True, None, 1.5]}, "A 1 B Yes not set 1.5"),
        ([{"a": {"b": {"c": "deep"}}}], "A B C deep"),
        ({"a": {}, "b": [], "c": " "}, "A none B none C empty"),
        ([], "none"),
        (None, "not set"),
        ("plain", "plain"),
        ({"": ""}, "empty"),
        (
            {"riskLevel": "high", "risk_owner": "Ann", "VAT": 1, "größe 2": 2},
            "Risk level high Risk owner Ann VAT 1 größe 2 2",
        ),
        ({"total": 1234567.5, "rows": -20000, "year": 20260, "order_id": 12345678}, None),
        ({"due": "2026-01-14T12:00:00+01:00"}, "Due 14 Jan 2026, 11:00 UTC"),
        ({"due": "2026-99-14T12:00:00Z"}, "Due 2026-99-14T12:00:00Z"),
        ({"id": 7, "trace_id": "x", "name": "Ann"}, "Name Ann Id 7 Trace id x"),
        ({"big": 1e300, "small": 1e-7, "nan": float("nan")}, "Big 1e+300 Small 1e-07 Nan NaN"),
    ],
)
def test_json_reads_as_facts(value: object, shown: str | None) -> None:
    said = text_of(render_tree(value))
    assert said == (shown or "Total 1,234,567.5 Rows -20,000 Year 20260 Order id 12345678")


QUESTIONNAIRE = [{"question": f"Question {n}?", "answer": "Yes, by policy.", "confidence": 0.9} for n in range(30)]


def test_thirty_answers_are_a_table_at_a_glance() -> None:
    html = str(render_tree({"vendor": "Acme", "answers": QUESTIONNAIRE}))
    assert html.count("<tr>") == 31
    assert "<details" not in html
    assert re.findall(r'<th scope="col" dir="auto">([^<]+)', html) == ["Question", "Answer", "Confidence"]


def test_answers_with_long_texts_or_parts_are_cards_that_are_open() -> None:
    answers = [{**one, "answer": "Because. " * 30, "sources": [{"page": 1}]} for one in QUESTIONNAIRE]
    html = str(render_tree(answers))
    assert html.count("<li><dl>") == 60
    assert "<table" not in html
    assert "<details" not in html


def test_a_column_that_some_rows_lack_is_blank_there() -> None:
    html = str(render_tree([{"a": 1, "b": 2}, {"b": 3}]))
    assert "<tr><td></td><td" in html


@pytest.mark.parametrize("value", [[{EVIL: EVIL}, {EVIL: EVIL}], [[EVIL]], {EVIL: [EVIL, {EVIL: EVIL * 50}]}, EVIL])
def test_no_text_is_markup_in_json(value: object) -> None:
    html = str(render_tree(value))
    assert "<script" not in html
    assert "alert(1)" in html
    assert not re.search(r"<[^>]*alert", html)


def test_a_long_text_is_all_there_and_folded_up() -> None:
    html = render_tree({"text": "word " * 200 + "the end"})
    assert "<details>" in html
    assert "the end" in html


def test_a_huge_tree_is_cut_where_a_page_would_be_too_large() -> None:
    html = str(render_tree({"rows": list(range(100_000))}))
    assert len(html) < 500_000
    assert "which the plain text shows" in html


def test_what_is_nested_too_deeply_is_shown_on_one_line() -> None:
    value: object = "bottom"
    for _ in range(400):
        value = [value]
    html = str(render_tree({"deep": value}))
    assert "bottom" in html
    assert html.count("<li") < 20


def test_control_characters_are_left_out() -> None:
    assert "\x00" not in str(render_tree({"a\x00": "b\x1b\ud800"}))


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_code_of_every_language_stays_what_it_was(language: str) -> None:
    code = f"if x < 1:\n    print('{EVIL}') # & done\n\n+added\n-removed\n"
    html = highlighted(code, language)
    assert html is not None
    assert unescape(re.sub(r"</?span[^>]*>", "", html)) == code
    assert set(re.findall(r'class="([^"]*)"', html)) <= CODE_CLASSES


@pytest.mark.parametrize("language", ["", "brainfuck", "python\n", "x" * 1000, "<b>"])
def test_code_of_no_known_language_stays_plain(language: str) -> None:
    assert (highlighted("x = 1", language) is None) == (language.strip() != "python")


def test_very_long_code_stays_plain() -> None:
    assert highlighted("x = 1\n" * 5000, "python") is None


def test_a_document_full_of_code_has_its_beginning_marked() -> None:
    html = render_markdown("```python\nreturn 1\n" + "# more\n" * 500 + "```\n\n" + "```python\nreturn 2\n```\n" * 2)
    assert html.count('<span class="k">return</span>') == 3
    full = render_markdown(("```python\nreturn 1\n" + "# more\n" * 500 + "```\n\n") * 20)
    assert 3 < full.count('<span class="k">return</span>') < 8
    assert full.count("<pre>") == 20


@pytest.mark.parametrize("repeated", ["\n", "  ", "a.", '"'])
def test_code_that_is_made_to_be_slow_is_not_too_slow(repeated: str) -> None:
    def mark_all() -> None:
        for language in LANGUAGES:
            highlighted(repeated * (LONGEST // len(repeated)), language)

    # Linear work takes a few seconds for all of them.
    assert cpu_seconds(mark_all, 20.0) < 20


def test_code_on_a_page_is_marked_and_in_a_mail_it_is_not() -> None:
    source = f"```python\ndef f():\n    return '{EVIL}'\n```"
    page, mail = render_markdown(source), render_markdown(source, "mail")
    assert '<span class="k">def</span>' in page
    assert "<span" not in mail
    for html in (page, mail):
        assert "<script" not in html


def test_a_span_that_the_text_brings_along_is_text() -> None:
    assert "<span" not in render_markdown('<span class="k">x</span> <b class="bar">y</b>')


def test_an_email_has_the_same_facts_as_the_page() -> None:
    value = {"supplier": {"name": "ACME", "since": "2026-01-14T12:00:00Z"}, "total": 12400, "paid": False, "tags": []}
    tree = MailTree(value, 3000)
    assert text_of(tree.html) == text_of(render_tree(value))
    assert not tree.was_cut


def test_thirty_answers_are_a_table_in_an_email_and_fit_into_it() -> None:
    tree = MailTree({"vendor": "Acme", "answers": QUESTIONNAIRE}, 3000)
    assert str(tree.html).count("<tr") == 34
    assert not tree.was_cut
    assert len(str(tree.html)) < 25_000


@pytest.mark.parametrize(
    "value",
    [
        {f"k{n}": n for n in range(5000)},
        [{"a": n, "b": n} for n in range(5000)],
        [{"a": {"b": "x"}} for _ in range(5000)],
        list(range(5000)),
        "x" * 5000,
        {"text": "word " * 5000},
        [[[[[[[[["deep"] * 5000]]]]]]]],
    ],
)
def test_an_email_has_the_beginning_of_what_is_too_large_for_it(value: object) -> None:
    tree = MailTree(value, 3000)
    assert tree.was_cut
    assert len(str(tree.html)) < 40_000


@pytest.mark.parametrize("value", [[{EVIL: EVIL}, {EVIL: EVIL}], [[EVIL]], {EVIL: [EVIL, {EVIL: EVIL * 50}]}, EVIL])
def test_no_text_is_markup_in_json_of_an_email(value: object) -> None:
    html = str(MailTree(value, 3000).html)
    assert "<script" not in html
    assert "alert(1)" in html
    assert not re.search(r"<[^>]*alert", html)


def test_what_reads_from_the_right_begins_there_in_an_email() -> None:
    html = str(MailTree({"שם": "שלום"}, 3000).html)
    assert html.count('dir="rtl" align="right"') == 2
