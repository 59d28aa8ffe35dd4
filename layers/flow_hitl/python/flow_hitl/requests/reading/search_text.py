"""What a search finds a request by: title, message, flow, method, assignee, and the short values of its state."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Content, Head

MOST_WORDS = 10
_MESSAGE_CHARS = 1000
_VALUE_CHARS = 80
_MOST_VALUES = 30
_DEEPEST = 3


@dataclass(frozen=True)
class SearchEntry:
    """A request in the search log; `key` is its place in the order of creation."""

    key: str
    request_id: str
    text: str

    def has(self, words: Sequence[str]) -> bool:
        return all(word in self.text for word in words)


def search_text(head: Head, content: Content | None) -> str:
    """Return the text that a request is found by; without the content, by what its head has."""
    said = [head.summary, head.method_name, head.flow_name or "", head.flow_id, head.assigned_to_email]
    if content is not None:
        said += [content.title or "", content.message[:_MESSAGE_CHARS], *_short_values(content.state)]
    return folded("\n".join(said))


def words_of(text: str) -> Sequence[str]:
    """Return the words that must all be there, as parts of words."""
    return folded(text).split()[:MOST_WORDS]


def folded(text: str) -> str:
    """Return a text in which case, and the many ways to write the same letter, do not count."""
    return unicodedata.normalize("NFKC", text).casefold()


def _short_values(state: Mapping[str, Any]) -> Sequence[str]:
    found: list[str] = []
    for value in _scalars(state, 1):
        if len(found) == _MOST_VALUES:
            break
        if 0 < len(value) <= _VALUE_CHARS:
            found.append(value)
    return found


def _scalars(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping | list):
        if depth <= _DEEPEST:
            for member in value.values() if isinstance(value, Mapping) else value:
                yield from _scalars(member, depth + 1)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)
