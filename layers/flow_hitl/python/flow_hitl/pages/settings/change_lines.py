"""A change of a deployment's configuration in words, from the event with its before and after."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.deployments.deployment import AUTO_RESPONSE, SETTINGS

_LONGEST = 200


def lines_of(event: AuditEvent, only: Sequence[str] = ()) -> Sequence[str]:
    """Return a line for each thing that an event changed; `only` limits the members of the settings document."""
    # Each kind of event has its own documents; null for nothing.
    before: Any = event.data.get("before")
    after: Any = event.data.get("after")
    match event.kind:
        case EventKind.SETTINGS_CHANGED:
            return tuple(_settings(before, after, only))
        case EventKind.ROUTING_RULES_CHANGED:
            return tuple(_rules(before["rules"], after["rules"]))
        case EventKind.MEMBER_SET | EventKind.MEMBER_REMOVED:
            return tuple(
                _fields(before or {}, after or {}, ("permissions", "aliases", "timezone"), (after or before)["email"])
            )
        case (
            EventKind.WEBHOOK_CREATED
            | EventKind.WEBHOOK_CHANGED
            | EventKind.WEBHOOK_SECRET_ROTATED
            | EventKind.WEBHOOK_DELETED
        ):
            names = ("name", "url_host", "events", "active", "secret_signs_from")
            return tuple(_fields(before or {}, after or {}, names, f'webhook "{(after or before)["name"]}"'))
        case EventKind.RESUME_SECRET_ROTATED:
            return (f"Resume secret rotated: the new one takes effect {after['resume_secret_signs_from']}",)
        case EventKind.API_KEY_ISSUED:
            return (f'API key "{after["name"]}" issued',)
        case EventKind.API_KEY_REVOKED:
            return (f'API key "{before["name"]}" revoked',)
        case _:
            return ()


def _settings(before: Mapping[str, Any], after: Mapping[str, Any], only: Sequence[str]) -> Iterator[str]:
    for key in only or after:
        old, new = before.get(key), after.get(key)
        if key == "auto_response":
            for part in after[key]:
                yield from _change(AUTO_RESPONSE[part].label, (before.get(key) or {}).get(part), after[key][part])
        elif key == "groups":
            yield from _listed("Group", _by_name(old or ()), _by_name(new or ()))
        else:
            yield from _change(SETTINGS[key].label if key in SETTINGS else key, old, new)


def _rules(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    old, new = _by_name(before), _by_name(after)
    yield from _listed("Rule", old, new)
    if [name for name in old if name in new] != [name for name in new if name in old]:
        yield f"Rules reordered: {_cut(', '.join(new))}"


def _by_name(entries: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    return {str(entry.get("name") or entry.get("address") or ""): entry for entry in entries}


def _listed(what: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    for name in before:
        if name not in after:
            yield f'{what} "{_cut(name)}" removed'
    for name, entry in after.items():
        if name not in before:
            yield f'{what} "{_cut(name)}" added'
        elif before[name] != entry:
            yield f'{what} "{_cut(name)}" changed'


def _fields(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str], what: str) -> Iterator[str]:
    if not before:
        yield f"{what}: added"
    elif not after:
        yield f"{what}: removed"
    else:
        for name in names:
            yield from _change(f"{what}, {name.replace('_', ' ')}", before.get(name), after.get(name))


def _change(name: str, old: Any, new: Any) -> Iterator[str]:
    if old != new:
        yield f"{name}: {_said(old)} → {_said(new)}"


def _said(value: Any) -> str:
    match value:
        case None | []:
            return "none"
        case bool():
            return "on" if value else "off"
        case str() | int() | float():
            return _cut(str(value))
        case [*values] if all(isinstance(one, str) for one in values):
            return _cut(", ".join(values))
        case _:
            return _cut(json.dumps(value, ensure_ascii=False))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
