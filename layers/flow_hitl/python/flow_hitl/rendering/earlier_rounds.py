"""The earlier rounds of a flow, newest first, with what has changed since."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from markupsafe import Markup

from flow_hitl.platform.records import dataclass
from flow_hitl.rendering.markdown import printable
from flow_hitl.requests.request import HistoryRound

_MOST_COMPARED = 3
# Words and the spaces between them; comparing takes the square of it in the worst case.
_MOST_PARTS = 1_500
_ANSWER = re.compile(r"\n\n\*\*(?P<answer>[^*\n]{1,200})\*\*(?:: (?P<comment>[^\n].{0,2000}))?\Z", re.DOTALL)
_WORDS = re.compile(r"\s+|[^\s]+")
_SAME_KEPT = 12
_REMOVED, _ADDED = Markup("<del>{}</del>"), Markup("<ins>{}</ins>")


@dataclass(frozen=True)
class EarlierRound:
    """A round of the flow; of a review, also its `answer` and comment, and the `changes` of the output since then."""

    method: str
    at: str | None
    output: object
    answer: str | None = None
    comment: str = ""
    changes: Markup | None = None


def earlier_rounds(history: Sequence[HistoryRound], method_name: str, output: object) -> Sequence[EarlierRound]:
    """Return what was asked and answered before, newest first; the last reviews of this method are compared with it."""
    return tuple(_rounds(history, method_name, output))


def _rounds(history: Sequence[HistoryRound], method_name: str, output: object) -> Iterator[EarlierRound]:
    room = _MOST_COMPARED
    for one in reversed(history):
        shown, answer, comment = _taken_apart(one.output) if one.method == method_name else (one.output, None, "")
        changes = None
        if answer is not None and room and isinstance(shown, str) and isinstance(output, str):
            room -= 1
            changes = word_changes(shown, output)
        yield EarlierRound(one.method, one.at, shown, answer, comment, changes)


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


def _shortened(words: Sequence[str]) -> str:
    """Return words that did not change, without the middle of a long run."""
    if len(words) <= 4 * _SAME_KEPT:
        return "".join(words)
    return f"{''.join(words[: 2 * _SAME_KEPT])} … {''.join(words[-2 * _SAME_KEPT :])}"
