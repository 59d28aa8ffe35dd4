"""Email sent by clicking an emoji: Gmail's, Outlook's, and RFC 9078's reactions. A reaction is not an answer.

Gmail and RFC 9078 mark the part. Outlook only writes a line in the sender's language above the quoted email: `[like]
Jane Doe reacted to your message:`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

REACTION_PART = "reaction"
"""Stands among the content types for a part whose Content-Disposition is `reaction` (RFC 9078)."""

_PARTS = re.compile(r"(?:text|application)/(?:[\w.+-]*[.-])?reaction(?:\+json)?")
_HEADER = re.compile(r"(?:.*-)?reactions?(?:-.*)?")
# Organizations that forbid reactions send `x-ms-reactions: disallow` with ordinary email.
_NO_REACTION = frozenset(("", "allow", "allowed", "disallow", "disallowed", "no", "none", "false", "0"))
# In the link below a Gmail reaction, in every language.
_GMAIL_LINK = "emojireactionemail"
_REACT = re.compile(
    "reacted|reagi|réagi|reaccion|reager|gereageerd|reagoi|zareag|reagál|reacționat|αντέδρασε|отреаг|відреаг|реакци"
    "|tepki|bereaksi|リアクション|反応|回应|回應|反应|반응|הגיב|تفاعل"
)
_IN_ENGLISH = re.compile(r"reacted to your (?:message|e-?mail)")
# An image in plain text.
_PICTURE = re.compile(r"!?\[[^\[\]]{1,40}\](?:\([^()]{0,300}\))?")
_COLONS = (":", "：")
_EMOJI = ("So", "Sk")
_EMOJI_JOINTS = "\u200d\ufe0f "
_LONGEST = 400


def reaction_reason(
    headers: Iterable[tuple[str, str]], content_types: Sequence[str], subject: str, sender_name: str
) -> str | None:
    """Return which header or part says that an email is a reaction, None if none does.

    `content_types` are its parts' types in lower case; `subject` and `sender_name` (in From, "" if none) are decoded.
    """
    for content_type in content_types:
        if content_type == REACTION_PART or _PARTS.fullmatch(content_type):
            return content_type
    for name, value in headers:
        if _HEADER.fullmatch(name[:100].lower()) and value.strip().lower() not in _NO_REACTION:
            return name.lower()
    about, named = _folded(subject), _folded(sender_name)
    by_name = bool(named) and about.startswith(named) and bool(_REACT.search(about))
    return "subject of a reaction" if by_name or _IN_ENGLISH.search(about) else None


def is_reaction(text: str, sender_name: str) -> bool:
    """Tell whether an email's unquoted text is what a mail client writes for an emoji reaction.

    Outlook's line ends with a colon and announces the quoted email: no person writes such a line, with a picture or
    their own name, and nothing below.
    """
    if _GMAIL_LINK in text:
        return True
    lines = [_folded(line) for line in text.splitlines() if line.strip()]
    if not 1 <= len(lines) <= 3 or len(text) > _LONGEST:
        return False
    named = _folded(sender_name)
    first = _PICTURE.sub("", lines[0], count=1).strip() if _PICTURE.match(lines[0]) else lines[0].lstrip(_EMOJI_JOINTS)
    while first and unicodedata.category(first[0]) in _EMOJI:
        first = first[1:].lstrip(_EMOJI_JOINTS)
    has_picture = first != lines[0]
    rest = [line for line in (first, *lines[1:]) if line]
    said = " ".join(rest)
    by_whom = bool(_REACT.search(said)) or (bool(named) and said.startswith(named))
    if len(rest) == 1 and said.endswith(_COLONS):
        return has_picture or by_whom
    # Gmail's two lines, if a gateway dropped the part and the link.
    return has_picture and bool(rest) and len(lines) > 1 and "gmail" in said and by_whom


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().split())
