"""One control of an answer form."""

from collections.abc import Mapping, Sequence
from typing import Any

from flow_hitl.platform.records import dataclass


@dataclass(frozen=True, kw_only=True)
class FormField:
    """One labeled control; `widget` is `area`, `select`, or the type of an input.

    `choices` are values and texts. `more` are further attributes. `error` is what is wrong with `value`. `is_short`: a
    cell of a table has room for it, in two lines if it `is_wide`.
    """

    name: str
    label: str
    widget: str
    value: str
    hint: str | None = None
    choices: Sequence[tuple[str, str]] = ()
    optional: bool = False
    rows: int = 3
    more: Mapping[str, Any]
    error: str | None = None
    is_short: bool = False
    is_wide: bool = False
