"""What a reviewer changed of an output, for the timeline."""

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding.edits import scalars_of

_MOST_LINES = 1000
_MOST_SHOWN = 200
_LINE_CHARS = 500


@dataclass(frozen=True)
class ChangedLine:
    """One line of a comparison: as it was, as it is, as it stayed, or `skipped` for what is not shown."""

    kind: Literal["removed", "added", "same", "skipped"]
    text: str


def changes_of(before: Any, after: Any) -> Sequence[ChangedLine]:
    """Return what differs between two outputs of the same shape: lines of a text, values of JSON by their paths."""
    is_text = isinstance(before, str) and isinstance(after, str)
    lines = list(_lines(before, after) if is_text else _values(before, after))
    shown = [ChangedLine(line.kind, _cut(line.text)) for line in lines[:_MOST_SHOWN]]
    return [*shown, ChangedLine("skipped", "more changes")] if len(lines) > _MOST_SHOWN else shown


def _lines(before: str, after: str) -> Iterator[ChangedLine]:
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > _MOST_LINES:
        yield ChangedLine("skipped", "The text is too long to be compared here.")
        return
    matcher = difflib.SequenceMatcher(None, old, new)
    for number, group in enumerate(matcher.get_grouped_opcodes(2)):
        if number:
            yield ChangedLine("skipped", "…")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                yield from (ChangedLine("same", line) for line in old[i1:i2])
                continue
            yield from (ChangedLine("removed", line) for line in old[i1:i2])
            yield from (ChangedLine("added", line) for line in new[j1:j2])


def _values(before: Any, after: Any) -> Iterator[ChangedLine]:
    for was, now in zip(scalars_of(before), scalars_of(after), strict=False):
        if was.text != now.text:
            path = " › ".join(str(step + 1) if isinstance(step, int) else step for step in was.path)
            yield ChangedLine("removed", f"{path}: {was.text}")
            yield ChangedLine("added", f"{path}: {now.text}")


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_CHARS else f"{line[:_LINE_CHARS]}…"
