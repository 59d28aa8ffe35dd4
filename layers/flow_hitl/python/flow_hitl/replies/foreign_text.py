"""Where someone else's text begins in an email: attributions, dividers, and header blocks, known by structure.

The words above a quote vary endlessly by client and language, so structure decides: an attribution has a date or an
address and ends in a colon or precedes a quote; a divider has rules on both sides of words; a header block is a run of
labels with an address and a date. With known words (`reply_phrases.py`), less structure is enough.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from flow_hitl.replies import reply_phrases as phrases

# Longer lines are always text, and no pattern below runs on more than this.
CLIP = 400
_ATTRIBUTION_LINES = 6

_ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,255}")
_NAMED_ADDRESS = re.compile(r"[<\[(](?:mailto:)?[^\s<>@\[\]()]{1,64}@[^\s<>@]{1,255}[>\])]")
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20|13|14|25)\d\d(?!\d)|\d{1,2}[:.h]\d\d(?!\d)|\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4}|\d{1,2}\s?[月월])"
)
# "10.12" is a time unless a year follows.
_TIME = re.compile(r"(?<![\d.])\d{1,2}(?:[:h]\d\d(?!\d)|\.\d\d(?![\d.]))")
_DAY = re.compile(r"(?<!\d)(?:(?:19|20|13|14|25)\d\d(?!\d)|\d{1,2}[/.\-]\d{1,2}[/.\-]\d{2,4})")
_NUMBER = re.compile(r"\d+")
_BEGINS_WITH = re.compile(r"[\d@<:]")
_ISO_DATE = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}(?!\d)")
_ZONE = re.compile(r"(?:gmt|utc)[+-]\d")
_OPENS = re.compile(rf"\W*+(?:{phrases.ATTRIBUTION_OPENS}|{phrases.WEEKDAYS}|\d)")
_OPENS_IN_WORDS = re.compile(rf"\W*+(?:{phrases.ATTRIBUTION_OPENS}|{phrases.WEEKDAYS})[\W\d]")
_PUNCTUATION = " :,.;-_\"'*"
_WROTE = re.compile(phrases.WROTE)
_WROTE_LAST = re.compile(rf"{phrases.WROTE}\W*+$")
_SENTENCE_ENDS = (".", "!", "?", "…", "。", "！", "？")
# Only long lines of an attribution wrap; a short line above it is the person's.
_WRAPPED_ATTRIBUTION, _LONGEST_WRAPPED = 38, 120


def is_quoted(line: str) -> bool:
    """Tell whether a line is quoted with `>`."""
    return line.lstrip(" \t").startswith(">")


def next_shown(lines: Sequence[str], at: int) -> int:
    """Return the index of the first nonempty line from `at` on, or the number of lines."""
    while at < len(lines) and not lines[at]:
        at += 1
    return at


def folded(text: str) -> str:
    """Normalize text for comparison: NFKC, case-folded, single spaces."""
    if text.isascii():
        return " ".join(text.lower().split())
    # Case folding leaves the dot of the Turkish capital I as a combining mark.
    return " ".join(unicodedata.normalize("NFKC", text).casefold().replace("i\u0307", "i").split())


# Attributions: "On Monday Jane wrote:" ---------------------------------------------------------------------------


def after_attribution(lines: Sequence[str], at: int, ours: Sequence[str] = ()) -> int:
    """Return the index after the attribution that begins here, 0 if none does.

    `ours` are our own addresses and names, normalized: a line that names us, ends in a colon, and precedes a quote
    needs no date.
    """
    for text, after in _spans(lines, at):
        if _is_attribution(text) or (_is_bare_attribution(text, ours) and _quote_follows(lines, after)):
            whole = after - at == 1 or _opens_attribution(lines, at) or not _attribution_begins_below(lines, at, after)
            return after if whole else 0
    return 0


def _spans(lines: Sequence[str], at: int) -> Iterator[tuple[str, int]]:
    """Yield each text an attribution beginning here may have, with the index after it."""
    parts: list[str] = []
    number = at
    while number < len(lines) and len(parts) < _ATTRIBUTION_LINES:
        line = lines[number]
        if not line:
            # Only clients that break an address apart leave blank lines inside.
            number = next_shown(lines, number)
            if number == len(lines) or not lines[number].startswith("<"):
                return
            continue
        joined = " ".join(parts)
        if len(line) >= CLIP or (is_quoted(line) and joined.count("<") <= joined.count(">")):
            return
        parts.append(line)
        number += 1
        text = folded(" ".join(parts))
        if len(parts) > 1 and len(text) > 2 * CLIP:
            return
        # No attribution begins without one of these.
        if len(parts) == 1 and not _may_begin_attribution(lines, number, text):
            return
        if len(parts) == 2 and not (
            _OPENS.match(folded(parts[0])) or _is_wrapped(parts[0]) or _ADDRESS.search(parts[0])
        ):
            return
        yield text, number


def _may_begin_attribution(lines: Sequence[str], below: int, text: str) -> bool:
    if _BEGINS_WITH.search(text):
        return True
    return below < len(lines) and lines[below].startswith(("<", "(<"))


def _is_wrapped(line: str) -> bool:
    return _WRAPPED_ATTRIBUTION <= len(line) <= _LONGEST_WRAPPED or line.rstrip().endswith((",", "<", '"'))


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
        return bare.endswith(">:") and len(bare) <= 120 and bool(_NAMED_ADDRESS.search(bare))
    # A date with a time or an address says who wrote when, in any language.
    if addressed or (_TIME.search(bare) and len(_NUMBER.findall(bare)) >= 4):
        return True
    inside = any(word in bare for word in phrases.WROTE_WORDS) and bool(_WROTE.search(bare))
    return inside and (bare[-2].isdigit() or bool(_OPENS.match(bare)))


def _ends_with_wrote(text: str) -> bool:
    # The plain comparison is much faster; the pattern checks word boundaries.
    return text.rstrip(_PUNCTUATION).endswith(phrases.WROTE_WORDS) and bool(_WROTE_LAST.search(text[-40:]))


def _is_bare_attribution(text: str, ours: Sequence[str]) -> bool:
    """Tell whether a text is an attribution if a quote follows."""
    if text.endswith(":"):
        return len(text) <= 200 and (
            _ends_with_wrote(text)
            or bool(_ADDRESS.search(text))
            or bool(_DATE.search(text))
            or any(name in text for name in ours)
        )
    if len(text) > 300 or text.count("<") != text.count(">") or not _TIME.search(text):
        return False
    if _ADDRESS.search(text) and _DATE.search(text):
        return True
    return len(text.split()) <= 10 and bool(_DAY.search(text)) and not text.endswith(_SENTENCE_ENDS)


def _opens_attribution(lines: Sequence[str], at: int) -> bool:
    text = folded(lines[at])
    if text.endswith(_SENTENCE_ENDS) or not text:
        return False
    dated = any(map(str.isdigit, text))
    if _OPENS_IN_WORDS.match(text) and dated:
        return True
    if not _is_wrapped(lines[at]):
        return lines[at + 1].startswith(("<", "(<"))
    return bool(_TIME.search(text) or _ADDRESS.search(text)) or lines[at + 1].startswith(("<", "(<"))


def _attribution_begins_below(lines: Sequence[str], at: int, after: int) -> bool:
    return any(
        end == after and _is_attribution(text)
        for start in range(at + 1, after)
        if lines[start]
        for text, end in _spans(lines, start)
    )


def _quote_follows(lines: Sequence[str], at: int) -> bool:
    at = next_shown(lines, at)
    return at < len(lines) and is_quoted(lines[at])


# Dividers: "-------- Original Message --------" -----------------------------------------------------------------

_RULE_CHARACTERS = r"\-_=*~+–—‐‑‒―─━═·•#"
_DIVIDER = re.compile(
    rf"\s*(?P<left>[{_RULE_CHARACTERS}]{{3,80}})(?P<gap>\s*)(?P<words>[^\W_].{{0,100}}?)(?P<end>\s*)"
    rf"(?P<right>[{_RULE_CHARACTERS}]{{3,80}})\s*$"
)
_DATE_BETWEEN_RULES = re.compile(r"-{3}[^-]{0,40}\d[:.]\d\d[^-]{0,20}-{3}")
_ORIGINAL_ALONE = re.compile(
    rf"(?:{phrases.ORIGINAL}|(?:re|aw|fw|fwd|wg|tr|rv|sv|vs|vl|enc|odp|pd|ynt|ilt)\s?:.*)\W*+$"
)
_ORIGINAL = re.compile(rf"\W{{2,}}+{phrases.ORIGINAL}|\W*+{phrases.FORWARD_BEGINS}\W*+$")


def is_divider(lines: Sequence[str], at: int) -> bool:
    """Tell whether a line divides the email from a quoted one: words between rules, or well-known words."""
    line = lines[at]
    text = folded(line[:CLIP])
    if _ORIGINAL.match(text.replace("_", "-")) or (len(text) <= CLIP and _DATE_BETWEEN_RULES.search(text)):
        return True
    if _ORIGINAL_ALONE.match(text):
        below = next_shown(lines, at + 1)
        return below < len(lines) and _known_headers(lines, below)
    match = _DIVIDER.match(line[:CLIP]) if len(line) < CLIP else None
    if match is None or len(match["words"].split()) > 10:
        return False
    # `***text***` and `### text ###` are people's bold text and headings.
    if not line.strip().startswith(("-", "–", "—", "―", "─", "━", "‐", "‑", "‒")):
        return bool(match["gap"] and match["end"]) and min(len(match["left"]), len(match["right"])) >= 4
    return True


# Header blocks: "From: …", "Sent: …" -----------------------------------------------------------------------------

_HEADER = re.compile(
    r"[\s*>|]*(?:" + "|".join(rf"(?P<{kind}>{words})" for kind, words in phrases.HEADERS.items()) + r")[\s*]*:"
)
_LABEL = re.compile(r"[^\W\d_][^\d:;,!?\"<>@|()\[\]{}]{0,28}")
_HEADER_LINES = 14
# A line is checked again for every line above where a block might begin.
_LINES_AT_ONCE = 64


def begins_header_block(lines: Sequence[str], at: int, *, at_top: bool) -> bool:
    """Tell whether quoted headers begin here; `at_top` says that nothing of the person's precedes them."""
    line = lines[at]
    if "@" not in line and ":" not in line[:40] and "：" not in line[:40] and "|" not in line:
        return _sender_and_date(lines, at)
    return (
        _known_headers(lines, at)
        or _unknown_headers(lines, at, at_top)
        or _headers_in_one_line(line)
        or _sender_and_date(lines, at)
    )


def _known_headers(lines: Sequence[str], at: int) -> bool:
    kind = _header_kind(lines[at])
    if kind is None:
        return False
    kinds, strangers, number, addressed = {kind}, 0, at + 1, "@" in lines[at]
    while number < len(lines) and strangers <= 2 and number <= at + 12:
        if lines[number] and not any(character.isalnum() for character in lines[number]):
            break
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
    return _kind(line[:80]) if ":" in line[:40] or "：" in line[:40] else None


@lru_cache(maxsize=_LINES_AT_ONCE)
def _kind(line: str) -> str | None:
    match = _HEADER.match(folded(line))
    return match.lastgroup if match else None


def _unknown_headers(lines: Sequence[str], at: int, at_top: bool) -> bool:
    """Tell whether fields begin here that can only be email headers, whatever their labels."""
    is_row = _is_row(lines[at].lstrip())
    set_apart = at_top or not lines[at - 1] or not any(character.isalnum() for character in lines[at - 1])
    if not is_row and not set_apart:
        return False
    fields = _fields(lines, at)
    if len(fields) < 2:
        return False
    values = [folded(value) for _, value in fields]
    timed = any(_TIME.search(value) and _DATE.search(value) for value in values)
    dated = any(_DATE.search(value) and len(_NUMBER.findall(value)) >= 2 for value in values)
    named = any(_NAMED_ADDRESS.search(value) for value in values)
    addressed = named or any(_ADDRESS.search(value) for value in values)
    if is_row:
        return addressed and (dated or len(fields) >= 3)
    # Fields in a person's answer are identifiers; clients capitalize labels in scripts with case.
    if any(label.isascii() and label[0].islower() for label, _ in fields):
        return False
    return (named and timed) or (at_top and addressed and dated)


def _fields(lines: Sequence[str], at: int) -> list[tuple[str, str]]:
    """Return consecutive labels and values: `Label: value`, `| label | value |`, or the value on the next line.

    Either all are on adjacent lines or blank lines separate them all; otherwise the first is the person's and there are
    none.
    """
    fields: list[tuple[str, str]] = []
    gaps: set[bool] = set()
    number, last = at, min(len(lines), at + _HEADER_LINES)
    while number < last:
        start = next_shown(lines, number)
        field = _field(lines[start][:CLIP]) if start < last else None
        if field is None or start > number + 1:
            break
        if fields:
            gaps.add(start > number)
            if len(gaps) == 2 and len(fields) == 1:
                break
        label, value = field
        number = start + 1
        if not value:
            # Table cells get a line each.
            value = lines[number][:CLIP] if number < len(lines) else ""
            if not value or is_quoted(value) or (not fields and (_field(value) or after_attribution(lines, number))):
                break
            number += 1
        fields.append((label, value))
    if len(gaps) == 2 or (fields and _is_above_known_headers(lines, at)):
        return []
    return fields


def _is_above_known_headers(lines: Sequence[str], at: int) -> bool:
    below = next_shown(lines, at + 1)
    return at + 1 < below < len(lines) and _header_kind(lines[at]) is None and _known_headers(lines, below)


def is_field(line: str) -> bool:
    """Tell whether a line is a label with its value, as in a header block."""
    return _field(line[:CLIP]) is not None


@lru_cache(maxsize=_LINES_AT_ONCE)
def _field(line: str) -> tuple[str, str] | None:
    text = unicodedata.normalize("NFKC", line).strip()
    if _is_row(text):
        cells = [cell.strip(" *:") for cell in text.strip("|").split("|")]
        cells = [cell for cell in cells if cell]
        return (cells[0], cells[1]) if len(cells) == 2 and _LABEL.fullmatch(cells[0]) else None
    label, colon, value = text.partition(":")
    label = label.strip(" *_")
    if not colon or not _LABEL.fullmatch(label) or len(label.split()) > 4:
        return None
    return label, value.strip(" *_")


_SENDER = re.compile(r"[^\d:;!?<>@]{0,60}[<(]?[^\s<>@()]{1,64}@[^\s<>@()]{1,255}[>)]?(?P<rest>[^@]{0,60})")
_SENDER_LINES = 3


def _sender_and_date(lines: Sequence[str], at: int) -> bool:
    """Tell whether a sender begins here with a time on the same or one of the next lines: headers without labels."""
    if _is_name_above_sender(lines, at):
        at += 1
    line = lines[at]
    if "@" not in line or len(line) > 120:
        return False
    match = _SENDER.fullmatch(line)
    if match is None or len(line.split()) > 10:
        return False
    if len(match["rest"].split()) > 1:
        return _is_moment(match["rest"]) and any(character in "<(" for character in line)
    return any(_is_moment(below) for below in lines[at + 1 : at + 1 + _SENDER_LINES] if below)


def _is_name_above_sender(lines: Sequence[str], at: int) -> bool:
    if "@" in lines[at] or at + 1 == len(lines) or len(lines[at].split()) > 4 or lines[at].endswith(_SENTENCE_ENDS):
        return False
    return bool(_ADDRESS.match(lines[at + 1].lstrip("<(")))


def _is_moment(text: str) -> bool:
    shown = folded(text[:80])
    return (
        len(text) <= 80
        and len(shown.split()) <= 8
        and bool(_TIME.search(shown))
        and len(_NUMBER.findall(shown)) >= 4
        and ":" not in shown.partition(" ")[0].rstrip("0123456789")
    )


def _is_row(text: str) -> bool:
    return text.startswith("|") or " | " in text[:40]


def _headers_in_one_line(line: str) -> bool:
    """Tell whether a line is a joined header block: "From: a <b@c> Sent: … To: … Subject: …"."""
    if len(line) >= CLIP or "@" not in line or _header_kind(line) != "from":
        return False
    return len(re.findall(r"\w\s?[:：](?:\s|$)", line)) >= 3
