"""The lines of an answer, and names as words."""

import unicodedata
from functools import lru_cache


def split_answer(text: str) -> tuple[str, str]:
    """Return an answer's first line that shows anything, and the text after it, both stripped; ("", "") if blank."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not all(is_invisible(character) for character in line):
            return line.strip(), "\n".join(lines[number + 1 :]).strip()
    return "", ""


def as_words(name: str) -> str:
    """Return the name of a method or option as words: `approve_payment` as "Approve payment"."""
    words = " ".join(name.replace("_", " ").split())
    capital = words[:1].upper()
    # A letter that its capital is not the same as, such as the dotless i, stays: people may answer with these words.
    return capital + words[1:] if words and capital.casefold() == words[0].casefold() else words or name


def shown_in_one_line(text: str) -> str:
    """Return the printable characters of a text as one line, without any that change the direction of others."""
    line = " ".join(text.split())
    return line if is_printable(line) else "".join(filter(is_printable, line))


def is_printable(text: str) -> bool:
    """Tell whether a text displays as it is, in one line: joined emoji are fine, but nothing may change directions."""
    return text.replace("\u200d", "").isprintable()


@lru_cache(maxsize=1024)
def is_invisible(character: str) -> bool:
    """Tell whether a character shows nothing by itself."""
    # Variation selectors are marks and yet show nothing; other marks are parts of letters and must stay. Tags are the
    # letters of flags.
    return (
        character.isspace()
        or (unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp", "Zs") and not character >= "\U000e0020")
        or "\ufe00" <= character <= "\ufe0f"
    )
