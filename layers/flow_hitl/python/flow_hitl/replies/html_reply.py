"""HTML bodies as plain text, with `>` before whatever mail clients mark as quoted."""

import re
import sys
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from typing import NamedTuple

import nh3

from flow_hitl.replies.foreign_text import after_attribution, is_divider
from flow_hitl.replies.inbound_mail import UnreadableMail

_SPACED = frozenset(("blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "table", "ul"))
_BLOCKS = _SPACED | {
    "address",
    "article",
    "aside",
    "center",
    "dd",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figure",
    "footer",
    "form",
    "header",
    "hr",
    "li",
    "main",
    "nav",
    "section",
    "tbody",
    "tr",
}
_CELLS = frozenset(("td", "th"))
_VOID = frozenset(("br", "hr", "img", "wbr", "col", "area"))
_DROPPED = frozenset(("script", "style", "title", "head", "template", "textarea", "select", "svg", "math", "object"))
_KEPT = frozenset(
    {"a", "b", "i", "u", "s", "em", "strong", "span", "font", "code", "tt", "small", "sub", "sup", "br", "body", "html"}
    | _BLOCKS
    | _CELLS
)
_MARKS = frozenset(("class", "id", "type", "name", "cite", "itemtype", "data-smartmail", "data-marker"))

_CLOSE_THEMSELVES = _VOID | {"p", "li", "td", "th", "tr", "tbody", "thead", "dd", "dt", "meta", "link", "input", "base"}
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:]{0,20})")
MAX_DEPTH = 400
_LONGEST_STYLE = 1000
_ABOVE_A_QUOTE = 8

# People do not name elements in a reply, whatever a client's names. (Word has styles for the person's own quotations.)
_QUOTE = re.compile(
    r"(?:^|\s)(?!mso|gmail_quote)(?:[\w:/.-]*(?:quote(?!s?-?(?:end|button))|cite|citation|zitat)[\w-]*|"
    r"gmail_attr|"  # Gmail: the attribution; the quote itself is a blockquote
    r"(?:x_|ecx)*(?:"
    r"reply-intro|zmail_extra\w*|messagereplysection|bloop_original_html|"  # Roundcube, Zoho, Spark, Airmail
    r"history_container|isreplycontent|isforwardcontent|mailmasterblock\w*|"  # Mailbird, NetEase
    r"outlookmessageheader"  # Outlook 2003
    r"))(?=\s|$)"
)
# Outlook prefixes names in requoted email with `x_`; Hotmail used `ecx`.
_REST_IS_QUOTE = re.compile(
    r"(?:^|\s)(?:x_|ecx)*(?:"
    r"divrplyfwdmsg|appendonsend|stopspelling|"  # Outlook on the web, outlook.com
    r"ms-outlook-mobile-reference-message|ms-outlook-mobile-body-separator-line|"  # Outlook for iOS and Android
    r"mail-editor-reference-message-container|"  # Outlook for Mac and the new Outlook
    r"moz-forward-container|olk_src_body_section|zwchr"  # Thunderbird, Outlook 2011, Zimbra
    r")(?=\s|$)"
)
# The line that Outlook, Foxmail, and others draw above the quoted email's headers.
_HEADERS_BELOW = re.compile(r"border\s*:\s*none\s*;\s*border-top\s*:\s*solid\b", re.IGNORECASE)
_HIDDEN = re.compile(r"(?:display\s*:\s*none|mso-hide\s*:\s*all)", re.IGNORECASE)
_BAR = re.compile(r"border(?:-left)?\s*:[^;]*\b(?:solid|double|dashed|dotted)\b", re.IGNORECASE)
_SIGNATURE = re.compile(
    r"(?:^|\s)(?:x_|ecx)*(?:"
    r"gmail_signature\w*|moz-signature|signature|applemailsignature|ms-outlook-mobile-signature|ntes-\w+-signature|"
    r"ydp\w{0,12}signature|protonmail_signature_block\S*|messagesignaturesection|composer_signature|tutanota_signature"
    r")(?=\s|$)"
)

# Any quote that is marked has one of these in its HTML; where another text has, less is read at once.
_NAMES_OF_QUOTES = (
    *("quote", "cite", "zitat", "gmail_attr", "reply-intro", "zmail_extra", "messagereplysection", "bloop_original"),
    *("history_container", "isreplycontent", "isforwardcontent", "mailmasterblock", "outlookmessageheader"),
    *("divrplyfwdmsg", "appendonsend", "stopspelling", "ms-outlook-mobile", "reference-message", "moz-forward"),
    *("olk_src_body", "zwchr", "border-top"),
)
_WELL_INTO_A_QUOTE = 16 * 1024
_ENOUGH_QUOTED = 16

# Well-formed markup, as nh3 writes it: the values of attributes are in double quotes.
_TOKEN = re.compile(r'<(/?)([a-z0-9]+)((?: [a-z-]+="[^"]*")*)>|([^<]+)')
_ATTRIBUTE = re.compile(r' ([a-z-]+)="([^"]*)"')

_CLEANER = nh3.Cleaner(
    tags=set(_KEPT),
    clean_content_tags=set(_DROPPED),
    attributes={tag: {*_MARKS, "style"} for tag in _KEPT},
    strip_comments=True,
    link_rel=None,
)


class Beginning(NamedTuple):
    """The first lines of an email's HTML; `is_all` says that there are no others."""

    text: str
    is_all: bool


class HtmlText:
    """An email's HTML as lines of text, with `>` before quotes and without marked signatures.

    Each way to read it does its work once, when it is asked for.
    """

    def __init__(self, markup: str) -> None:
        """Take the HTML; raises UnreadableMail for elements nested deeper than any mail client nests them.

        HTML parsers are slow on such.
        """
        if _depth(markup) > MAX_DEPTH:
            raise UnreadableMail("the HTML is nested too deeply")
        self._markup = markup

    @cached_property
    def beginning(self) -> Beginning:
        """The lines up to well into the first quote, whose rest costs most and says least; all lines if none is seen.

        Lines are judged by those around them: there are `_ENOUGH_QUOTED` lines of the quote.
        """
        folded = self._markup.lower()
        body = max(0, folded.find("<body"))
        quotes = [at for name in _NAMES_OF_QUOTES if (at := folded.find(name, body)) >= 0]
        cut = self._markup.find("<", min(quotes) + _WELL_INTO_A_QUOTE) if quotes else -1
        writer = _Writer(_ENOUGH_QUOTED)
        if not writer.write(self._markup[:cut] if cut >= 0 else self._markup):
            return Beginning(writer.text(), is_all=False)
        return Beginning(writer.text() if cut < 0 else self.whole, is_all=True)

    @cached_property
    def whole(self) -> str:
        """All lines."""
        if "beginning" in self.__dict__ and self.beginning.is_all:
            return self.beginning.text
        writer = _Writer()
        writer.write(self._markup)
        return writer.text()


def html_to_text(markup: str) -> str:
    """Return all lines of an email's HTML; see HtmlText."""
    return HtmlText(markup).whole


def _depth(markup: str) -> int:
    """Return an upper bound of the nesting depth; elements that close themselves do not count."""
    depth = deepest = 0
    for closes, tag in _TAG.findall(markup):
        if tag.lower() in _CLOSE_THEMSELVES:
            continue
        if closes:
            depth = max(0, depth - 1)
        else:
            depth += 1
            deepest = max(deepest, depth)
    return deepest


@dataclass
class _Open:
    """An open element and the state to restore after it."""

    tag: str
    depth: int
    silent: bool
    is_attribution: bool


@dataclass
class _Line:
    depth: int
    parts: list[str] = field(default_factory=list)


class _Writer:
    """Writes lines, and stops after `enough` quoted ones."""

    def __init__(self, enough: int = sys.maxsize) -> None:
        self._enough = enough
        self._open: list[_Open] = []
        self._lines: list[str] = []
        self._line = _Line(0)
        self._depth = 0
        self._silent = False
        self._least = 0
        self._pre = 0
        self._quoted = 0

    def write(self, markup: str) -> bool:
        """Write the lines of an email's HTML, and tell whether those are all."""
        # nh3 makes it well-formed.
        for token in _TOKEN.finditer(_CLEANER.clean(markup)):
            closes, tag, attributes, text = token.groups()
            if text:
                self._say(unescape(text) if "&" in text else text)
            elif closes:
                self._end(tag)
            else:
                self._begin(tag, attributes)
            if self._quoted >= self._enough:
                return False
        return True

    def _begin(self, tag: str, attributes: str) -> None:
        if tag in _BLOCKS:
            self._end_line()
        if tag in _SPACED:
            self._blank_line()
        if tag == "br":
            self._end_line(even_if_empty=True)
        marks = style = ""
        if attributes:
            values = [(name, unescape(value)) for name, value in _ATTRIBUTE.findall(attributes) if value]
            marks = " ".join(value for name, value in values if name in _MARKS).lower()
            style = next((value for name, value in values if name == "style"), "")[:_LONGEST_STYLE]
        if (marks and _REST_IS_QUOTE.search(marks)) or (
            style and tag in ("div", "td") and _HEADERS_BELOW.search(style)
        ):
            self._least = 1
            self._depth = max(self._depth, 1)
        if tag == "hr":
            self._line.parts.append("________")
            self._end_line()
        if tag in _VOID:
            return
        self._open.append(_Open(tag, self._depth, self._silent, "gmail_attr" in marks))
        if (marks and _QUOTE.search(marks)) or (tag == "blockquote" and self._is_quote(marks, style)):
            self._depth += 1
        if (marks and _SIGNATURE.search(marks)) or (style and _HIDDEN.search(style)):
            self._silent = True
        if tag == "pre":
            self._pre += 1
        elif tag == "li":
            self._line.parts.append("- ")
        elif tag in _CELLS and self._line.parts:
            self._line.parts.append(" | ")
        if not self._line.parts or tag == "li":
            self._line.depth = self._depth

    def _end(self, tag: str) -> None:
        if tag in _VOID or not self._is_open(tag):
            return
        if tag in _BLOCKS:
            self._end_line()
        while self._open:
            element = self._open.pop()
            if element.tag == "pre":
                self._pre -= 1
            self._depth, self._silent = max(element.depth, self._least), element.silent
            if element.tag == tag:
                break
        if tag in _SPACED:
            self._blank_line()

    def _is_open(self, tag: str) -> bool:
        if self._open and self._open[-1].tag == tag:
            return True
        return any(element.tag == tag for element in reversed(self._open[-64:]))

    def _say(self, data: str) -> None:
        if self._silent:
            return
        if self._open and self._open[-1].is_attribution and is_divider([data.strip()], 0):
            # Gmail does not wrap forwarded email in a blockquote: this line ends the reply.
            self._depth = self._open[-1].depth
        if self._pre:
            first, *others = data.split("\n")
            self._write(first)
            for line in others:
                self._end_line(even_if_empty=True)
                self._write(line)
        else:
            text = re.sub(r"[ \t\r\n\f]+", " ", data)
            self._write(text.lstrip(" ") if not self._line.parts else text)

    def _is_quote(self, marks: str, style: str) -> bool:
        """Tell whether a blockquote beginning here quotes an email, rather than indenting the person's own text."""
        shown = [line for line in self._lines[-_ABOVE_A_QUOTE:] if line]
        if marks.strip() or not shown:
            return bool(marks.strip()) or bool(_BAR.search(style))
        if shown[-1].startswith(">"):
            return True
        below = [*shown, "> "]
        return any(after_attribution(below, at) == len(shown) for at in range(len(shown)))

    def text(self) -> str:
        """Return the text written so far."""
        self._end_line()
        return "\n".join(self._lines).strip("\n")

    def _write(self, text: str) -> None:
        if not text:
            return
        if not self._line.parts:
            self._line.depth = self._depth
        self._line.parts.append(text)

    def _end_line(self, even_if_empty: bool = False) -> None:
        text = "".join(self._line.parts).rstrip()
        if text and self._line.depth:
            self._quoted += 1
        if text or even_if_empty:
            self._lines.append("> " * min(self._line.depth, 9) + text if text else "")
        self._line = _Line(self._depth)

    def _blank_line(self) -> None:
        if self._lines and self._lines[-1]:
            self._lines.append("")
