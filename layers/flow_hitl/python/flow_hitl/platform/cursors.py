"""Cursors: a place in a list as text that fits a URL, and that its reader gives back as it is."""

import base64
import json
from typing import Any

from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import FieldError, ValidationFailed


def encode_cursor(place: Any) -> str:
    """Return a place, anything that JSON has, as text that fits a URL."""
    return base64.urlsafe_b64encode(canonical_json(place).encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> Any:
    """Return the place that a cursor holds, whatever that is; raises ValidationFailed for what is no cursor."""
    try:
        return json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, RecursionError):
        raise foreign_cursor() from None


def foreign_cursor() -> ValidationFailed:
    """Return the refusal of a cursor that is not ours."""
    return ValidationFailed([FieldError("/cursor", "is not valid; start again without it")])
