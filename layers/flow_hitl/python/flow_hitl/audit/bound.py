"""What an event says of the records that are written with it, so that no record can change without its event."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import Any

from flow_hitl.contract.shapes import PLAIN, as_json
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
    return digest({name: value for name, value in _set_members(state).items() if name not in apart})


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
    members = ((one, getattr(state, one.name)) for one in _fields(kind))
    return {one.name: _plain(value) for one, value in members if not _is_default(one, value)}


_fields = cache(fields)


def _plain(value: Any) -> Any:
    if type(value) in PLAIN:
        return value
    if hasattr(value, "__dataclass_fields__"):
        return _set_members(value)
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return as_json(value)


def _is_default(one: "Field[Any]", value: Any) -> bool:
    if one.default_factory is not MISSING:
        return bool(value == one.default_factory())
    return bool(one.default is not MISSING and value == one.default)
