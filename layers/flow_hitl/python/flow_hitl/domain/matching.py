"""Which emit option an answer names, and how an answer's text is divided into its first line and the rest."""

import re
import unicodedata
from collections.abc import Callable, Sequence

_GAP = re.compile(r"[\s_\-\u2010\u2011]+")


def match_outcome(first_line: str, emit_options: Sequence[str]) -> str | None:
    """Return the one emit option that a whole line equals, or None when none or more than one does.

    Equal means equal after NFKC, case folding, trimming of white space and surrounding punctuation or symbols, and
    treating `_`, `-` and white space as one. An option that is nothing but symbols (an emoji) keeps them, because
    two such options would otherwise both be the empty text.
    """
    line = _comparable(first_line)
    if not line:
        return None
    matching = [option for option in emit_options if _comparable(option) == line]
    return matching[0] if len(matching) == 1 else None


def split_answer(text: str) -> tuple[str, str]:
    """Return an answer's first line that shows anything, and the text after it, both stripped; ("", "") if blank."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not all(_is_invisible(character) for character in line):
            return line.strip(), "\n".join(lines[number + 1 :]).strip()
    return "", ""


def _comparable(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    core = _trimmed(folded, lambda character: _is_invisible(character) or _is_decoration(character))
    if not core:
        core = "".join(character for character in folded if not _is_invisible(character))
    return _GAP.sub(" ", core)


def _trimmed(text: str, unwanted: Callable[[str], bool]) -> str:
    start, end = 0, len(text)
    while start < end and unwanted(text[start]):
        start += 1
    while end > start and unwanted(text[end - 1]):
        end -= 1
    return text[start:end]


def _is_invisible(character: str) -> bool:
    # Variation selectors are marks and yet show nothing; other marks are parts of letters and must stay.
    return (
        character.isspace()
        or unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs")
        or "\ufe00" <= character <= "\ufe0f"
    )


def _is_decoration(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" or character == "\u20e3"
