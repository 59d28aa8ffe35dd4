"""The lines of an answer."""

import unicodedata
from functools import lru_cache


def split_answer(text: str) -> tuple[str, str]:
    """Return an answer's first line that shows anything, and the text after it, both stripped; ("", "") if blank."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not all(_is_invisible(character) for character in line):
            return line.strip(), "\n".join(lines[number + 1 :]).strip()
    return "", ""


@lru_cache(maxsize=1024)
def _is_invisible(character: str) -> bool:
    # Variation selectors are marks and yet show nothing; other marks are parts of letters and must stay. Tags are the
    # letters of flags.
    return (
        character.isspace()
        or (unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs") and not character >= "\U000e0020")
        or "\ufe00" <= character <= "\ufe0f"
    )
