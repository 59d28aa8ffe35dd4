"""The earlier rounds of a flow, newest first, with what has changed since."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from difflib import SequenceMatcher
from itertools import islice
from typing import Any

from markupsafe import Markup

from flow_hitl.platform.records import dataclass, replace
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.rendering.json_tree import member_words, nothing_words, value_words
from flow_hitl.rendering.markdown import excerpt, is_branch, one_line, printable
from flow_hitl.requests.reading.earlier_reviews import EarlierReview
from flow_hitl.requests.request import HistoryRound

_MOST_COMPARED = 3
# Words and the spaces between them; comparing takes the square of it in the worst case.
_MOST_PARTS = 1_500
_ANSWER = re.compile(r"\n\n\*\*(?P<answer>[^*\n]{1,200})\*\*(?:: (?P<comment>[^\n].{0,2000}))?\Z", re.DOTALL)
# What the client ends an output with that it has shortened.
_CUT = re.compile(r"\n\n\[The first [\d,]+ of [\d,]+ characters\.\]\Z")
_WORDS = re.compile(r"\s+|[^\s]+")
_SAME_KEPT = 12
_MOST_VALUES = 40
_DEEPEST = 12
_LONGEST_VALUE = 300
_REMOVED, _ADDED = Markup("<del>{}</del>"), Markup("<ins>{}</ins>")


@dataclass(frozen=True)
class ValueChange:
    """A value of JSON that has changed, by the names that lead to it; None where there was or is none."""

    path: str
    was: str | None
    now: str | None


@dataclass(frozen=True)
class EarlierRound:
    """A round of the flow; of a review, also its `answer` as it reads, its comment, and what has changed since then.

    `changes` is of a text, `values` of other JSON, of which `more` have changed than are listed. `review` is
    the request itself that was answered, if it is known.
    """

    method: str
    at: str | None
    output: object
    answer: str | None = None
    comment: str = ""
    changes: Markup | None = None
    values: Sequence[ValueChange] = ()
    more: bool = False
    review: EarlierReview | None = None


def earlier_rounds(
    history: Sequence[HistoryRound], method_name: str, output: object, reviews: Sequence[EarlierReview] = ()
) -> Sequence[EarlierRound]:
    """Return what was asked and answered before, newest first; the last reviews of this method are compared with it.

    A round that both the flow's history and the `reviews`, newest first, tell of is there once.
    """
    return tuple(_compared(_merged(list(_told(history, method_name)), reviews, method_name), output))


def _compared(rounds: Iterable[EarlierRound], output: object) -> Iterator[EarlierRound]:
    room = _MOST_COMPARED
    for one in rounds:
        shown = one.output
        if one.answer is not None and room:
            if isinstance(shown, str) and isinstance(output, str):
                room -= 1
                one = replace(one, changes=word_changes(shown, output))
            elif is_branch(shown) and is_branch(output):
                room -= 1
                values = value_changes(shown, output)
                one = replace(one, values=values[:_MOST_VALUES], more=len(values) > _MOST_VALUES)
        yield one


def _told(history: Sequence[HistoryRound], method_name: str) -> Iterator[EarlierRound]:
    """Yield the rounds of a history, newest first."""
    for one in reversed(history):
        shown, answer, comment = _taken_apart(one.output) if one.method == method_name else (one.output, None, "")
        yield EarlierRound(one.method, one.at, shown, answer, comment)


def _merged(told: Sequence[EarlierRound], reviews: Sequence[EarlierReview], method_name: str) -> Sequence[EarlierRound]:
    """Return the rounds of a history and reviews, newest first, those that are in both as the review says."""
    rounds = list(told)
    for number, review in enumerate(reviews):
        known = EarlierRound(method_name, rfc3339(review.at), review.output, review.label, review.reason, review=review)
        same = next((place for place, one in enumerate(rounds) if _is_same(one, review)), None)
        if same is not None:
            rounds[same] = known
        else:
            rounds.insert(_place_of(review.at, rounds, number), known)
    return rounds


def _is_same(told: EarlierRound, review: EarlierReview) -> bool:
    """Tell whether a round of a history is a review, as the client writes it down, which shortens a long output."""
    if told.review is not None or told.answer != review.answer:
        return False
    if told.output == review.output:
        return True
    cut = _CUT.search(told.output[-100:]) if isinstance(told.output, str) else None
    if cut is None or not isinstance(told.output, str):
        return False
    beginning = told.output[: len(told.output) - len(cut[0])]
    output = review.output
    return (output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)).startswith(beginning)


def _place_of(at: datetime, rounds: Sequence[EarlierRound], number: int) -> int:
    """Return where a review belongs: before the first that is known to be older, or behind all that are newer."""
    moments = [_moment(one.at) for one in rounds]
    older = (place for place, moment in enumerate(moments) if moment is not None and moment <= at)
    newer = [place for place, moment in enumerate(moments) if moment is not None and moment > at]
    return next(older, newer[-1] + 1 if newer else number)


def _moment(text: str | None) -> datetime | None:
    """Return a moment as a flow writes it, None for what is none."""
    try:
        return parse_rfc3339(text or "")
    except ValueError:
        return None


def _taken_apart(output: object) -> tuple[object, str | None, str]:
    """Return what a review's round showed, what was answered, and the comment, as the client writes them down."""
    if isinstance(output, str) and (found := _ANSWER.search(output[-2300:])):
        return output[: len(output) - len(found[0])], found["answer"], found["comment"] or ""
    if isinstance(output, Mapping) and set(output) == {"output", "answer", "comment"}:
        return output["output"], str(output["answer"]), str(output["comment"])
    return output, None, ""


def word_changes(before: str, after: str) -> Markup | None:
    """Return a text with the words that were added or removed marked, None if it is too long or did not change."""
    old, new = _WORDS.findall(printable(before)), _WORDS.findall(printable(after))
    if old == new or max(len(old), len(new)) > _MOST_PARTS:
        return None
    parts: list[Markup] = []
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(Markup("{}").format(_shortened(new[j1:j2])))
            continue
        for mark, words in ((_REMOVED, old[i1:i2]), (_ADDED, new[j1:j2])):
            if words:
                parts.append(mark.format("".join(words)))
    return Markup().join(parts)


def value_changes(before: object, after: object) -> Sequence[ValueChange]:
    """Return the values of JSON that differ, in the order of the later one: one more than are listed at most."""
    return tuple(islice(_differing(before, after, ()), _MOST_VALUES + 1))


def _differing(before: object, after: object, path: tuple[str, ...]) -> Iterator[ValueChange]:
    # In Python, 1 is True.
    if not is_branch(before) and type(before) is type(after) and before == after:
        return
    if len(path) < _DEEPEST:
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            for key in {**after, **before}:
                yield from _member(before, after, key, key in before, key in after, (*path, member_words(str(key))))
            return
        if isinstance(before, list | tuple) and isinstance(after, list | tuple):
            yield from _listed(before, after, path)
            return
    if is_branch(before) and before == after:
        return
    yield ValueChange(_place(path), _said(before, path), _said(after, path))


def _member(before: Any, after: Any, key: object, was: bool, now: bool, path: tuple[str, ...]) -> Iterator[ValueChange]:
    if was and now:
        yield from _differing(before[key], after[key], path)
    else:
        yield ValueChange(
            _place(path), _said(before[key], path) if was else None, _said(after[key], path) if now else None
        )


def _listed(before: Sequence[object], after: Sequence[object], path: tuple[str, ...]) -> Iterator[ValueChange]:
    """Compare lists between what stayed at their beginning and at their end, so that one more member is one change."""
    shorter = min(len(before), len(after))
    first = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    last = next((n for n in range(shorter - first) if before[-1 - n] != after[-1 - n]), shorter - first)
    old, new = before[first : len(before) - last], after[first : len(after) - last]
    for number in range(max(len(old), len(new))):
        here = (*path, str(first + number + 1))
        yield from _member(old, new, number, number < len(old), number < len(new), here)


def _place(path: tuple[str, ...]) -> str:
    return " › ".join(path) or "All of it"


def _said(value: object, path: tuple[str, ...]) -> str:
    nothing = None if is_branch(value) else nothing_words(value)
    name = path[-1] if path else ""
    said, was_cut = excerpt(
        nothing or (one_line(value) if is_branch(value) else value_words(value, name)), _LONGEST_VALUE
    )
    return said + "…" if was_cut else said


def _shortened(words: Sequence[str]) -> str:
    """Return words that did not change, without the middle of a long run."""
    if len(words) <= 4 * _SAME_KEPT:
        return "".join(words)
    return f"{''.join(words[: 2 * _SAME_KEPT])} … {''.join(words[-2 * _SAME_KEPT :])}"
