"""How the fields of an editable output stand: a list of objects as a table or cards, all else one below the other."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from flow_hitl.pages.requests.form_field import FormField
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import as_words

Path = tuple[int | str, ...]

_MOST_COLUMNS = 5


@dataclass(frozen=True)
class EditRow:
    """One object of a list: its name, and its fields, None where a column has none."""

    label: str
    fields: Sequence[FormField | None]


@dataclass(frozen=True, kw_only=True)
class EditGroup:
    """One field, or the `rows` of a list of objects: with `columns` a table, else cards."""

    field: FormField | None = None
    label: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[EditRow] = ()


def laid_out(output: Any, fields: Sequence[tuple[Path, FormField]]) -> Sequence[EditGroup]:
    """Return the fields of an output, each with the steps to its value, in their order and grouped by list."""
    groups: list[EditGroup] = []
    for place, members in groupby(fields, lambda one: _list_of(output, one[0])):
        if place is None:
            groups += [EditGroup(field=field) for _, field in members]
        else:
            groups.append(_group(place, list(members)))
    return groups


def _list_of(output: Any, path: Path) -> Path | None:
    """Return the steps to the outermost list of objects that a value stands in, if there is one."""
    value = output
    for number, step in enumerate(path):
        if isinstance(step, int) and len(value) > 1 and all(isinstance(one, Mapping) for one in value):
            return path[:number]
        value = value[step]
    return None


def _group(place: Path, members: Iterable[tuple[Path, FormField]]) -> EditGroup:
    depth, rows = len(place), dict[int | str, dict[Path, FormField]]()
    for path, field in members:
        rows.setdefault(path[depth], {})[path[depth + 1 :]] = field
    named = [_words(place[-1])] if place and isinstance(place[-1], str) else []
    label = " ".join(named) or "Rows"
    columns = list(dict.fromkeys(rest for row in rows.values() for rest in row))
    short = all(len(rest) == 1 for rest in columns) and all(
        field.is_short for row in rows.values() for field in row.values()
    )
    if short and len(columns) <= _MOST_COLUMNS:
        heads = [_words(rest[0]) for rest in columns]
        lines = [EditRow(_number(row), [found.get(rest) for rest in columns]) for row, found in rows.items()]
        return EditGroup(label=label, columns=heads, rows=lines)
    cards = [
        EditRow(
            f"{label} {_number(row)}",
            [replace(field, label=" › ".join(map(_number, rest))) for rest, field in found.items()],
        )
        for row, found in rows.items()
    ]
    return EditGroup(label=label, rows=cards)


def _number(step: int | str) -> str:
    return str(step + 1) if isinstance(step, int) else step


def _words(step: int | str) -> str:
    return as_words(step) if isinstance(step, str) else _number(step)
