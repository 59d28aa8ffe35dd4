"""Find the emit option an answer names, and divide its text into first line and rest."""

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import is_invisible, split_answer

# With hyphens and the minus sign: devices replace what people type.
_GAP = re.compile(r"[\s_\-\u2010\u2011\u2212]+")


@dataclass(frozen=True)
class Reading:
    """What an answer's text says.

    `outcome` is the option named by the first line, `feedback` that line, and `comment` the rest, both stripped;
    `feedback` is "" for a blank text. A greeting is skipped if the next line names an option. `meant` is the option
    named by exactly one later line if the first names none: no one knows which line is the answer.
    """

    outcome: str | None
    feedback: str
    comment: str
    meant: str | None = None


def read_answer(text: str, emit_options: Collection[str]) -> Reading:
    """Read an answer by the contract's matching rule; options may also be given as names with the option's value."""
    feedback, comment = split_answer(text)
    named_by = _matcher(emit_options)
    outcome = named_by(feedback)
    if outcome is None and _is_greeting(feedback):
        below, rest = split_answer(comment)
        if (named := named_by(below)) is not None:
            return Reading(named, below, rest)
    if outcome is not None or not emit_options:
        return Reading(outcome, feedback, comment)
    later = [option for line in comment.splitlines() if (option := named_by(line)) is not None]
    return Reading(None, feedback, comment, meant=later[0] if len(later) == 1 else None)


def _is_greeting(line: str) -> bool:
    # Its patterns take 20 ms to compile, and most answers name an option.
    from flow_hitl.requests.deciding.openings import is_greeting

    return is_greeting(line)


def match_outcome(line: str, emit_options: Collection[str]) -> str | None:
    """Return the one emit option that equals a whole line, or None if none or several do.

    Compared after NFKC, case folding, and trimming, with `_`, `-`, and white space alike; if none is equal, also
    without surrounding punctuation and symbols. Options may also be given as names with the option's value.
    """
    return _matcher(emit_options)(line)


def options_like(emit_options: Sequence[str]) -> Sequence[str | None]:
    """Return for each option another that answers could not distinguish from it, or None.

    Options may differ only in surrounding punctuation and symbols, like `+1` and `-1` or `C` and `C++`.
    """
    groups = _grouped(emit_options, _plain)
    return [
        next((like for like, other in groups[_plain(option)] if other != number), None)
        for number, option in enumerate(emit_options)
    ]


def reads_alike(one: str, other: str) -> bool:
    """Tell whether answers cannot distinguish two names."""
    return _plain(one) == _plain(other)


def none_of(value: str, emit_options: Sequence[str]) -> str:
    """Return what is wrong with a program's value that is not an emit option; it is never guessed."""
    like = match_outcome(value, emit_options)
    return (
        f'must be written exactly as the option is: "{like}"' if like else f"must be one of: {', '.join(emit_options)}"
    )


def spelling_advice(value: str, emit_options: Sequence[str]) -> str:
    """Return a sentence, after a space, that names the option a configured value meant; "" if none."""
    like = match_outcome(value, emit_options)
    return f' Write it exactly as the option is: "{like}".' if like else ""


def _matcher(emit_options: Collection[str]) -> Callable[[str], str | None]:
    if not emit_options:
        return lambda _: None
    names = list(emit_options)
    values = list(emit_options.values()) if isinstance(emit_options, Mapping) else names
    owners: Sequence[object] = values if isinstance(emit_options, Mapping) else range(len(names))
    # Each name is normalized once, however many lines are compared with it.
    steps = [(form, _grouped(names, form)) for form in (_plain, _bare)]

    def named_by(line: str) -> str | None:
        for form, groups in steps:
            said = form(line)
            found = groups.get(said) if said else None
            if found:
                # A value and a label of the same option are no two options.
                one = len({owners[number] for _, number in found}) == 1
                return values[found[0][1]] if one else None
        return None

    return named_by


def _grouped(emit_options: Sequence[str], form: Callable[[str], str]) -> dict[str, list[tuple[str, int]]]:
    groups: dict[str, list[tuple[str, int]]] = {}
    for number, option in enumerate(emit_options):
        groups.setdefault(form(option), []).append((option, number))
    return groups


def _plain(text: str) -> str:
    """Return the form in which options must differ; "" if nothing is visible."""
    # Trimming comes before `-` becomes a space, so that `-1` keeps its sign.
    return _GAP.sub(" ", _trimmed(_folded(text), is_invisible))


def _bare(text: str) -> str:
    """Return the form without surrounding punctuation and symbols; "" if nothing is left."""
    return _GAP.sub(" ", _trimmed(_folded(text), _is_no_word))


def _folded(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text.lower()
    shown = "".join(character for character in text if character.isspace() or not is_invisible(character))
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


def _trimmed(text: str, unwanted: Callable[[str], bool]) -> str:
    start, end = 0, len(text)
    while start < end and unwanted(text[start]):
        start += 1
    while end > start and unwanted(text[end - 1]):
        end -= 1
    return text[start:end]


# A line may repeat the same few characters many times.
@lru_cache(maxsize=1024)
def _is_no_word(character: str) -> bool:
    return is_invisible(character) or unicodedata.category(character)[0] in "PS" or character == "\u20e3"
