"""Mail that a press on an emoji sent: Gmail's and Outlook's reactions, and RFC 9078's. A reaction is no answer.

Gmail and RFC 9078 mark the part. Outlook marks nothing: its mail is one line in the sender's language, above the mail
that was reacted to: `[like] Jane Doe reacted to your message:`.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence

REACTION_PART = "reaction"
"""What stands among the content types for a part whose Content-Disposition says `reaction` (RFC 9078)."""

_PARTS = re.compile(r"(?:text|application)/(?:[\w.+-]*[.-])?reaction(?:\+json)?")
_HEADER = re.compile(r"(?:.*-)?reactions?(?:-.*)?")
# `x-ms-reactions: disallow` stands on what people write in organisations that want no reactions.
_NO_REACTION = frozenset(("", "allow", "allowed", "disallow", "disallowed", "no", "none", "false", "0"))
# In the link below Gmail's reaction, in every language.
_GMAIL_LINK = "emojireactionemail"
_REACT = re.compile(
    "reacted|reagi|réagi|reaccion|reager|gereageerd|reagoi|zareag|reagál|reacționat|αντέδρασε|отреаг|відреаг|реакци"
    "|tepki|bereaksi|リアクション|反応|回应|回應|反应|반응|הגיב|تفاعل"
)
_IN_ENGLISH = re.compile(r"reacted to your (?:message|e-?mail)")
# What an image is in plain text.
_PICTURE = re.compile(r"!?\[[^\[\]]{1,40}\](?:\([^()]{0,300}\))?")
_COLONS = (":", "：")
_EMOJI = ("So", "Sk")
_EMOJI_JOINTS = "\u200d\ufe0f "
_LONGEST = 400


def reaction_reason(
    headers: Iterable[tuple[str, str]], content_types: Sequence[str], subject: str, sender_name: str
) -> str | None:
    """Return by what a mail's headers and parts say that it is a reaction, None if nothing does.

    `headers` are the mail's own, `content_types` those of its parts, lower-case; `subject` and `sender_name`, the name
    in From ("" if there is none), are decoded.
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
    """Tell whether a mail's own text is what a mail client writes when somebody presses an emoji.

    `text` is without what is quoted. Outlook's line ends with a colon, and what it announces is the quoted mail: nobody
    writes such a line, with a picture or their own name in it, and nothing below.
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
    # Gmail's two lines, where a gateway has dropped the part and the link.
    return has_picture and bool(rest) and len(lines) > 1 and "gmail" in said and by_whom


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text[:_LONGEST]).casefold().split())
