"""How a request and its options read to people: its title, and the label, hint, and tone of each option."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import as_words, shown_in_one_line

LONGEST_TITLE = 200
LONGEST_LABEL = 100
LONGEST_HINT = 300

_MOST_DETAILS = 3
_LONGEST_DETAIL = 40
_LONGEST_DETAILS = 80
# What tells no two requests apart for a person: ids of machines, addresses of people and pages, and moments.
_NOISE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-.*|[0-9a-f]{16,}|.*@.*|.*://.*|\d{4}-\d\d-\d\d[T ].*", re.IGNORECASE)

_GOOD_WORDS = frozenset(
    {
        "accept",
        "accepted",
        "agree",
        "allow",
        "allowed",
        "approve",
        "approved",
        "confirm",
        "confirmed",
        "go",
        "ok",
        "okay",
    }
    | {"pass", "publish", "published", "yes"}
)
_BAD_WORDS = frozenset(
    {"abort", "block", "blocked", "decline", "declined", "delete", "denied", "deny", "disagree", "disallow", "discard"}
    | {"fail", "no", "refuse", "refused", "reject", "rejected", "stop"}
)


class OptionTone(StrEnum):
    """What choosing an option means: going on, something between, or turning down."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"


class CommentRule(StrEnum):
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True)
class OptionLook:
    """What a request says of one of its options; None is derived from the option's value."""

    label: str | None = None
    hint: str | None = None
    tone: OptionTone | None = None
    comment: CommentRule = CommentRule.OPTIONAL


@dataclass(frozen=True)
class OptionShown:
    """How an emit option reads to people."""

    label: str
    """What its button says: one line. Left out, the value as words: `needs_revision` reads "Needs revision"."""
    hint: str | None
    """What it leads to, in a sentence below the button."""
    tone: OptionTone
    """The look of its button. Left out, it follows from words such as `approved` and `rejected`, else it is neutral."""
    comment: CommentRule
    """Whether an answer with this option needs a comment."""


_PLAIN_LOOK = OptionLook()


def option_shown(value: str, looks: Mapping[str, OptionLook]) -> OptionShown:
    """Return how an option reads, with what its request leaves open filled in."""
    return _shown_as(value, looks.get(value, _PLAIN_LOOK))


# A flow offers the same options in each of its requests, and each step of a request shows them.
@lru_cache(maxsize=256)
def _shown_as(value: str, look: OptionLook) -> OptionShown:
    return OptionShown(look.label or as_words(value), look.hint, look.tone or _tone_of(value), look.comment)


def option_label(value: str, looks: Mapping[str, OptionLook]) -> str:
    """Return what the button of an option says."""
    return option_shown(value, looks).label


def is_go_ahead(outcome: str | None, looks: Mapping[str, OptionLook]) -> bool:
    """Tell whether an answer lets its flow go on; any other may lead to another round."""
    return outcome is not None and option_shown(outcome, looks).tone is OptionTone.POSITIVE


def title_of(title: str | None, method_name: str, state: Mapping[str, Any]) -> str:
    """Return a request's title: its own, or the method's name as words with what tells the request apart."""
    if title is not None:
        return title
    return shown_in_one_line(" · ".join([as_words(method_name), *_details(state)]))[:LONGEST_TITLE]


def _details(state: Mapping[str, Any]) -> Sequence[str]:
    """Return the first short scalar values of a state: texts as they are, numbers with their name."""
    found: list[str] = []
    room = _LONGEST_DETAILS
    for detail in _short_scalars(state):
        room -= len(detail)
        if room < 0 or len(found) == _MOST_DETAILS:
            break
        found.append(detail)
    return found


def _short_scalars(state: Mapping[str, Any]) -> Iterator[str]:
    for name, value in state.items():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        text = str(value) if isinstance(value, str) else f"{as_words(str(name)).lower()} {value}"
        shown = shown_in_one_line(text) if len(text) <= _LONGEST_DETAIL else ""
        if shown and not _NOISE.fullmatch(shown):
            yield shown


def _tone_of(value: str) -> OptionTone:
    said = as_words(value).casefold()
    if said in _GOOD_WORDS:
        return OptionTone.POSITIVE
    return OptionTone.NEGATIVE if said in _BAD_WORDS else OptionTone.NEUTRAL
