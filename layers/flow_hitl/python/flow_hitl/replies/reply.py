"""The reply's own text, out of a plain-text mail body.

What is not certainly the person's is left out: quotes, what stands above a quote (`foreign_text.py`), and what frames a
reply, such as banners and signatures (`reply_frame.py`). Reading stops where own and foreign text cannot be told apart
any more. When in doubt a line is not the person's: a lost word is asked for again, an invented one would decide.
"""

import re
from collections.abc import Callable, Sequence

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
from flow_hitl.replies.reply_frame import begins_signature, without_banners, without_signature
from flow_hitl.requests.deciding.matching import match_outcome

REPLY_MARKER = "-- reply above this line --"
"""The line that our outgoing mails show at their top; nothing below it, unless quoted with `>`, is read."""

PREVIEW_SIGN = "\u200b\u200c\u200b\u200c"
"""What nobody sees at the very beginning of our mails, above the marker, where the inbox's preview is taken from."""

_MARKER_WORDS = "reply above this line"
# What only our mails say; a client may have lost the marker, or put other words above it.
_OUR_WORDS = re.compile(
    r"is waiting for your answer: |^\W*+your answer\W*+$|reply to this e?mail with one of these as the first line"
    r"|or answer on the review page:|what follows is kept as a comment"
)
# Clients break quoted lines between 65 and 80 characters; what follows such a line unquoted is its tail.
_WRAPPED = 65
# Nobody's answer has more lines than this; what comes after them is not read, which bounds the time it takes.
_MOST_LINES = 500
_HEADERS_ABOVE = 12


def extract_reply(body: str, options: Sequence[str] = (), ours: Sequence[str] = ()) -> str:
    """Return what the sender of a plain-text body wrote, or "" if nothing is certainly theirs.

    Quoted text, attributions, quoted headers, signatures, banners and footers are left out, wherever the reply stands
    (above, below or between the quoted lines). The rest keeps its lines. At most 500 of the sender's lines are read.
    A first line that equals one of the `options` that are asked for is never taken for a banner, a class of mails or a
    signature. `ours` are the addresses and names from which the quoted mail came, as far as they are known. Runs in
    time linear in the body's length.
    """
    lines = without_banners(_lines(body), options)
    segments = _segments(lines, options, [folded(name) for name in ours if name])
    own = (without_signature(segment, options) for segment in segments)
    return "\n\n".join("\n".join(segment) for segment in own if segment) or _option_like_a_quote(lines, options)


def _option_like_a_quote(lines: Sequence[str], options: Sequence[str]) -> str:
    """Return the option at the very top of a mail that says nothing else, where the option itself begins with `>`.

    Our mails begin with other words and clients write a line above a quote, so it is no quote that begins like this.
    """
    at = next_shown(lines, 0)
    if at == len(lines) or (at + 1 < len(lines) and lines[at + 1]):
        return ""
    said = " ".join(lines[at].split())
    return said if is_quoted(said) and said in (" ".join(option.split()) for option in options) else ""


def is_cut(body: str, reply: str) -> bool:
    """Tell whether a body goes on after the most lines of its reply that `extract_reply` reads."""
    said = sum(1 for line in reply.splitlines() if line.strip())
    return said >= _MOST_LINES and said < sum(1 for line in _lines(body) if line and not line.lstrip().startswith(">"))


def _lines(body: str) -> list[str]:
    # Where our mail begins, whatever of it is read first.
    body = body.replace(PREVIEW_SIGN, f" {_MARKER_WORDS} ")
    # Zero-width characters hide what a line begins with; the joiner stays, because emoji are made with it.
    visible = re.sub("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u1427\x00]", "", body)
    lines = [line.rstrip() for line in re.split("\r\n|[\n\r\u2028\u2029\x0b\x0c\x85]", visible.replace("\xa0", " "))]
    if _MARKER_WORDS in visible.casefold():
        for number, line in enumerate(lines):
            if _MARKER_WORDS in line.casefold() and not is_quoted(line):
                # What stands on the marker stands on a quote.
                return [*lines[:number], ">"]
    return lines


def _segments(lines: Sequence[str], options: Sequence[str], ours: Sequence[str]) -> list[list[str]]:
    """Return the runs of unquoted lines, up to the point from which nothing can be told apart."""
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
    """Tell whether the unquoted line after a quote is what the quote's last lines introduce.

    Some clients mark only the headers as quoted, and not the mail to which they belong.
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
