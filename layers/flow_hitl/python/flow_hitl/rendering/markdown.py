"""Makes what an AI wrote safe and readable: markdown as HTML, other JSON as an indented outline.

No input is trusted. HTML in the text stays text, and the HTML of the markdown passes an allow list without images,
foreign styles, relative links, and anything that loads or runs by itself.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence, Set
from functools import cache
from typing import Literal, TypeGuard

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from flow_hitl.rendering.code import CODE_CLASSES, highlighted

Medium = Literal["page", "mail"]

# A megabyte of one-letter table cells takes seconds to render.
MARKDOWN_LIMIT = 200_000
OUTLINE_LIMIT = 200_000
_MAX_NESTING = 100
# Per document, because highlighting takes longer than all the rest.
_HIGHLIGHTED_CHARS = 20_000
_OUTLINE_DEPTH = 12
_HEADING_SHIFT = 2

_TAGS = {"a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong"}
_TAGS |= {"span", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"}
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}, "span": {"class"}, "td": {"align"}, "th": {"align"}}
_ATTRIBUTES |= {"li": {"class"}, "*": {"dir"}}
# Only absolute links: `//host`, `/\host`, and `https:host` would be resolved against our page.
_LINK = re.compile(r"(?:https?://[^/\\\s]|mailto:[^/\\\s])[^\s\x00-\x1f]*", re.IGNORECASE)
_LINE_ENDS = re.compile(r"\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# An override makes "0005" read as "5000", and no language needs one. A lone surrogate is not a character.
_UNSHOWABLE = re.compile(r"[\u202d\u202e\ud800-\udfff]")

_FOOTNOTE = re.compile(r"\[\^([^\s\[\]]{1,40})\]")
_FOOTNOTE_TEXT = re.compile(rf"{_FOOTNOTE.pattern}:[ \t]*")
_TASK = re.compile(r"\[([ xX])\](?=\s)")
# As text, because an emoji's colors would say more than the list does.
_TASK_BOXES = {" ": "\u2610\ufe0e", "x": "\u2611\ufe0e", "X": "\u2611\ufe0e"}
_TASK_CLASS = "task"

# Email clients ignore style sheets, so each element has its style. Colors are inherited, to stay readable in dark mode,
# except for grays that work in both modes. Table cells break only between words, and the table scrolls: breaking
# anywhere would make columns of single letters.
_CODE = "font-family:Menlo,Consolas,monospace"
_PLAIN = (
    "margin:0 0 14px;font:14px/1.5 Menlo,Consolas,monospace;white-space:pre-wrap;word-break:break-word;"
    "unicode-bidi:plaintext"
)
_GROUND = "background-color:rgba(138,148,163,0.16)"
_MAIL_STYLES = {
    "a": "color:inherit;text-decoration:underline",
    "blockquote": "margin:0 0 14px;padding:0 0 0 14px;border-left:3px solid #8a94a3",
    "code": f"{_CODE};font-size:14px;padding:1px 4px;border-radius:4px;{_GROUND}",
    "h3": "margin:6px 0 8px;font-size:20px;line-height:1.3",
    "h4": "margin:6px 0 8px;font-size:18px;line-height:1.3",
    "h5": "margin:6px 0;font-size:16px",
    "h6": "margin:6px 0;font-size:16px",
    "hr": "border:0;border-top:1px solid #8a94a3;margin:18px 0",
    "li": "",
    "ol": "margin:0 0 8px;padding-left:24px",
    "p": "margin:0 0 14px",
    "pre": f"{_PLAIN};padding:10px 12px;border:1px solid #8a94a3;border-radius:6px;{_GROUND}",
    "table": "border-collapse:collapse;margin:0 0 14px",
    "td": "border:1px solid #8a94a3;padding:6px 10px;word-break:normal;overflow-wrap:normal",
    "th": "border:1px solid #8a94a3;padding:6px 10px;word-break:normal;overflow-wrap:normal",
    "ul": "margin:0 0 8px;padding-left:24px",
}
_TASK_STYLE = "list-style:none"
_BEGINS = {"ltr": "left", "rtl": "right"}

Way = Literal["ltr", "rtl"]
"""Which way a text runs."""


def printable(text: str) -> str:
    """Return the text without control characters except tabs, and with line ends as `\\n`.

    U+FFFD replaces lone surrogates and characters that override the direction.
    """
    if text.isprintable():
        return text
    return _UNSHOWABLE.sub("\ufffd", _CONTROLS.sub("", _LINE_ENDS.sub("\n", text)))


def render_markdown(text: str, medium: Medium = "page") -> Markup:
    """Return CommonMark with tables, task lists, and footnotes as safe HTML: the first `MARKDOWN_LIMIT` characters.

    Headings start at `<h3>`, images become links, and blocks have a direction where it changes. In an email each
    element has its style; on a page, code of a known language is highlighted with `CODE_CLASSES`. Very deeply nested
    text is shown preformatted, and a line says so.
    """
    text, _ = excerpt(printable(text), MARKDOWN_LIMIT)
    markdown = _markdown()
    tokens = markdown.parse(text)
    if any(token.level >= _MAX_NESTING - 1 for token in tokens):
        # The parser drops what is nested deeper, and no one may approve what they were not shown.
        return _TOO_DEEP + preformatted(text, medium)
    tokens = list(_without_blank_heads(tokens))
    _mark_footnotes(tokens)
    _mark_tasks(tokens, medium)
    room = _HIGHLIGHTED_CHARS if medium == "page" else 0
    for token, way in zip(tokens, _ways(tokens), strict=True):
        if token.type in ("fence", "code_block"):
            room -= len(token.content)
            _show_code(token, medium, room)
        else:
            _adapt(token, medium, way)
    html = markdown.renderer.render(tokens, markdown.options, {})
    return Markup(_cleaner(medium).clean(html))  # noqa: S704 - the cleaner's output is what is safe


def render_output(output: object, medium: Medium = "page") -> Markup:
    """Return a flow's output as safe HTML: a string as markdown, other JSON as an indented outline."""
    return render_markdown(output, medium) if isinstance(output, str) else preformatted(outline(output), medium)


def preformatted(text: str, medium: Medium = "page") -> Markup:
    """Return plain text as one escaped `<pre>`."""
    style = Markup(' style="{}"').format(_PLAIN) if medium == "mail" else ""
    return Markup("<pre{}>{}</pre>").format(style, printable(text))


def outline(value: object) -> str:
    """Return any JSON value as indented plain text, one `key: value` per line; a string stays as it is."""
    if isinstance(value, str):
        return printable(value)
    lines: list[str] = []
    room = OUTLINE_LIMIT
    for line in _outline_lines(value, 0):
        room -= len(line) + 1
        if room < 0:
            # Indentation multiplies deep lists, and the page must stay small enough to send.
            lines.append("… (there is more than can be shown here)")
            break
        lines.append(line)
    return "\n".join(lines)


def one_line(value: object) -> str:
    """Return any JSON value as one line: strings with single spaces, the rest as JSON."""
    if isinstance(value, str):
        return " ".join(printable(value).split())
    try:
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    except RecursionError:
        return "(nested too deeply to show)"


def direction(text: str) -> Way | None:
    """Return the direction of a text's first letter, as `dir="auto"` does in browsers; None without letters."""
    for character in text:
        way = unicodedata.bidirectional(character)
        if way in ("L", "R", "AL"):
            return "ltr" if way == "L" else "rtl"
    return None


def excerpt(text: str, limit: int) -> tuple[str, bool]:
    """Return at most `limit` characters of the text, cut between words if possible, and whether it was cut."""
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
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING}).enable(["table", "strikethrough"])
    # Link definitions are not rendered, so they could hide text from the person who approves it.
    return parser.disable("reference")


@cache
def _cleaner(medium: Medium) -> nh3.Cleaner:
    attributes = _ATTRIBUTES if medium == "page" else _ATTRIBUTES | {"*": {"dir", "style"}}
    return nh3.Cleaner(
        tags=_TAGS,
        attributes=attributes,
        attribute_filter=_safe_attribute,
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        # noreferrer too: the address of a review page is a credential.
        link_rel="noopener noreferrer nofollow",
    )


def _safe_attribute(tag: str, name: str, value: str) -> str | None:
    match name:
        case "class":
            known = value == _TASK_CLASS if tag == "li" else value in CODE_CLASSES
        case "style":
            known = value in _styles()
        case "dir":
            known = value in _BEGINS
        case "href":
            known = _LINK.fullmatch(value) is not None
        case _:
            known = True
    return value if known else None


@cache
def _styles() -> frozenset[str]:
    bare = {_mail_style(tag, way) for tag in _MAIL_STYLES for way in (None, *_BEGINS)}
    return frozenset(bare | {_mail_style("li", way, _TASK_STYLE) for way in (None, *_BEGINS)} | {_CODE})


def _mail_style(tag: str, way: str | None, more: str = "") -> str:
    """Return an element's style; `way` is its direction if it differs from its parent's."""
    style = _MAIL_STYLES.get(tag, "")
    if way == "rtl":
        style = style.replace("0 0 0 14px", "0 14px 0 0").replace("-left", "-right")
        # Narrow tables would stay on the other side.
        more = "margin-left:auto" if tag == "table" else more
    parts = (style, more, f"text-align:{_BEGINS[way]}" if way in _BEGINS else "")
    return ";".join(part for part in parts if part)


_TOO_DEEP = Markup("<p><em>This text is nested too deeply to be shown formatted:</em></p>\n")


def _without_blank_heads(tokens: Sequence[Token]) -> Iterator[Token]:
    """Yield the tokens without empty table heads, which markdown requires."""
    at = 0
    while at < len(tokens):
        if tokens[at].type == "thead_open":
            end = next(number for number in range(at, len(tokens)) if tokens[number].type == "thead_close")
            if not any(token.content.strip() for token in tokens[at:end] if token.type == "inline"):
                at = end + 1
                continue
        yield tokens[at]
        at += 1


def _mark_footnotes(tokens: Sequence[Token]) -> None:
    """Raise the numbers of footnotes that have a text, which stays where it was written, on its own line."""
    inlines = [token.children for token in tokens if token.children]
    names = {found[1] for children in inlines for child in _line_starts(children) if (found := _footnote(child))}
    if not names:
        return
    for children in inlines:
        starts = set(map(id, _line_starts(children)))
        marked: list[Token] = []
        for child in children:
            if child.type != "text":
                marked.append(child)
                continue
            text, found = child.content, _footnote(child) if id(child) in starts else None
            if found:
                if marked and marked[-1].type == "softbreak":
                    marked[-1].type = "hardbreak"
                marked += [_raised(found[1]), _text(" ")]
                text = text[found.end() :]
            marked += _with_raised(text, names)
        children[:] = marked


def _line_starts(children: Sequence[Token]) -> Iterator[Token]:
    for number, child in enumerate(children):
        if number == 0 or children[number - 1].type in ("softbreak", "hardbreak"):
            yield child


def _footnote(child: Token) -> re.Match[str] | None:
    return _FOOTNOTE_TEXT.match(child.content) if child.type == "text" else None


def _with_raised(text: str, names: Set[str]) -> Iterator[Token]:
    end = 0
    for found in _FOOTNOTE.finditer(text):
        if found[1] in names:
            yield _text(text[end : found.start()])
            yield _raised(found[1])
            end = found.end()
    yield _text(text[end:])


def _raised(name: str) -> Token:
    return Token("html_inline", "", 0, content=f"<sup>{escape(name)}</sup>")


def _text(text: str) -> Token:
    return Token("text", "", 0, content=text)


def _mark_tasks(tokens: Sequence[Token], medium: Medium) -> None:
    for item, _, inline in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if item.type != "list_item_open" or not inline.children or inline.children[0].type != "text":
            continue
        first = inline.children[0]
        # Both as written and as shown, because a backslash makes it text.
        if (found := _TASK.match(first.content)) and _TASK.match(inline.content):
            first.content = _TASK_BOXES[found[1]] + first.content[found.end() :]
            item.meta["task"] = True
            if medium == "page":
                item.attrSet("class", _TASK_CLASS)


def _ways(tokens: Sequence[Token]) -> list[Way | None]:
    """Return for each token the direction of the block that it opens, by its first letter, None if unchanged."""
    first: list[Way | None] = [None] * len(tokens)
    ends: list[int] = []
    at, letters = len(tokens), None
    for number in range(len(tokens) - 1, -1, -1):
        token = tokens[number]
        if token.nesting < 0:
            ends.append(number)
        elif token.nesting > 0:
            end = ends.pop()
            first[number] = letters if at < end else None
        elif token.type == "inline" and (way := direction("".join(map(_letters, token.children or ())))):
            at, letters = number, way
    open_ways: list[Way] = ["ltr"]
    ways: list[Way | None] = []
    for token, way in zip(tokens, first, strict=True):
        turns = token.nesting > 0 and way is not None and way != open_ways[-1]
        ways.append(way if turns else None)
        if token.nesting > 0:
            open_ways.append(way or open_ways[-1])
        elif token.nesting < 0:
            open_ways.pop()
    return ways


def _letters(child: Token) -> str:
    return child.content if child.type in ("text", "code_inline", "image") else ""


def _show_code(token: Token, medium: Medium, room: int) -> None:
    """Turn a token into a block of code, highlighted on a page if there is room."""
    code = highlighted(token.content, token.info) if medium == "page" and room >= 0 else None
    shown = escape(token.content) if code is None else code
    outer, inner = (f' style="{_MAIL_STYLES["pre"]}"', f' style="{_CODE}"') if medium == "mail" else ("", "")
    token.type, token.content = "html_block", f"<pre{outer}><code{inner}>{shown}</code></pre>\n"


def _adapt(token: Token, medium: Medium, way: Way | None) -> None:
    if token.type in ("heading_open", "heading_close"):
        token.tag = f"h{min(int(token.tag[1:]) + _HEADING_SHIFT, 6)}"
    align = None
    if token.type in ("th_open", "td_open") and "style" in token.attrs:
        # The page's content security policy forbids style attributes.
        align = str(token.attrs.pop("style")).removeprefix("text-align:")
        token.attrSet("align", align)
    if way:
        token.attrSet("dir", way)
    if medium == "mail" and token.nesting >= 0 and token.tag in _MAIL_STYLES:
        more = _TASK_STYLE if "task" in token.meta else ""
        style = _mail_style(token.tag, None if align else way, more)
        if style:
            token.attrSet("style", style)
    for child in token.children or ():
        if child.type == "image":
            _image_to_link(child, medium)
        elif medium == "mail" and child.nesting >= 0 and child.tag in _MAIL_STYLES:
            child.attrSet("style", _MAIL_STYLES[child.tag])


def _image_to_link(image: Token, medium: Medium) -> None:
    label = escape(f"Image: {image.content or 'without description'}")
    source = escape(str(image.attrs.get("src", "")))
    style = f' style="{_MAIL_STYLES["a"]}"' if medium == "mail" else ""
    image.type, image.content = "html_inline", f'<a href="{source}"{style}>{label}</a>'


def _outline_lines(value: object, depth: int) -> Iterator[str]:
    margin = "  " * depth
    if isinstance(value, str):
        yield from (margin + line for line in printable(value).splitlines() or [""])
    elif not is_branch(value) or depth > _OUTLINE_DEPTH:
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
    if is_branch(member) or (isinstance(member, str) and len(printable(member).splitlines()) > 1):
        yield label
        yield from _outline_lines(member, depth + 1)
    else:
        yield f"{label} {one_line(member)}".rstrip()


def is_branch(value: object) -> TypeGuard[Mapping[object, object] | Sequence[object]]:
    """Tell whether a JSON value has members."""
    return isinstance(value, Mapping | Sequence) and not isinstance(value, str) and bool(value)
