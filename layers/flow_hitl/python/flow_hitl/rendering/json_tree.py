"""JSON values as a tree that opens and closes without scripts."""

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from flow_hitl.rendering.markdown import excerpt, is_branch, one_line, printable

# Keeps the page small enough to send; everything can still be shown as plain text.
_MOST_NODES = 3000
_DEEPEST = 12
_OPEN_MEMBERS = 12
_LONG_TEXT = 400


def render_tree(value: object) -> Markup:
    """Return a JSON value as nested lists; only small ones at the top are open at first."""
    return Markup().join(_Tree().children(value, 0))


class _Tree:
    def __init__(self) -> None:
        self._room = _MOST_NODES

    def children(self, value: object, depth: int) -> Iterator[Markup]:
        yield Markup('<ul class="tree">') if depth == 0 else Markup("<ul>")
        for key, member in _members(value):
            self._room -= 1
            if self._room < 0:
                yield Markup('<li class="size">… and more, which the plain text shows</li>')
                break
            yield Markup("<li>")
            yield from self._node(key, member, depth)
            yield Markup("</li>")
        yield Markup("</ul>")

    def _node(self, key: str | None, value: object, depth: int) -> Iterator[Markup]:
        label = Markup('<span class="key">{}</span> ').format(printable(key)) if key is not None else Markup("")
        if not is_branch(value):
            yield label + _leaf(value)
        elif depth >= _DEEPEST:
            yield label + Markup('<span class="text">{}</span>').format(one_line(value))
        else:
            opened = Markup(" open") if depth == 0 and len(value) <= _OPEN_MEMBERS else Markup("")
            summary = Markup("<details{}><summary>{}{}</summary>")
            yield summary.format(opened, label, Markup('<span class="size">{}</span>').format(_size(value)))
            yield from self.children(value, depth + 1)
            yield Markup("</details>")


def _members(value: object) -> Iterator[tuple[str | None, object]]:
    if not is_branch(value):
        yield None, value
    elif isinstance(value, Mapping):
        yield from ((str(key), member) for key, member in value.items())
    else:
        yield from ((str(number), member) for number, member in enumerate(value, 1))


def _leaf(value: object) -> Markup:
    if not isinstance(value, str):
        return Markup('<span class="literal">{}</span>').format(one_line(value))
    text = printable(value)
    if len(text) <= _LONG_TEXT:
        return Markup('<span class="text" dir="auto">{}</span>').format(text)
    beginning = one_line(excerpt(text, _LONG_TEXT // 4)[0])
    return Markup('<details><summary>{}…</summary><span class="text" dir="auto">{}</span></details>').format(
        beginning, text
    )


def _size(value: Mapping[object, object] | Sequence[object]) -> str:
    number = len(value)
    unit = "field" if isinstance(value, Mapping) else "item"
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
