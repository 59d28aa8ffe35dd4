"""The reply's own text, out of a plain-text mail body.

Every line is put into one class by how mail clients write quotes, attributions and signatures, and reading stops where
own and foreign text cannot be told apart any more. When in doubt a line is not the person's: a lost word is asked for
again, an invented one would decide.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from flow_hitl.domain import reply_phrases as phrases
from flow_hitl.domain.matching import match_outcome
from flow_hitl.domain.openings import is_classification, may_be_classification

REPLY_MARKER = "-- reply above this line --"
"""The line that our outgoing mails show at their top; nothing below it, unless quoted with `>`, is read."""

_MARKER_WORDS = "reply above this line"
# A longer line is text in any case, and no expression below is run on more than this.
_CLIP = 400
_ATTRIBUTION_LINES = 6
# Clients break quoted lines between 65 and 80 characters; what follows such a line unquoted is its tail.
_WRAPPED = 65
# Nobody's answer has more lines than this; what comes after them is not read, which bounds the time it takes.
_MOST_LINES = 500
_SIGNATURE_LINES = 8
_SIGNATURE_PARAGRAPHS = 4
_BANNER_LINES = 40
_CLASSIFICATION_LINES = 3


def extract_reply(body: str, options: Sequence[str] = ()) -> str:
    """Return what the sender of a plain-text body wrote, or "" if nothing is certainly theirs.

    Quoted text, attributions, quoted headers, signatures, banners and footers are left out, wherever the reply stands
    (above, below or between the quoted lines). The rest keeps its lines. At most 500 of the sender's lines are read.
    A line above the reply that gives the mail's class ("Sensitivity: Internal") is left out unless it is one of the
    `options` that are asked for. Runs in time linear in the body's length.
    """
    lines = _without_classification(_without_banners(_lines(body), options), options)
    own = (_without_frame(segment) for segment in _segments(lines, options))
    return "\n\n".join("\n".join(segment) for segment in own if segment)


def _lines(body: str) -> list[str]:
    # Zero-width characters hide what a line begins with; the joiner stays, because emoji are made with it.
    visible = re.sub("[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\u1427\x00]", "", body)
    lines = [line.rstrip() for line in re.split("\r\n|[\n\r\u2028\u2029\x0b\x0c\x85]", visible.replace("\xa0", " "))]
    if _MARKER_WORDS in visible.casefold():
        for number, line in enumerate(lines):
            if _MARKER_WORDS in line.casefold() and not _is_quoted(line):
                return lines[:number]
    return lines


def _segments(lines: Sequence[str], options: Sequence[str]) -> list[list[str]]:
    """Return the runs of unquoted lines, up to the point from which nothing can be told apart."""
    segments: list[list[str]] = [[]]
    at = shown = 0
    while at < len(lines) and shown < _MOST_LINES:
        line = lines[at]
        if not line:
            segments[-1].append(line)
            at += 1
        elif _is_quoted(line):
            at = _after_quote(lines, at, _is_quoted)
            segments.append([])
        elif after := _after_attribution(lines, at):
            start = _next_shown(lines, after)
            is_quoted = _is_bar_quoted if start < len(lines) and lines[start].startswith("|") else _is_quoted
            if start == len(lines) or not is_quoted(lines[start]):
                break
            at = _after_quote(lines, start, is_quoted)
            segments.append([])
        elif _ends_the_reply(lines, at) and (shown or match_outcome(line, options) is None):
            break
        else:
            segments[-1].append(line)
            at += 1
            shown += 1
    return segments


# Quotes ----------------------------------------------------------------------------------------------------------


def _is_quoted(line: str) -> bool:
    return line.lstrip(" \t").startswith(">")


def _is_bar_quoted(line: str) -> bool:
    return line.startswith("|")


def _after_quote(lines: Sequence[str], at: int, is_quoted: Callable[[str], bool]) -> int:
    while at < len(lines) and lines[at] and (is_quoted(lines[at]) or len(lines[at - 1]) >= _WRAPPED):
        at += 1
        while at < len(lines) and lines[at] and not is_quoted(lines[at]) and not is_quoted(lines[at - 1]):
            at += 1
    return at


def _next_shown(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at]:
        at += 1
    return at


# Attributions: "On Monday Jane wrote:" ---------------------------------------------------------------------------

_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,255}")
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d(?!\d)|\d{1,2}[:.h]\d\d(?!\d)|\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}|\d{1,2}\s?[月월])"
)
_ISO_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)")
_ZONE = re.compile(r"(?:gmt|utc)[+-]\d")
_OPENS = re.compile(rf"\W*(?:{phrases.ATTRIBUTION_OPENS}|{phrases.WEEKDAYS}|\d)")
_OPENS_IN_WORDS = re.compile(rf"\W*(?:{phrases.ATTRIBUTION_OPENS}|{phrases.WEEKDAYS})[\W\d]")
_PUNCTUATION = " :,.;-_\"'*"
_WROTE = re.compile(phrases.WROTE)
_WROTE_LAST = re.compile(rf"{phrases.WROTE}\W*$")


def _after_attribution(lines: Sequence[str], at: int) -> int:
    """Return the number of the line after the attribution that begins here, 0 if none does."""
    for text, after in _spans(lines, at):
        if _is_attribution(text) or (_is_bare_attribution(text) and _quote_follows(lines, after)):
            whole = after - at == 1 or _opens_attribution(lines[at]) or not _attribution_begins_below(lines, at, after)
            return after if whole else 0
    return 0


def _spans(lines: Sequence[str], at: int) -> Iterator[tuple[str, int]]:
    """Yield the texts that an attribution beginning here may have, each with the number of the line after it."""
    parts: list[str] = []
    number = at
    while number < len(lines) and len(parts) < _ATTRIBUTION_LINES:
        line = lines[number]
        if not line:
            # Only a client that breaks an address apart leaves blank lines inside.
            number = _next_shown(lines, number)
            if number == len(lines) or not lines[number].startswith("<"):
                return
            continue
        joined = " ".join(parts)
        if len(line) >= _CLIP or (_is_quoted(line) and joined.count("<") <= joined.count(">")):
            return
        parts.append(line)
        number += 1
        text = _folded(" ".join(parts))
        if len(parts) == 2 and not _OPENS.match(_folded(parts[0])):
            return
        # Whatever comes later, a beginning without any of these is no attribution's.
        if len(parts) == 1 and not any(character.isdigit() or character in "@<:" for character in text):
            return
        yield text, number


def _is_attribution(text: str) -> bool:
    bare = text.strip(" -_=*")
    ends_with_colon = bare.endswith((":", ':"'))
    if _ISO_DATE.match(bare) and (_ZONE.search(bare) or (bare.endswith(">") and "@" in bare)):
        return True
    says_wrote = _ends_with_wrote(bare)
    if not ends_with_colon and not says_wrote:
        return False
    dated, addressed = bool(_DATE.search(bare)), bool(_ADDRESS.search(bare))
    if says_wrote:
        return addressed or dated
    if not dated:
        return False
    inside = any(word in bare for word in phrases.WROTE_WORDS) and bool(_WROTE.search(bare))
    if addressed:
        return inside or bare.endswith(">:") or bool(_OPENS.match(bare))
    return inside and (bare[-2].isdigit() or bool(_OPENS.match(bare)))


def _ends_with_wrote(text: str) -> bool:
    # The plain comparison is much faster than the expression, which knows where words begin.
    return text.rstrip(_PUNCTUATION).endswith(phrases.WROTE_WORDS) and bool(_WROTE_LAST.search(text[-40:]))


def _is_bare_attribution(text: str) -> bool:
    return len(text) <= 120 and text.endswith(":") and (_ends_with_wrote(text) or bool(_ADDRESS.search(text)))


def _opens_attribution(line: str) -> bool:
    text = _folded(line)
    return bool(_OPENS_IN_WORDS.match(text)) and any(map(str.isdigit, text)) and not text.endswith((".", "!", "?"))


def _attribution_begins_below(lines: Sequence[str], at: int, after: int) -> bool:
    return any(
        end == after and _is_attribution(text)
        for start in range(at + 1, after)
        if lines[start]
        for text, end in _spans(lines, start)
    )


def _quote_follows(lines: Sequence[str], at: int) -> bool:
    at = _next_shown(lines, at)
    return at < len(lines) and _is_quoted(lines[at])


# What ends a reply -----------------------------------------------------------------------------------------------

_SIGNATURE_DELIMITER = re.compile(r" {0,3}(?:--|—|––|__)$")
_PGP = re.compile(r"-----BEGIN PGP (?:MESSAGE|SIGNATURE|PUBLIC KEY BLOCK)-----")
_ORIGINAL = re.compile(rf"\W{{2,}}{phrases.ORIGINAL}|\W*{phrases.FORWARD_BEGINS}\W*$")
_HEADER = re.compile(
    r"[\s*>|]*(?:" + "|".join(rf"(?P<{kind}>{words})" for kind, words in phrases.HEADERS.items()) + r")[\s*]*:"
)
_SENT_FIRST = re.compile(rf"\W*{phrases.SENT}")
_SENT_LAST = re.compile(rf"{phrases.SENT}\W*$")
_SENT_FROM = re.compile(rf"\W*{phrases.SENT}\s+{phrases.FROM}[^,.;:!?]*[.!]?$")
_PRODUCT = re.compile(phrases.PRODUCTS, re.ASCII)
_DEVICE = re.compile(phrases.DEVICES, re.ASCII)
_LINK = re.compile(r"<[^<>]*>|\]\([^()]*\)")


def _ends_the_reply(lines: Sequence[str], at: int) -> bool:
    line = lines[at]
    text = _folded(line[:_CLIP])
    return bool(
        _SIGNATURE_DELIMITER.match(line)
        or _PGP.match(line)
        or _ORIGINAL.match(text.replace("_", "-"))
        or phrases.FOOTER.match(text)
        or _is_mobile_signature(line, text)
        or _begins_header_block(lines, at)
    )


def _is_mobile_signature(line: str, text: str) -> bool:
    if len(line) >= _CLIP:
        return False
    text = _LINK.sub(" ", text).strip()
    length = len(text.split())
    if length > 14:
        return False
    if "outlook" in text and ("ios" in text or "android" in text) and length <= 9:
        return True
    first, last = _SENT_FIRST.match(text), _SENT_LAST.search(text)
    if not first and not last:
        return False
    if _PRODUCT.search(text):
        return bool(first) or "," not in text
    if _DEVICE.search(text):
        return "," not in text
    return length <= 8 and bool(_SENT_FROM.match(text))


def _begins_header_block(lines: Sequence[str], at: int) -> bool:
    kind = _header_kind(lines[at])
    if kind is None:
        return False
    kinds, strangers, number, addressed = {kind}, 0, at + 1, "@" in lines[at]
    while number < len(lines) and strangers <= 2 and number <= at + 12:
        if lines[number]:
            kind = _header_kind(lines[number])
            if kind is None:
                strangers += 1
            else:
                kinds.add(kind)
                addressed = addressed or "@" in lines[number]
        number += 1
    return (
        len(kinds) >= 3
        or ("from" in kinds and not kinds.isdisjoint(("date", "subject")))
        or (addressed and {"from", "to"} <= kinds)
    )


def _header_kind(line: str) -> str | None:
    if ":" not in line[:40] and "：" not in line[:40]:
        return None
    match = _HEADER.match(_folded(line[:80]))
    return match.lastgroup if match else None


# What frames a reply: banners above it, a signature below it ------------------------------------------------------

_RULE = re.compile(r"[-_=~*#+.·•—–‐\s]{2,}$")
_BANNER = re.compile(rf"\W*{phrases.BANNER_OPENS}")
_BANNER_SAYS = re.compile(phrases.BANNER_SAYS)
_BANNER_ABOUT = re.compile(phrases.BANNER_ABOUT)
_BANNER_LABEL = re.compile(rf"\W*(?:{phrases.BANNER_LABELS})\W*$")
_CLEARSIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----|Hash: [\w, -]{1,60}$")
_DASHED_NAME = re.compile(r"[-–—~/]{1,2}(?=[^\W\d])(?P<name>.{2,40})$")
_EDGES = re.compile(r"^\W+|\W+$")
_CAPITALISED = re.compile(r"[^\W\d_a-zß-öø-ÿа-яё][^\d\s!?:;,]*,?$")
_CONTACT = re.compile(
    r"(?:\+|\(?0)[\d\s()./-]{7,}\d|\b(?:tel|phone|mobile|mobil|cell|fax|direct|telefon|tél)\b[^\n]{0,8}\d|"
    r"https?://|\bwww\.|[^\s<>@]{1,64}@[^\s<>@]{1,255}",
    re.I,
)


def _without_frame(segment: Sequence[str]) -> list[str]:
    lines = _trimmed(segment)
    return _trimmed(lines[: _signature_start(lines)])


def _without_classification(lines: Sequence[str], options: Sequence[str]) -> Sequence[str]:
    """Return the lines without those at their top that give the mail's class."""
    start = 0
    for _ in range(_CLASSIFICATION_LINES):
        at = _next_said(lines, start)
        if at == len(lines) or match_outcome(lines[at], options) is not None:
            break
        below = _next_said(lines, at + 1)
        alone = lines[at].isupper() if below == len(lines) else below > at + 1
        if not is_classification(lines[at]) and not (alone and may_be_classification(lines[at])):
            break
        start = below
    return lines[start:]


def _next_said(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and _is_blank_or_rule(lines[at]):
        at += 1
    return at


def _trimmed(lines: Sequence[str]) -> list[str]:
    start, end = 0, len(lines)
    while start < end and _is_blank_or_rule(lines[start]):
        start += 1
    while end > start and _is_blank_or_rule(lines[end - 1]):
        end -= 1
    return list(lines[start:end])


def _is_blank_or_rule(line: str) -> bool:
    return not line or bool(_RULE.match(line))


def _without_banners(lines: Sequence[str], options: Sequence[str]) -> list[str]:
    kept: list[str] = []
    in_banner = False
    for number, line in enumerate(lines):
        if number == _BANNER_LINES:
            return kept + list(lines[number:])
        text = _folded(line[:_CLIP])
        if (
            phrases.LEARN_SENDER.search(text)
            or _CLEARSIGNED.match(line)
            or _BANNER_LABEL.match(text)
            or (_BANNER.match(text) and _BANNER_SAYS.search(text) and _BANNER_ABOUT.search(text))
        ) and (in_banner or match_outcome(line, options) is None):
            in_banner = True
        elif in_banner and line and phrases.BANNER_GOES_ON.search(text):
            pass
        else:
            in_banner = False
            kept.append(line)
    return kept


def _signature_start(lines: Sequence[str]) -> int:
    for number in range(len(lines)):
        if _is_closing(lines, number):
            return number
    end = len(lines)
    if end and _is_dashed_name(lines):
        end -= 1
    for _ in range(_SIGNATURE_PARAGRAPHS):
        end = _contact_start(lines, end)
    return end


def _is_closing(lines: Sequence[str], number: int) -> bool:
    line = lines[number]
    if not line or len(line) > 60:
        return False
    words = _EDGES.sub("", _folded(line)).replace(",", " ").split()
    said = " ".join(words)
    if said in phrases.CLOSINGS:
        return True
    # "Best regards Jane", "Regards, Jane": a closing of one word needs the comma, or it may begin a sentence.
    for length in range(max(1, len(words) - 3), len(words)):
        if " ".join(words[:length]) in phrases.CLOSINGS and (length > 1 or "," in line):
            return True
    if said not in phrases.SHORT_CLOSINGS and (number or said not in phrases.THANKS):
        return False
    below = list(islice(filter(None, islice(lines, number + 1, None)), _SIGNATURE_LINES + 1))
    if len(below) > _SIGNATURE_LINES:
        return False
    named = bool(below) and _is_name(below[0])
    if said in phrases.SHORT_CLOSINGS:
        return named or (line.endswith(",") and number > 0)
    return named and line.endswith(",")


def _is_name(line: str) -> bool:
    words = line.split()
    return 1 <= len(words) <= 4 and len(line) <= 40 and all(_CAPITALISED.match(word) for word in words)


def _is_dashed_name(lines: Sequence[str]) -> bool:
    match = _DASHED_NAME.match(lines[-1])
    if not match or not _is_name(match["name"]):
        return False
    # Alone, "-rejected" is more likely an answer in a list's clothes than somebody's name.
    return len(match["name"].split()) > 1 or (len(lines) > 1 and not lines[-2])


def _contact_start(lines: Sequence[str], end: int) -> int:
    """Return where the last paragraph before `end` begins if it is a name with contact data below, else `end`."""
    while end and not lines[end - 1]:
        end -= 1
    start = end
    while start and lines[start - 1]:
        start -= 1
    block = lines[start:end]
    if not 2 <= len(block) <= _SIGNATURE_LINES or any(len(line) > 90 for line in block):
        return end
    named = _is_name(block[0].split("|")[0].strip(" *,")) and " " in block[0].strip()
    return start if named and any(_CONTACT.search(line) for line in block[1:]) else end


def _folded(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold() if not text.isascii() else text.lower()
    return " ".join(folded.split())
