"""What an event says of the records that are written with it, so that no record can change without its event."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any

from flow_hitl.contract.shapes import PLAIN, kind_of, writer_of
from flow_hitl.platform.digests import digest

STATE_BEFORE = "state_before"
"""In an event: what its writer had found, as the first half of the digest that the event before has of it.

Else what somebody changed in a record would be bound by whatever happens next.
"""
HALF = 32
"""How many of its 64 digits that is."""


def state_before(digest_before: str) -> dict[str, str]:
    """Return what an event says of the record that it changed."""
    return {STATE_BEFORE: digest_before[:HALF]}


def bound_digest(state: Any, *apart: str) -> str:
    """Return the hex SHA-256 of a dataclass's members, without those in `apart`.

    A member with its default value is left out, at every depth: adding one later changes no digest of before.
    """
    members = _set_members(state)
    for name in apart:
        members.pop(name, None)
    return digest(members)


def is_as_written(doc: object, read: Any) -> bool:
    """Tell whether a stored JSON text holds what was read from it, given as JSON, and nothing beside.

    A reader overlooks a member that it does not know, the first of two with one name, and a number that is text: no
    digest covers these. Members may be left out. Raises ValueError and RecursionError for what is no JSON.
    """
    return isinstance(doc, str) and _is_part(json.loads(doc, object_pairs_hook=_once), read)


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) < len(members):
        raise ValueError("it has a member twice")
    return dict(members)


def _is_part(one: Any, whole: Any) -> bool:
    if type(one) is not type(whole):
        return False
    if isinstance(one, dict):
        return all(name in whole and _is_part(value, whole[name]) for name, value in one.items())
    if isinstance(one, list):
        if all(isinstance(value, str) for value in one + whole):
            # A set has no order, and each process another one; that of a list is in its digest.
            return sorted(one) == sorted(whole)
        return len(one) == len(whole) and all(map(_is_part, one, whole))
    return bool(one == whole)


def _set_members(state: Any) -> dict[str, Any]:
    kind: Any = type(state)
    held = vars(state)
    return {
        name: value if type(value) in PLAIN else _written(kind_of(value))(value)
        for name, default in _defaults(kind)
        if (value := held[name]) is not default and value != default
    }


@cache
def _defaults(kind: Any) -> Sequence[tuple[str, Any]]:
    """Return of each member its name and its default; MISSING, which equals no value, of none."""
    return [
        (one.name, one.default if one.default_factory is MISSING else one.default_factory()) for one in fields(kind)
    ]


def _plain(value: Any) -> Any:
    kind = kind_of(value)
    return value if kind in PLAIN else _written(kind)(value)


@cache
def _written(kind: Any) -> Callable[[Any], Any]:
    """Return what makes JSON of a value of a type that is none of PLAIN."""
    if is_dataclass(kind):
        return _set_members
    if issubclass(kind, Mapping):
        return lambda value: {name: _plain(one) for name, one in value.items()}
    if issubclass(kind, list | tuple):
        return lambda value: [_plain(one) for one in value]
    return writer_of(kind)
