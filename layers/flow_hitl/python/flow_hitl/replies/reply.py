"""Extract the reply's own text from a plain-text body.

Anything not certainly the person's is left out: quotes, what precedes a quote (`foreign_text.py`), and what frames a
reply, such as banners and signatures (`reply_frame.py`). Reading stops where own and foreign text cannot be told apart.
When in doubt, leave a line out: a missing word is asked for again, but a foreign one would decide.
"""

import re
from collections.abc import Callable, Collection, Sequence

from flow_hitl.replies.foreign_text import (
    CLIP,
    after_attribution,
    begins_header_block,
    folded,
    is_divider,
    is_field,
    is_quoted,
    next_shown,
)
from flow_hitl.replies.marker import PREVIEW_SIGN
from flow_hitl.replies.reply_frame import begins_signature, without_banners, without_signature
from flow_hitl.requests.deciding.matching import match_outcome

_MARKER_WORDS = "reply above this line"
# Only our emails say this; clients may drop the marker or put it below other text.
_OUR_WORDS = re.compile(
    r"is waiting for your answer: |^\W*+your answer\W*+$|reply to this e?mail with one of these as the first line"
    r"|or answer on the review page:|what follows is kept as a comment"
)
# Clients wrap quoted lines at 65 to 80 characters and may leave the rest unquoted.
_WRAPPED = 65
# Longer than any answer; the limit bounds the time.
_MOST_LINES = 500
_HEADERS_ABOVE = 12


def extract_reply(body: str, options: Collection[str] = (), ours: Sequence[str] = ()) -> str:
    """Return what the sender of a plain-text body wrote, or "" if nothing is certainly theirs.

    Leaves out quotes, attributions, quoted headers, signatures, banners, and footers, whether the reply is above,
    below, or between the quoted lines. At most 500 lines of the sender's are read. A first line that equals one of the
    `options` is always kept. `ours` are the known addresses and names of the quoted email's sender. Takes linear time.
    """
    lines = without_banners(_lines(body), options)
    segments = _segments(lines, options, [folded(name) for name in ours if name])
    own = (without_signature(segment, options) for segment in segments)
    return "\n\n".join("\n".join(segment) for segment in own if segment) or _option_like_a_quote(lines, options)


def _option_like_a_quote(lines: Sequence[str], options: Collection[str]) -> str:
    """Return the option an email consists of, if the option itself begins with `>`.

    Our emails begin differently and clients write a line above a quote, so this is not a quote.
    """
    at = next_shown(lines, 0)
    if at == len(lines) or (at + 1 < len(lines) and lines[at + 1]):
        return ""
    said = " ".join(lines[at].split())
    return said if is_quoted(said) and said in (" ".join(option.split()) for option in options) else ""


def is_cut(body: str, reply: str) -> bool:
    """Tell whether a body goes on after the most lines that `extract_reply` reads."""
    if not may_be_cut(reply):
        return False
    return _said(reply) < sum(1 for line in _lines(body) if line and not line.lstrip().startswith(">"))


def may_be_cut(reply: str) -> bool:
    """Tell whether a reply has the most lines that `extract_reply` reads."""
    return _said(reply) >= _MOST_LINES


def _said(reply: str) -> int:
    return sum(1 for line in reply.splitlines() if line.strip())


def _lines(body: str) -> list[str]:
    # Our email begins here, whichever of the two is found first.
    body = body.replace(PREVIEW_SIGN, f" {_MARKER_WORDS} ")
    # Zero-width characters hide how a line begins; the joiner stays because emoji need it.
    visible = re.sub("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u1427\x00]", "", body)
    lines = [line.rstrip() for line in re.split("\r\n|[\n\r\u2028\u2029\x0b\x0c\x85]", visible.replace("\xa0", " "))]
    if _MARKER_WORDS in visible.casefold():
        for number, line in enumerate(lines):
            if _MARKER_WORDS in line.casefold() and not is_quoted(line):
                # What precedes the marker precedes a quote.
                return [*lines[:number], ">"]
    return lines


def _segments(lines: Sequence[str], options: Collection[str], ours: Sequence[str]) -> list[list[str]]:
    """Return the runs of unquoted lines, up to where nothing can be told apart."""
    segments: list[list[str]] = [[]]
    at = shown = 0
    while at < len(lines) and shown < _MOST_LINES:
        line = lines[at]
        if not line:
            segments[-1].append(line)
            at += 1
        elif is_quoted(line):
            at = _after_quote(lines, at, is_quoted)
            if _belongs_to_what_is_quoted(lines, at):
                break
            segments.append([])
        elif after := after_attribution(lines, at, ours):
            start = next_shown(lines, after)
            marked = _is_bar_quoted if start < len(lines) and lines[start].startswith("|") else is_quoted
            if start == len(lines) or not marked(lines[start]):
                break
            at = _after_quote(lines, start, marked)
            if _belongs_to_what_is_quoted(lines, at):
                break
            segments.append([])
        elif (shown or match_outcome(line, options) is None) and _ends_the_reply(lines, at, at_top=not shown):
            start = next_shown(lines, at + 1)
            if not is_divider(lines, at) or start == len(lines) or not is_quoted(lines[start]):
                break
            at = start
        else:
            segments[-1].append(line)
            at += 1
            shown += 1
    return segments


def _ends_the_reply(lines: Sequence[str], at: int, *, at_top: bool) -> bool:
    line = lines[at]
    return (
        begins_signature(line)
        or is_divider(lines, at)
        or begins_header_block(lines, at, at_top=at_top)
        or bool(_OUR_WORDS.search(folded(line[:CLIP])))
    )


def _belongs_to_what_is_quoted(lines: Sequence[str], at: int) -> bool:
    """Tell whether the last quoted lines introduce the unquoted line after them.

    Some clients quote only an email's headers, and not the email itself.
    """
    start = next_shown(lines, at)
    if start == len(lines) or is_quoted(lines[start]):
        return False
    quoted = (line.lstrip("> ") for line in lines[max(0, at - _HEADERS_ABOVE) : at] if is_quoted(line))
    above = [line for line in quoted if line]
    last = len(above) - 1
    if not above or not (is_divider(above, last) or ":" in above[last] or "：" in above[last] or "@" in above[last]):
        return False
    return is_divider(above, last) or any(
        after_attribution([*above, ">"], number) == last + 1
        or (is_field(above[last]) and begins_header_block(above, number, at_top=True))
        for number in range(last + 1)
    )


def _is_bar_quoted(line: str) -> bool:
    return line.startswith("|")


def _after_quote(lines: Sequence[str], at: int, marked: Callable[[str], bool]) -> int:
    while at < len(lines) and lines[at] and (marked(lines[at]) or len(lines[at - 1]) >= _WRAPPED):
        at += 1
        while at < len(lines) and lines[at] and not marked(lines[at]) and not marked(lines[at - 1]):
            at += 1
    return at
