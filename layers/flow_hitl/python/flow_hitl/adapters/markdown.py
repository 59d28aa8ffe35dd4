"""What an AI wrote, made safe and readable: markdown as HTML, any other JSON as an indented outline.

Nothing here trusts its input. HTML in the text stays text, and what the markdown makes is passed through an allow list
that knows no images, no styles, no relative links and nothing that loads or runs by itself.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Literal

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from flow_hitl.adapters.code import CODE_CLASSES, highlighted

Medium = Literal["page", "mail"]

# A megabyte of one-letter table cells takes seconds to render; text of this size is no longer read as a document.
MARKDOWN_LIMIT = 200_000
OUTLINE_LIMIT = 200_000
_MAX_NESTING = 100
# Of one document: marking the parts of code takes longer than all the rest.
_HIGHLIGHTED_CHARS = 20_000
_OUTLINE_DEPTH = 12
_HEADING_SHIFT = 2

_TAGS = {"a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "strong"}
_TAGS |= {"span", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "span": {"class"}, "td": {"align"}, "th": {"align"}}
# Only what surely names its own destination: `//host`, `/\host` and `https:host` would be resolved against our page.
_LINK = re.compile(r"(?:https?://[^/\\\s]|mailto:[^/\\\s])[^\s\x00-\x1f]*", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# By an override "0005" reads as "5000"; no language needs one. A lone surrogate is no character.
_UNSHOWABLE = re.compile(r"[\u202d\u202e\ud800-\udfff]")

# Mail clients ignore or remove style sheets, so in mails each element carries its style. Colours are inherited, which
# keeps them readable in dark mode; the only ones named are greys that show on both grounds.
_MAIL_STYLES = {
    "a": "color:inherit;text-decoration:underline",
    "blockquote": "margin:0 0 14px;padding:0 0 0 14px;border-left:3px solid #8a94a3",
    "code": "font-family:Menlo,Consolas,monospace;font-size:14px",
    "h3": "margin:6px 0 8px;font-size:20px;line-height:1.3",
    "h4": "margin:6px 0 8px;font-size:18px;line-height:1.3",
    "h5": "margin:6px 0;font-size:16px",
    "h6": "margin:6px 0;font-size:16px",
    "hr": "border:0;border-top:1px solid #8a94a3;margin:18px 0",
    "ol": "margin:0 0 8px;padding-left:24px",
    "p": "margin:0 0 14px",
    "pre": "margin:0 0 14px;font:14px/1.5 Menlo,Consolas,monospace;white-space:pre-wrap;word-break:break-word",
    "table": "border-collapse:collapse;margin:0 0 14px",
    "td": "border:1px solid #8a94a3;padding:6px 10px",
    "th": "border:1px solid #8a94a3;padding:6px 10px",
    "ul": "margin:0 0 8px;padding-left:24px",
}


def printable(text: str) -> str:
    """Return the text without control characters, its line ends as `\\n`; tabs stay.

    In place of a lone surrogate, and of what would turn the order of the characters round, stands U+FFFD.
    """
    return _UNSHOWABLE.sub("\ufffd", _CONTROLS.sub("", _LINE_ENDS.sub("\n", text)))


def render_markdown(text: str, medium: Medium = "page") -> Markup:
    """Return CommonMark with tables as safe HTML; very long or very deeply nested text stays as it is, preformatted.

    Headings start at `<h3>`, an image becomes a link to it. For a mail every element carries its style; on a page code
    whose language is named has its parts marked by `CODE_CLASSES`.
    """
    text = printable(text)
    if len(text) > MARKDOWN_LIMIT:
        return preformatted(text, medium)
    markdown = _markdown()
    tokens = markdown.parse(text)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        # The parser drops what is nested deeper, and nobody may approve what they were not shown.
        return preformatted(text, medium)
    room = _HIGHLIGHTED_CHARS if medium == "page" else 0
    for token in tokens:
        _adapt(token)
        if token.type == "fence":
            room -= len(token.content)
            _highlight(token, room)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(_cleaner(medium).clean(html))  # noqa: S704 - the cleaner's output is what is safe


def render_output(output: object, medium: Medium = "page") -> Markup:
    """Return a flow's output as safe HTML: a string is markdown, any other JSON value an indented outline."""
    return render_markdown(output, medium) if isinstance(output, str) else preformatted(outline(output), medium)


def preformatted(text: str, medium: Medium = "page") -> Markup:
    """Return plain text as one escaped `<pre>`."""
    style = Markup(' style="{}"').format(_MAIL_STYLES["pre"]) if medium == "mail" else ""
    return Markup("<pre{}>{}</pre>").format(style, printable(text))


def outline(value: object) -> str:
    """Return any JSON value as indented plain text, one `key: value` a line; a string alone is returned as it is."""
    if isinstance(value, str):
        return printable(value)
    lines: list[str] = []
    room = OUTLINE_LIMIT
    for line in _outline_lines(value, 0):
        room -= len(line) + 1
        if room < 0:
            # Indentation multiplies deep lists: a page that cannot be sent helps nobody.
            lines.append("… (there is more than can be shown here)")
            break
        lines.append(line)
    return "\n".join(lines)


def one_line(value: object) -> str:
    """Return any JSON value as a single line of text: strings with their white space closed up, the rest as JSON."""
    if isinstance(value, str):
        return " ".join(printable(value).split())
    try:
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    except RecursionError:
        return "(nested too deeply to show)"


def direction(text: str) -> Literal["ltr", "rtl"]:
    """Return which way a text runs, by its first letter as browsers do for `dir="auto"`: mail clients know no auto."""
    for character in text:
        way = unicodedata.bidirectional(character)
        if way in ("L", "R", "AL"):
            return "ltr" if way == "L" else "rtl"
    return "ltr"


def excerpt(text: str, limit: int) -> tuple[str, bool]:
    """Return at most `limit` characters of the text, cut between words where there are any, and whether it was cut."""
    if len(text) <= limit:
        return text, False
    cut = text[: limit + 1]
    for gap in ("\n", " "):
        end = cut.rfind(gap)
        if end >= limit * 3 // 4:
            return cut[:end].rstrip(), True
    return text[:limit], True


@cache
def _markdown() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING}).enable("table")
    # Link definitions are not shown, so text could hide in them from the person who is to approve it.
    return parser.disable("reference")


@cache
def _cleaner(medium: Medium) -> nh3.Cleaner:
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_safe_attribute,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        # noreferrer too: the address of a review page is a credential.
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={tag: {"style": style} for tag, style in _MAIL_STYLES.items()}
        if medium == "mail"
        else {},
    )


def _safe_attribute(_tag: str, name: str, value: str) -> str | None:
    if name == "class":
        return value if value in CODE_CLASSES else None
    return value if name != "href" or _LINK.fullmatch(value) else None


def _highlight(fence: Token, room: int) -> None:
    """Mark the parts of a piece of code, if there is room left for it."""
    html = highlighted(fence.content, fence.info) if room >= 0 else None
    if html is not None:
        fence.type, fence.content = "html_block", f"<pre><code>{html}</code></pre>\n"


def _adapt(token: Token) -> None:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1:]) + _HEADING_SHIFT, 6)}"
    elif token.type in ("th_open", "td_open") and "style" in token.attrs:
        # The page's content security policy forbids style attributes.
        token.attrSet("align", str(token.attrs.pop("style")).removeprefix("text-align:"))
    for child in token.children or ():
        if child.type == "image":
            _image_to_link(child)


def _image_to_link(image: Token) -> None:
    label = escape(f"Image: {image.content or 'without description'}")
    source = escape(str(image.attrs.get("src", "")))
    image.type, image.content = "html_inline", f'<a href="{source}">{label}</a>'


def _outline_lines(value: object, depth: int) -> Iterator[str]:
    margin = "  " * depth
    if isinstance(value, str):
        yield from (margin + line for line in printable(value).splitlines() or [""])
    elif not _is_branch(value) or depth > _OUTLINE_DEPTH:
        yield margin + one_line(value)
    elif isinstance(value, Mapping):
        for key, member in value.items():
            yield from _labelled(f"{margin}{one_line(str(key))}:", member, depth)
    elif isinstance(value, Sequence):
        for member in value:
            lines = _outline_lines(member, depth + 1)
            yield f"{margin}- {next(lines).lstrip()}"
            yield from lines


def _labelled(label: str, member: object, depth: int) -> Iterator[str]:
    if _is_branch(member) or (isinstance(member, str) and len(printable(member).splitlines()) > 1):
        yield label
        yield from _outline_lines(member, depth + 1)
    else:
        yield f"{label} {one_line(member)}".rstrip()


def _is_branch(value: object) -> bool:
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and bool(value)
