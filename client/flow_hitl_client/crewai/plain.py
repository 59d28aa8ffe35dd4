"""Values of flows as plain JSON."""

import json
from datetime import datetime, timezone
from typing import Any, Literal

import pydantic
import pydantic_core


def plain_json(value: Any, *, nan: Literal["null", "constants"] = "null") -> Any:
    """Return the value as plain JSON: models, dataclasses, and dates as pydantic writes them, anything else as text.

    NaN becomes null, or with `constants` what Python's own parser reads back.
    """
    return json.loads(pydantic_core.to_json(value, fallback=str, inf_nan_mode=nan, bytes_mode="base64"))


def state_of(flow: Any) -> Any:
    """Return the flow's state itself: from 1.10 on `flow.state` is a proxy, which serializes to nothing."""
    state = flow.state
    unwrap = getattr(type(state), "_unwrap", None)
    return state if unwrap is None else unwrap(state)


def stored_state_of(flow: Any) -> Any:
    """Return the flow's state as plain JSON that becomes the same state again."""
    state = state_of(flow)
    # A model would write its own NaN as null.
    return plain_json(state.model_dump() if isinstance(state, pydantic.BaseModel) else state, nan="constants")


def rfc3339(moment: datetime) -> str:
    """Return the moment (of this machine's time zone, if it names none) as the API writes times."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
