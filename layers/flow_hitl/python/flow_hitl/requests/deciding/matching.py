"""Which emit option an answer names, and how an answer's text is divided into its first line and the rest."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from flow_hitl.platform.text import _is_invisible, split_answer
from flow_hitl.requests.deciding.openings import is_greeting

# Hyphens and the minus sign among them: people type one, and their device sends another.
_GAP = re.compile(r"[\s_\-\u2010\u2011\u2212]+")


@dataclass(frozen=True)
class Reading:
    """What an answer's text says.

    `outcome` is the option that its first line names, `feedback` that line, `comment` what comes after it, both
    stripped; `feedback` is "" where the text is blank. A greeting is passed over where the next line names an option.
    `meant` is the option that exactly one later line names where the first names none: nobody knows then which line is
    the answer.
    """

    outcome: str | None
    feedback: str
    comment: str
    meant: str | None = None


def read_answer(text: str, emit_options: Sequence[str]) -> Reading:
    """Return what a text says to a request with these options, by the contract's matching rule."""
    feedback, comment = split_answer(text)
    named_by = _matcher(emit_options)
    outcome = named_by(feedback)
    if outcome is None and is_greeting(feedback):
        below, rest = split_answer(comment)
        if (named := named_by(below)) is not None:
            return Reading(named, below, rest)
    if outcome is not None or not emit_options:
        return Reading(outcome, feedback, comment)
    later = [option for line in comment.splitlines() if (option := named_by(line)) is not None]
    return Reading(None, feedback, comment, meant=later[0] if len(later) == 1 else None)


def match_outcome(line: str, emit_options: Sequence[str]) -> str | None:
    """Return the one emit option that a whole line equals, or None when none or more than one does.

    Equal means equal after NFKC, case folding, trimming of white space and treating `_`, `-` and white space as one;
    if no option is, the same without surrounding punctuation and symbols, where that leaves anything.
    """
    return _matcher(emit_options)(line)


def options_like(emit_options: Sequence[str]) -> Sequence[str | None]:
    """Return for each option the other one that an answer could not tell from it, None where there is none.

    Options may differ in surrounding punctuation and symbols alone, as `+1` and `-1` or `C` and `C++` do: an answer
    that shows them names the one.
    """
    groups = _grouped(emit_options, _plain)
    return [
        next((like for like, other in groups[_plain(option)] if other != number), None)
        for number, option in enumerate(emit_options)
    ]


def none_of(value: str, emit_options: Sequence[str]) -> str:
    """Return what is wrong with a program's value that is no emit option, to complete "This …"; it is never guessed."""
    like = match_outcome(value, emit_options)
    return (
        f'must be written exactly as the option is: "{like}"' if like else f"must be one of: {', '.join(emit_options)}"
    )


def spelling_advice(value: str, emit_options: Sequence[str]) -> str:
    """Return the sentence, after a space, that says which option a configured value meant; "" where it meant none."""
    like = match_outcome(value, emit_options)
    return f' Write it exactly as the option is: "{like}".' if like else ""


def _matcher(emit_options: Sequence[str]) -> Callable[[str], str | None]:
    if not emit_options:
        return lambda _: None
    # Each option is brought into its two forms once, however many lines are compared with it.
    steps = [(form, _grouped(emit_options, form)) for form in (_plain, _bare)]

    def named_by(line: str) -> str | None:
        for form, groups in steps:
            said = form(line)
            found = groups.get(said, []) if said else []
            if found:
                return found[0][0] if len(found) == 1 else None
        return None

    return named_by


def _grouped(emit_options: Sequence[str], form: Callable[[str], str]) -> dict[str, list[tuple[str, int]]]:
    groups: dict[str, list[tuple[str, int]]] = {}
    for number, option in enumerate(emit_options):
        groups.setdefault(form(option), []).append((option, number))
    return groups


def _plain(text: str) -> str:
    """Return the form in which options must differ; "" only for what shows nothing."""
    # White space is trimmed before `-` is treated as such: the sign of `-1` stays.
    return _GAP.sub(" ", _trimmed(_folded(text), _is_invisible))


def _bare(text: str) -> str:
    """Return the form without surrounding punctuation and symbols; "" for what is nothing else."""
    return _GAP.sub(" ", _trimmed(_folded(text), _is_no_word))


def _folded(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.lower()
    shown = "".join(character for character in text if character.isspace() or not _is_invisible(character))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


def _trimmed(text: str, unwanted: Callable[[str], bool]) -> str:
    start, end = 0, len(text)
    while start < end and unwanted(text[start]):
        start += 1
    while end > start and unwanted(text[end - 1]):
        end -= 1
    return text[start:end]


# A line may be a long run of the same few characters.
@lru_cache(maxsize=1024)
def _is_no_word(character: str) -> bool:
    return _is_invisible(character) or _is_symbol(character)


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS" or character == "\u20e3"
