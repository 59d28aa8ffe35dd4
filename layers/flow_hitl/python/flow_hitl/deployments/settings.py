"""What a setting is: one entry at its field says all that the document, the form and the log need."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Literal, get_type_hints

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import YEAR_OF_MINUTES

MINUTES = (1, YEAR_OF_MINUTES)


class SettingsPart(StrEnum):
    """A part of the settings that one form changes, and nothing beside it."""

    EMAIL = "email"
    SLA = "sla"
    AUTO_RESPONSE = "auto-response"
    ANSWERS = "answers"
    PEOPLE = "people"
    REMINDERS = "reminders"
    GROUPS = "groups"
    RETENTION = "retention"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The entry of a setting, in the annotation of its field.

    `label` and `hint` are for whoever fills in the form; the text below the field is for readers of the API. An `own`
    widget is one that the part's form and template make. `limits` are the least and the greatest number, `choices` the
    values with their texts; a setting that is `optional` may be None.
    """

    label: str
    part: SettingsPart
    widget: Literal["toggle", "number", "text", "choice", "lines", "own"]
    hint: str = ""
    limits: tuple[int, int] | None = None
    choices: Sequence[tuple[str, str]] = ()
    optional: bool = False


def settings_of(owner: type) -> Mapping[str, Setting]:
    """Return the entries of a class's settings by name, in their order."""
    return {
        name: entry
        for name, hint in get_type_hints(owner, include_extras=True).items()
        for entry in getattr(hint, "__metadata__", ())
        if isinstance(entry, Setting)
    }
