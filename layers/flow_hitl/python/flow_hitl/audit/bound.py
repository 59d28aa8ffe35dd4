"""What an event says of the records that are written with it, so that no record can change without its event."""

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import digest


def bound_digest(state: Any, *apart: str) -> str:
    """Return the hex SHA-256 of a dataclass's members, without those in `apart`.

    A member with its default value is left out, at every depth: adding one later changes no digest of before.
    """
    return digest({name: value for name, value in _set_members(state).items() if name not in apart})


def _set_members(state: Any) -> dict[str, Any]:
    members = ((one, getattr(state, one.name)) for one in fields(state))
    return {one.name: _plain(value) for one, value in members if not _is_default(one, value)}


def _plain(value: Any) -> Any:
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
