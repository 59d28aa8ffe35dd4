"""The settings as forms: the fields of each part, and the document that they make.

A number that cannot be read stays text, so that the validation of settings refuses it and names the field.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from flow_hitl.deployments.deployment import SETTINGS
from flow_hitl.deployments.settings import Setting, SettingsPart
from flow_hitl.platform.errors import FieldError

Fields = Mapping[str, str]
Document = Mapping[str, Any]

MOST_REMINDERS = 10
_MAX_DIGITS = 9


PARTS: Mapping[SettingsPart, Mapping[str, Setting]] = {
    part: {name: setting for name, setting in SETTINGS.items() if setting.part is part} for part in SettingsPart
}
"""The settings of each part, by their name in the settings document."""


def members_of(part: SettingsPart, document: Document) -> Document:
    """Return a part of the settings document; its form's ETag ignores changes of other parts."""
    return {name: document[name] for name in PARTS[part]}


def fields_of(part: SettingsPart, document: Document) -> Fields:
    """Return the fields of a part, except for groups."""
    match part:
        case SettingsPart.AUTO_RESPONSE:
            return auto_response_fields(document["auto_response"])
        case SettingsPart.REMINDERS:
            return _reminder_fields(document["reminders"])
        case _:
            return {name: text_of(document[name]) for name in PARTS[part]}


def document_of(part: SettingsPart, fields: Fields) -> Document:
    """Return the members of the settings document in the form of a part, except for groups."""
    match part:
        case SettingsPart.AUTO_RESPONSE:
            return {"auto_response": auto_response_in(fields, enabled=ticked(fields, "enabled"))}
        case SettingsPart.REMINDERS:
            return {"reminders": [_reminder(fields, row) for row in _reminder_rows(fields)]}
        case SettingsPart.GROUPS:
            raise ValueError("groups have a form each")
        case _:
            return {name: _value_in(fields, name, setting) for name, setting in PARTS[part].items()}


def problem_of(part: SettingsPart, fields: Fields, error: FieldError) -> tuple[str, str]:
    """Return which field of a part's form an error is about, and what to say there."""
    first, *rest = error.field.lstrip("/").split("/")
    match part:
        case SettingsPart.AUTO_RESPONSE:
            return (rest[-1] if rest else ""), sentence(error)
        case SettingsPart.REMINDERS if rest:
            row = _reminder_rows(fields)[int(rest[0])]
            return f"reminder_{row}_number", "Enter whole minutes, or a percentage from 1 to 100."
        case _ if rest and PARTS[part][first].widget == "lines":
            return first, quoted(lines_in(fields, first), rest[0], error)
        case _:
            return first, sentence(error)


def group_fields(group: Document) -> Fields:
    """Return the fields of a group."""
    return {
        "name": group.get("name") or "",
        "address": group.get("address") or "",
        "members": "\n".join(group.get("members", ())),
    }


def group_of(fields: Fields) -> Document:
    """Return the group in a form."""
    named = {key: text_in(fields, key) for key in ("name", "address")}
    return {**{key: value for key, value in named.items() if value is not None}, "members": lines_in(fields, "members")}


def group_problem(fields: Fields, error: FieldError) -> tuple[str, str]:
    """Return which field of a group's form an error is about, and what to say there."""
    _, _, *rest = [*error.field.lstrip("/").split("/"), ""]
    match [one for one in rest if one]:
        case []:
            return "name", "Give the group a name, the address of a shared mailbox, or both."
        case ["name"]:
            return "name", "Enter a name that no other group has, up to 256 characters, without the prefix group:."
        case ["address"]:
            return "address", "Enter one plain email address that no other group has, for example finance@example.com."
        case ["members", place]:
            return "members", quoted(lines_in(fields, "members"), place, error)
        case _:
            return "members", "Enter 1 to 50 people, one email address per line."


def auto_response_fields(document: Document | None) -> dict[str, str]:
    """Return the fields of an auto-response."""
    found = document or {}
    return {key: text_of(found.get(key)) for key in ("enabled", "timeout_minutes", "default_outcome")}


def auto_response_in(fields: Fields, *, enabled: bool) -> Document:
    """Return the auto-response in a form."""
    return {
        "enabled": enabled,
        "timeout_minutes": number_in(fields, "timeout_minutes"),
        "default_outcome": text_in(fields, "default_outcome"),
    }


def text_of(value: Any) -> str:
    """Return a value as a field's text: "" for None and False, a line for each item of a list."""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    if isinstance(value, bool):
        return "on" if value else ""
    return "" if value is None else str(value)


def _value_in(fields: Fields, name: str, setting: Setting) -> Any:
    match setting.widget:
        case "toggle":
            return ticked(fields, name)
        case "number":
            return number_in(fields, name)
        case "lines":
            return lines_in(fields, name)
        case _:
            return fields.get(name, "")


def ticked(fields: Fields, name: str) -> bool:
    """Tell whether a box is checked; browsers do not send unchecked ones."""
    return bool(fields.get(name))


def text_in(fields: Fields, name: str) -> str | None:
    """Return a field's text, None if it is empty."""
    return fields.get(name, "").strip() or None


def number_in(fields: Fields, name: str) -> int | str | None:
    """Return a field's whole number, None if it is empty, or any other text as it is."""
    text = text_in(fields, name)
    whole = text is not None and text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    return int(text) if text is not None and whole else text


def lines_in(fields: Fields, name: str) -> list[str]:
    """Return the non-blank lines of a field; commas and semicolons separate like line ends."""
    text = fields.get(name, "").replace(",", "\n").replace(";", "\n")
    return [line.strip() for line in text.splitlines() if line.strip()]


def quoted(values: Sequence[str], place: str, error: FieldError) -> str:
    """Return the sentence about one of several values."""
    value = values[int(place)] if place.isdigit() and int(place) < len(values) else ""
    return f'"{value}" {error.message}.'


def sentence(error: FieldError) -> str:
    """Return what is wrong with a field, or with the whole form, as a sentence."""
    if error.field:
        return f"This {error.message}."
    return f"{error.message[:1].upper()}{error.message[1:]}."


def _reminder_fields(reminders: Sequence[Document]) -> Fields:
    """Return the rows of the reminders, and an empty one."""
    fields: dict[str, str] = {}
    for row, reminder in enumerate([*reminders, {}][:MOST_REMINDERS]):
        share, minutes = reminder.get("share_of_sla"), reminder.get("minutes_before_timeout")
        fields[f"reminder_{row}_kind"] = "minutes_before_timeout" if minutes is not None else "share_of_sla"
        fields[f"reminder_{row}_number"] = text_of(minutes if share is None else _percent(share))
    return fields


def reminder_rows(fields: Fields) -> int:
    """Return how many rows of reminders a form has."""
    return sum(f"reminder_{row}_number" in fields for row in range(MOST_REMINDERS))


def _reminder_rows(fields: Fields) -> list[int]:
    """Return the rows that are filled in."""
    return [row for row in range(MOST_REMINDERS) if text_in(fields, f"reminder_{row}_number")]


def _reminder(fields: Fields, row: int) -> Document:
    name = f"reminder_{row}_number"
    if fields.get(f"reminder_{row}_kind") == "minutes_before_timeout":
        return {"minutes_before_timeout": number_in(fields, name)}
    text = fields[name].strip().removesuffix("%").strip()
    try:
        return {"share_of_sla": float(Decimal(text) / 100)}
    except ArithmeticError:
        return {"share_of_sla": text}


def _percent(share: float) -> str:
    return f"{(Decimal(str(share)) * 100).normalize():f}"
