"""Markdown and JSON from an AI: shown whole, shown readable, and inert."""

import html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_hitl.rendering import markdown
from flow_hitl.rendering.markdown import (
    MARKDOWN_LIMIT,
    excerpt,
    one_line,
    outline,
    printable,
    render_markdown,
    render_output,
)

KNOWN_TAGS = {"a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong"}
KNOWN_TAGS |= {"s", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"}
KNOWN_ATTRIBUTES = {"href", "title", "rel", "start", "align", "dir"}


class _Elements(HTMLParser):
    """Every element of a document with its attributes, as a browser would see them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _assert_inert(document: str) -> None:
    for tag, attributes in _Elements(document).found:
        assert tag in KNOWN_TAGS
        assert attributes.keys() <= KNOWN_ATTRIBUTES or attributes == {"class": "task"}
        assert attributes.get("dir") in (None, "ltr", "rtl")
        assert re.match(r"https?://[^/\\]|mailto:", attributes.get("href") or "https://none", re.IGNORECASE)


def _visible(document: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", document))


def test_ordinary_markdown_becomes_html() -> None:
    rendered = render_markdown("# Title\n\nSome **bold** and `code`.\n\n- one\n- two\n\n|a|b|\n|:-|-:|\n|1|2|\n")

    assert "<h3>Title</h3>" in rendered
    assert "<strong>bold</strong> and <code>code</code>" in rendered
    assert "<li>one</li>" in rendered
    assert '<td align="right">2</td>' in rendered


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=alert(1)>",
        "<style>*{display:none}</style>",
        "<iframe src=//evil.example></iframe>",
        "<form action=https://evil.example><button>approved</button></form>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](java\tscript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:msgbox(1))",
        "<javascript:alert(1)>",
        '[x](https://a.example "onmouseover=alert(1) \\" x=")',
        '![x" onerror="alert(1)](https://a.example/i.png)',
        '![x](https://a.example/"onerror="alert(1))',
        "![x](javascript:alert(1))",
        '```"><script>alert(1)</script>\ncode\n```',
        "|<script>|\n|-|\n|<b onclick=x>|\n",
        "[//]: # (<script>alert(1)</script>)",
        "- [x] <script>alert(1)</script>",
        "a[^<b>]\n\n[^<b>]: <script>alert(1)</script>",
        'a[^"onclick=x]\n\n[^"onclick=x]: b',
        "~~<img src=x onerror=alert(1)>~~",
        "    <script>alert(1)</script>",
    ],
)
def test_hostile_markdown_is_inert(hostile: str) -> None:
    _assert_inert(render_markdown(hostile))
    _assert_inert(render_markdown(f"before\n\n> - {hostile}\n\nafter"))


@pytest.mark.parametrize("target", ["https://a.example/x?y=1&z=2#w", "http://a.example", "mailto:a@b.example"])
def test_a_link_that_names_its_destination_stays(target: str) -> None:
    (link,) = [attributes for tag, attributes in _Elements(render_markdown(f"[x]({target})")).found if tag == "a"]

    assert link == {"href": target, "rel": "noopener noreferrer nofollow"}


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "/\\\\evil.example",
        "\\\\\\\\evil.example",
        "https:evil.example",
        "https:///evil.example",
        "/review/other",
        "other",
        "?x=1",
        "#x",
        "ftp://a.example",
        "tel:+49123",
        "file:///etc/passwd",
    ],
)
def test_a_link_that_a_browser_would_resolve_otherwise_loses_its_target(target: str) -> None:
    assert "href" not in render_markdown(f"[x]({target})")


def test_an_image_is_a_link_and_loads_nothing() -> None:
    rendered = render_markdown("![A chart](https://a.example/c.png) and ![](https://a.example/d.png)")

    assert "<img" not in rendered
    assert '<a href="https://a.example/c.png" rel="noopener noreferrer nofollow">Image: A chart</a>' in rendered
    assert "Image: without description" in rendered


@pytest.mark.parametrize(
    "text",
    ["[//]: # (secret)", "[x]: https://a.example 'secret'", "<!-- secret -->", "<p>secret</p>"],
)
def test_text_cannot_hide_from_the_reviewer(text: str) -> None:
    assert "secret" in _visible(render_markdown(text))


@pytest.mark.parametrize("levels", [1, 48, 49, 50, 51, 97, 98, 99, 100, 101, 500])
@pytest.mark.parametrize("opening", ["> ", "- ", "1. ", "[", "**a "])
def test_text_cannot_hide_in_deep_nesting(opening: str, levels: int) -> None:
    assert "secret" in _visible(render_markdown(opening * levels + "secret"))


@pytest.mark.parametrize("medium", ["page", "mail"])
def test_of_very_long_text_the_beginning_is_rendered(medium: markdown.Medium) -> None:
    text = "# Title\n\n" + "Some **bold** words.\n\n" * (MARKDOWN_LIMIT // 10)

    rendered = render_markdown(text, medium)

    assert "**" not in rendered
    assert 0 < MARKDOWN_LIMIT - rendered.count("<strong>") * len("Some **bold** words.\n\n") < 1_000


def test_text_that_is_nested_too_deeply_says_why_it_is_not_formatted() -> None:
    rendered = render_markdown("> " * 200 + "secret")

    assert rendered.startswith("<p><em>This text is nested too deeply to be shown formatted:</em></p>\n<pre>&gt; ")


def test_a_task_list_shows_what_is_done() -> None:
    rendered = render_markdown("- [x] read\n- [ ] signed\n  1. [X] twice\n- [y] other\n- [x]close\n- \\[x] own\n")

    assert [line.strip() for line in _visible(rendered).split("\n") if line.strip()] == [
        "☑\ufe0e read",
        "☐\ufe0e signed",
        "☑\ufe0e twice",
        "[y] other",
        "[x]close",
        "[x] own",
    ]
    assert rendered.count('<li class="task">') == 3


def test_footnotes_are_raised_and_their_texts_stand_where_they_were_written() -> None:
    rendered = render_markdown(
        "Costs 5[^1], or *6[^a b]* [^b].\n\n[^1]: By **Ann**.\n[^b]: see[^1]\n\n- x[^1]\n\nAfter, [^none], `[^1]`."
    )

    assert "Costs 5<sup>1</sup>, or <em>6[^a b]</em> <sup>b</sup>." in rendered
    assert "<p><sup>1</sup> By <strong>Ann</strong>.<br>\n<sup>b</sup> see<sup>1</sup></p>" in rendered
    assert "<li>x<sup>1</sup></li>" in rendered
    assert "After, [^none], <code>[^1]</code>." in rendered


def test_brackets_are_no_footnotes_where_none_has_a_text() -> None:
    assert "[^1] and [^a-z]" in render_markdown("[^1] and [^a-z]")


def test_a_table_without_head_has_none() -> None:
    assert render_markdown("| | |\n|-|-|\n|a|b|\n").startswith("<table>\n<tbody>\n<tr>\n<td>a</td>")
    assert "<th>Q1</th>" in render_markdown("| |Q1|\n|-|-|\n|a|b|\n")


def test_struck_text_is_struck() -> None:
    assert "<s>900</s> 800" in render_markdown("~~900~~ 800")


ARABIC = "# عنوان\n\n- واحد\n- two\n\nEnglish\n\n> اقتباس\n\n|اسم|x|\n|-|-|\n|1|2|\n\n- [x] نص\n\n[^1]: نص\n"


@pytest.mark.parametrize("medium", ["page", "mail"])
def test_a_block_runs_the_way_of_its_first_letter(medium: markdown.Medium) -> None:
    found = [(tag, attributes.get("dir")) for tag, attributes in _Elements(render_markdown(ARABIC, medium)).found]

    assert [each for each in found if each[1]] == [
        ("h3", "rtl"),
        ("ul", "rtl"),
        ("li", "ltr"),
        ("blockquote", "rtl"),
        ("table", "rtl"),
        ("th", "ltr"),
        ("ul", "rtl"),
        ("p", "rtl"),
    ]


def test_in_a_mail_what_runs_from_the_right_begins_there() -> None:
    for tag, attributes in _Elements(render_markdown(ARABIC, "mail")).found:
        if way := attributes.get("dir"):
            assert f"text-align:{'right' if way == 'rtl' else 'left'}" in (attributes["style"] or "")
        if tag == "ul":
            assert "padding-right:24px" in (attributes["style"] or "")


@given(
    st.lists(st.sampled_from([*"> -\n|*#`_~[]^:x1", "ا", "a", "\n\n", "|-|-|\n", "- [ ] ", "[^1]", "1. "]), max_size=60)
)
def test_nothing_is_lost_however_blocks_are_mixed(pieces: list[str]) -> None:
    text = "".join(pieces)
    for medium in ("page", "mail"):
        shown = _visible(render_markdown(text, medium))
        for letter in ("ا", "a"):
            assert shown.count(letter) >= text.count(letter)


def test_words_in_the_cells_of_a_mail_stay_whole() -> None:
    for tag, attributes in _Elements(render_markdown("|a|b|\n|-|-|\n|1|2|\n", "mail")).found:
        if tag in ("td", "th"):
            assert "word-break:normal;overflow-wrap:normal" in (attributes["style"] or "")


def test_json_in_a_mail_has_no_frame_within_the_frame() -> None:
    (pre,) = _Elements(render_output({"a": 1}, "mail")).found
    assert "border" not in (pre[1]["style"] or "")
    assert "white-space:pre-wrap" in (pre[1]["style"] or "")


@pytest.mark.parametrize("text", ["```python\nx = '<b>'\n```", "    x = '<b>'", "```\nx = '<b>'\n```"])
def test_code_in_a_mail_stands_in_a_block_of_its_own(text: str) -> None:
    (pre, code) = _Elements(render_markdown(text, "mail")).found
    assert "border:1px solid" in (pre[1]["style"] or "")
    assert "background-color" in (pre[1]["style"] or "")
    assert code == ("code", {"style": "font-family:Menlo,Consolas,monospace"})
    assert "x = '<b>'" in _visible(render_markdown(text, "mail"))


@pytest.mark.parametrize("medium", ["page", "mail"])
def test_styles_stand_inline_in_mails_alone(medium: markdown.Medium) -> None:
    assert ("style=" in render_markdown("|a|\n|:-|\n|1|\n\ntext", medium)) == (medium == "mail")
    assert ("style=" in render_output({"a": 1}, medium)) == (medium == "mail")


PIECES = [*"<>&\"'`[]()!*_#|-:/\\ \n\tax1=;\ud800", "javascript:", "https://", "<script>", "![", "](", "|-|"]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_whatever_is_written_is_inert(text: str) -> None:
    _assert_inert(render_markdown(text))


def test_json_is_an_indented_outline() -> None:
    value = {
        "vendor": "Acme",
        "amount": 12.5,
        "paid": None,
        "ok": True,
        "lines": [{"item": "Desk", "n": 1}, "plain", [1, 2]],
        "note": "first\nsecond",
        "empty": {},
        "blank": "",
    }

    assert outline(value).split("\n") == [
        "vendor: Acme",
        "amount: 12.5",
        "paid: null",
        "ok: true",
        "lines:",
        "  - item: Desk",
        "    n: 1",
        "  - plain",
        "  - - 1",
        "    - 2",
        "note:",
        "  first",
        "  second",
        "empty: {}",
        "blank:",
    ]
    assert render_output(value).startswith("<pre>vendor: Acme\n")


@pytest.mark.parametrize(("value", "shown"), [(3, "3"), (False, "false"), ([], "[]"), (["<b>"], "- &lt;b&gt;")])
def test_json_that_is_no_object(value: object, shown: str) -> None:
    assert render_output(value) == f"<pre>{shown}</pre>"


def test_a_value_cannot_imitate_a_key() -> None:
    lines = outline({"note": "x\u2028amount: 1", "amount": 900}).split("\n")

    assert [line for line in lines if line.startswith("amount")] == ["amount: 900"]


def test_json_of_any_depth_is_shown() -> None:
    value: object = "deep"
    for _ in range(60):
        value = {"a": [value]}

    assert "deep" in outline(value)

    for _ in range(100_000):
        value = [value]
    assert one_line(value) == "(nested too deeply to show)"
    assert outline(value).endswith("(nested too deeply to show)")


def test_one_line_has_no_line_ends() -> None:
    assert one_line(" a\r\n\tb\u2028c\x00 ") == "a b c"
    assert one_line({"a": ["ü\n"]}) == '{"a": ["ü\\n"]}'


def test_printable_removes_what_is_not_text() -> None:
    assert printable("a\x00\x1b[31mb\r\nc\rd\te\ud800") == "a[31mb\nc\nd\te\ufffd"


def test_excerpt_cuts_between_words() -> None:
    assert excerpt("short", 10) == ("short", False)
    assert excerpt("one two three four", 15) == ("one two three", True)
    assert excerpt("one two\nthree four", 9) == ("one two", True)
    assert excerpt("x" * 20, 10) == ("x" * 10, True)


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_excerpt_is_the_beginning_and_never_longer(text: str, limit: int) -> None:
    cut, was_cut = excerpt(text, limit)

    assert text.startswith(cut)
    assert len(cut) <= limit
    assert was_cut == (cut != text)
