"""JSON values as people read them: objects as lists of facts, lists of objects as tables or cards, without scripts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, tzinfo

from markupsafe import Markup

from flow_hitl.platform.text import as_words
from flow_hitl.platform.times import readable_moment
from flow_hitl.rendering.markdown import excerpt, is_branch, one_line, printable

# Keeps the page small enough to send; everything can still be shown as plain text.
_MOST_NODES = 3000
_DEEPEST = 12
_LONG_TEXT = 600
_LONGEST_CELL = 120
_MOST_COLUMNS = 5
_FEWEST_GROUPED = 10_000
# Numbers that are names, which no one groups by thousands.
_NAMES_OF_NUMBERS = re.compile(
    r"(^|_)(id|no|nr|number|code|year|zip|postcode|phone|account|port|version)s?$", re.IGNORECASE
)
_CAPITAL_INSIDE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
# What machines put beside what people read.
_NOISE = re.compile(
    r"^_|(^|_)(uuid|guid|sha\d*|hash|checksum|digest|etag|trace|span|run|session|correlation|embedding|tokens?)(_|$)|^id$"
    r"|_id$",
    re.IGNORECASE,
)


def render_tree(value: object) -> Markup:
    """Return a JSON value as nested facts, all of them open; only long texts are folded."""
    return Markup('<div class="facts">{}</div>').format(Markup().join(_Facts().of(value, 0, "")))


class _Facts:
    def __init__(self) -> None:
        self._room = _MOST_NODES

    def of(self, value: object, depth: int, name: str) -> Iterator[Markup]:
        if not is_branch(value):
            yield _leaf(value, name)
        elif depth >= _DEEPEST:
            yield Markup('<span class="text">{}</span>').format(one_line(value))
        elif isinstance(value, Mapping):
            yield from self._object(value, depth)
        elif (columns := columns_of(value)) is not None:
            yield from self._table(value, columns)
        else:
            yield from self._list(value, depth, name)

    def _object(self, value: Mapping[object, object], depth: int) -> Iterator[Markup]:
        yield Markup("<dl>")
        for key, member in noise_last(value):
            if self._is_full():
                yield Markup('<div><dt>…</dt><dd class="size">and more, which the plain text shows</dd></div>')
                break
            yield Markup('<div{}><dt dir="auto">{}</dt><dd>').format(
                Markup(' class="wide"') if is_branch(member) else Markup(""), member_words(key)
            )
            yield from self.of(member, depth + 1, key)
            yield Markup("</dd></div>")
        yield Markup("</dl>")

    def _list(self, value: Sequence[object], depth: int, name: str) -> Iterator[Markup]:
        yield Markup('<ol class="cards">') if any(map(is_branch, value)) else Markup("<ul>")
        for member in value:
            if self._is_full():
                yield Markup('<li class="size">… and more, which the plain text shows</li>')
                break
            yield Markup("<li>")
            yield from self.of(member, depth + 1, name)
            yield Markup("</li>")
        yield Markup("</ol>") if any(map(is_branch, value)) else Markup("</ul>")

    def _table(self, rows: Sequence[object], columns: Sequence[str]) -> Iterator[Markup]:
        yield Markup('<div class="scroll" role="group" aria-label="Table" tabindex="0"><table><thead><tr>')
        for column in columns:
            yield Markup('<th scope="col" dir="auto">{}</th>').format(member_words(column))
        yield Markup("</tr></thead><tbody>")
        for row in rows:
            if self._is_full(len(columns)):
                yield Markup(
                    '<tr><td colspan="{}" class="size">… and more, which the plain text shows</td></tr>'
                ).format(len(columns))
                break
            cells = {str(key): cell for key, cell in row.items()} if isinstance(row, Mapping) else {}
            yield Markup("<tr>")
            for column in columns:
                cell = cells.get(column)
                is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
                yield Markup("<td{}>{}</td>").format(
                    Markup(' class="number"') if is_number else Markup(""),
                    _leaf(cell, column) if column in cells else "",
                )
            yield Markup("</tr>")
        yield Markup("</tbody></table></div>")

    def _is_full(self, nodes: int = 1) -> bool:
        self._room -= nodes
        return self._room < 0


def columns_of(rows: Sequence[object]) -> Sequence[str] | None:
    """Return the columns of a list of small, flat objects, those of machines last; None if it makes no table."""
    if len(rows) < 2:
        return None
    columns: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, Mapping) or not all(map(_fits_a_cell, row.values())):
            return None
        columns |= dict.fromkeys(map(str, row))
        if len(columns) > _MOST_COLUMNS:
            return None
    return sorted(columns, key=lambda name: bool(_NOISE.search(name))) or None


def _fits_a_cell(value: object) -> bool:
    return not is_branch(value) and (not isinstance(value, str) or (len(value) <= _LONGEST_CELL and "\n" not in value))


def noise_last(value: Mapping[object, object]) -> Sequence[tuple[str, object]]:
    members = [(str(key), member) for key, member in value.items()]
    return sorted(members, key=lambda member: bool(_NOISE.search(member[0])))


def member_words(key: str) -> str:
    """Return a member's name as words: `riskLevel` and `risk_level` as "Risk level"."""
    if not key.isidentifier() or not key.isascii():
        return printable(key)
    parts = _CAPITAL_INSIDE.sub("_", key).split("_")
    return as_words("_".join(part if part.isupper() else part.lower() for part in parts))


def nothing_words(value: object) -> str | None:
    """Return how a value reads that says nothing, None for any other."""
    if value is None:
        return "not set"
    if isinstance(value, Mapping | list | tuple):
        return "none"
    return "empty" if isinstance(value, str) and not printable(value).strip() else None


def value_words(value: object, name: str, zone: tzinfo = UTC) -> str:
    """Return how a scalar of the member `name` reads: numbers grouped, moments and yes or no in words."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int | float):
        return _number(value, name)
    return readable_moment(printable(str(value)), zone)


def _leaf(value: object, name: str) -> Markup:
    if (nothing := nothing_words(value)) is not None:
        return Markup('<span class="size">{}</span>').format(nothing)
    said = value_words(value, name)
    if isinstance(value, int | float):
        return Markup('<span class="literal">{}</span>').format(said)
    text = printable(str(value))
    if said != text:
        return Markup('<time title="{}">{}</time>').format(text, said)
    if len(text) <= _LONG_TEXT:
        return Markup('<span class="text" dir="auto">{}</span>').format(text)
    beginning = one_line(excerpt(text, _LONG_TEXT // 3)[0])
    return Markup('<details><summary dir="auto">{}…</summary><span class="text" dir="auto">{}</span></details>').format(
        beginning, text
    )


def _number(value: float, name: str) -> str:
    plain = one_line(value)
    if _NAMES_OF_NUMBERS.search(name) or not _FEWEST_GROUPED <= abs(value) < 1e15:
        return plain
    whole, point, fraction = plain.partition(".")
    return (
        f"{int(whole):,}{point}{fraction}"
        if whole.lstrip("-").isdigit() and fraction.isdigit() == bool(point)
        else plain
    )
