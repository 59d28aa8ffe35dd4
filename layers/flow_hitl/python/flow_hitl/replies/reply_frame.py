"""What frames a reply without being part of it: banners and classifications above, signatures and footers below."""

import re
from collections.abc import Collection, Sequence
from itertools import islice

from flow_hitl.replies import reply_phrases as phrases
from flow_hitl.replies.foreign_text import CLIP, after_attribution, begins_header_block, folded, is_divider, is_quoted
from flow_hitl.requests.deciding.matching import match_outcome
from flow_hitl.requests.deciding.openings import is_classification, may_be_classification

_SIGNATURE_LINES = 8
_SIGNATURE_PARAGRAPHS = 4
_BANNER_LINES = 40
_CLASSIFICATION_LINES = 3

_RULE = re.compile(r"[-_=~*#+.·•—–‐\s]{2,}$")


def _next_said(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and (not lines[at] or _is_blank_or_rule(lines[at])):
        at += 1
    return at


def _trimmed(lines: Sequence[str]) -> list[str]:
    start, end = _next_said(lines, 0), len(lines)
    while end > start and _is_blank_or_rule(lines[end - 1]):
        end -= 1
    return list(lines[start:end])


def _is_blank_or_rule(line: str) -> bool:
    return not line or bool(_RULE.match(line))


# Above a reply ---------------------------------------------------------------------------------------------------

_BANNER = re.compile(rf"\W*+{phrases.BANNER_OPENS}")
_BANNER_SAYS = re.compile(phrases.BANNER_SAYS)
_BANNER_ABOUT = re.compile(phrases.BANNER_ABOUT)
_BANNER_LABEL = re.compile(rf"\W*(?:{phrases.BANNER_LABELS})\W*+$")
_CLEARSIGNED = re.compile(r"-----BEGIN PGP SIGNED MESSAGE-----|Hash: [\w, -]{1,60}$")


def without_banners(lines: Sequence[str], options: Collection[str]) -> Sequence[str]:
    """Return an email's lines without gateways' warnings and classification at its top."""
    kept: list[str] = []
    in_banner = False
    for number, line in enumerate(lines):
        if number == _BANNER_LINES or is_quoted(line):
            kept += lines[number:]
            break
        text = folded(line[:CLIP])
        if _is_banner(line, text) and (in_banner or match_outcome(line, options) is None):
            in_banner = True
        elif not in_banner or not line or not phrases.BANNER_GOES_ON.search(text):
            in_banner = False
            kept.append(line)
    return _without_classification(kept, options)


def _is_banner(line: str, text: str) -> bool:
    return bool(
        phrases.LEARN_SENDER.search(text)
        or _CLEARSIGNED.match(line)
        or _BANNER_LABEL.match(text)
        or (_BANNER.match(text) and _BANNER_SAYS.search(text) and _BANNER_ABOUT.search(text))
    )


def _without_classification(lines: Sequence[str], options: Collection[str]) -> Sequence[str]:
    start = 0
    for _ in range(_CLASSIFICATION_LINES):
        at = _next_said(lines, start)
        if at == len(lines) or match_outcome(lines[at], options) is not None:
            break
        below = _next_said(lines, at + 1)
        alone = below > at + 1 if _says_more(lines, below) else lines[at].isupper()
        if not is_classification(lines[at]) and not (alone and may_be_classification(lines[at])):
            break
        start = below
    return lines[start:]


def _says_more(lines: Sequence[str], at: int) -> bool:
    if at == len(lines) or is_quoted(lines[at]) or is_divider(lines, at):
        return False
    return not after_attribution(lines, at) and not begins_header_block(lines, at, at_top=True)


# Below a reply ---------------------------------------------------------------------------------------------------

_SIGNATURE_DELIMITER = re.compile(r" {0,3}(?:--|—|––|__)$")
_PGP = re.compile(r"-----BEGIN PGP (?:MESSAGE|SIGNATURE|PUBLIC KEY BLOCK)-----")
_SENT_FIRST = re.compile(rf"\W*+{phrases.SENT}")
_SENT_LAST = re.compile(rf"{phrases.SENT}\W*+$")
_SENT_FROM = re.compile(rf"\W*+{phrases.SENT}\s+{phrases.FROM}[^,.;:!?]*[.!]?$")
_FROM_SENT = re.compile(rf"\W*+{phrases.FROM}[^,.;:!?]*{phrases.SENT}[.!]?$")
_PRODUCT = re.compile(phrases.PRODUCTS, re.ASCII)
_DEVICE = re.compile(phrases.DEVICES, re.ASCII)
_LINK = re.compile(r"<[^<>]*>|\]\([^()]*\)")
_ANY_LINK = re.compile(r"https?://|\bwww\.|<[^<>]*>|\]\(")
# Advertisements end in a site; people's links lead to a page.
_SITE_LAST = re.compile(r"(?:\bwww\.[\w.-]{3,80}|https?://[\w.-]{3,80}/?)\W*+$")
_LINKED_LAST = re.compile(r"[^\W\d]\s?(?:<https?://[^<>\s]*>|\]\(https?://[^()\s]*\))\W*+$")
_DASHED_NAME = re.compile(r"[-–—~/]{1,2}(?=[^\W\d])(?P<name>.{2,40})$")
_EDGES = re.compile(r"^\W+|\W+$")
_CAPITALISED = re.compile(r"[^\W\d_a-zß-öø-ÿа-яё][^\d\s!?:;,]*,?$")
_CONTACT = re.compile(
    r"(?:\+|\(?0)[\d\s()./-]{7,}\d|\b(?:tel|phone|mobile|mobil|cell|fax|direct|telefon|tél)\b[^\n]{0,8}\d|"
    r"https?://|\bwww\.|[^\s<>@]{1,64}@[^\s<>@]{1,255}",
    re.I,
)
_ADVERT_WORDS = 25
_LONGEST_SIGNATURE = 250


def begins_signature(line: str) -> bool:
    """Tell whether a signature or footer begins with a line, so that nothing after it is read."""
    text = folded(line[:CLIP])
    return bool(
        _SIGNATURE_DELIMITER.match(line)
        or _PGP.match(line)
        or phrases.FOOTER.match(text)
        or _is_mobile_signature(line, text)
    )


def without_signature(segment: Sequence[str], options: Collection[str]) -> list[str]:
    """Return a run of the sender's lines without the rules around it and the signature at its end."""
    lines = _trimmed(segment)
    kept = lines[: _signature_start(lines)]
    if lines and not kept and match_outcome(lines[0], options) is not None:
        return lines[:1]
    return _trimmed(kept)


def _is_mobile_signature(line: str, text: str) -> bool:
    if len(line) >= _LONGEST_SIGNATURE:
        return False
    linked = bool(_ANY_LINK.search(text))
    text = _LINK.sub(" ", text).strip()
    length = len(text.split())
    if length > 14:
        return False
    if ("ios" in text or "android" in text) and length <= 9 and (linked or "outlook" in text):
        return True
    first, last = _SENT_FIRST.match(text), _SENT_LAST.search(text[-40:])
    if not first and not last:
        return False
    if _PRODUCT.search(text):
        return bool(first) or "," not in text
    if _DEVICE.search(text):
        return "," not in text
    return length <= 8 and bool(_SENT_FROM.match(text) or _FROM_SENT.match(text))


def _signature_start(lines: Sequence[str]) -> int:
    for number in range(len(lines)):
        if _is_closing(lines, number):
            return _without_adverts(lines, number)
    end = _without_adverts(lines, len(lines))
    if end and _is_dashed_name(lines[:end]):
        end -= 1
    for _ in range(_SIGNATURE_PARAGRAPHS):
        end = _without_adverts(lines, _contact_start(lines, end))
    return end


def _without_adverts(lines: Sequence[str], end: int) -> int:
    """Return where the advertisements of mail programs and virus scanners before `end` begin."""
    for _ in range(_SIGNATURE_PARAGRAPHS):
        start, stop = _paragraph_before(lines, end)
        if not _is_advert(lines[start:stop], alone=_next_said(lines, 0) == start):
            return end
        end = start
    return end


def _paragraph_before(lines: Sequence[str], end: int) -> tuple[int, int]:
    while end and _is_blank_or_rule(lines[end - 1]):
        end -= 1
    start = end
    while start and not _is_blank_or_rule(lines[start - 1]):
        start -= 1
    return start, end


def _is_advert(paragraph: Sequence[str], *, alone: bool) -> bool:
    if not 1 <= len(paragraph) <= 3 or any(len(line) >= CLIP for line in paragraph):
        return False
    text = folded(" ".join(paragraph))
    length = len(text.split())
    if length > _ADVERT_WORDS:
        return False
    if phrases.VIRUS.search(text) and (
        _ANY_LINK.search(text) or (_BANNER_ABOUT.search(text) and phrases.THIS.match(text))
    ):
        return True
    if len(paragraph) > 1:
        return False
    return length <= 8 and bool(_SITE_LAST.search(text) or (alone and _LINKED_LAST.search(text)))


def _is_closing(lines: Sequence[str], number: int) -> bool:
    line = lines[number]
    if not line or len(line) > 60:
        return False
    words = _EDGES.sub("", folded(line)).replace(",", " ").split()
    said = " ".join(words)
    if said in phrases.CLOSINGS:
        return True
    # "Best regards Jane", "Regards, Jane": a one-word closing needs the comma, or it may begin a sentence.
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
    # Alone, "-rejected" is more likely a list item than a name.
    return len(match["name"].split()) > 1 or (len(lines) > 1 and not lines[-2])


def _contact_start(lines: Sequence[str], end: int) -> int:
    """Return where the last paragraph before `end` begins if it is a name with contact data, else `end`."""
    start, stop = _paragraph_before(lines, end)
    block = lines[start:stop]
    if not 2 <= len(block) <= _SIGNATURE_LINES or any(len(line) > 90 for line in block):
        return end
    named = _is_name(block[0].split("|")[0].strip(" *,")) and " " in block[0].strip()
    return start if named and any(_CONTACT.search(line) for line in block[1:]) else end
