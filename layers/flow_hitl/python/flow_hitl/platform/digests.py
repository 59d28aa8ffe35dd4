"""Canonical JSON, and the hashes that are taken of it and of secrets."""

import hashlib
import json
from typing import Any


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")


_stored = json.JSONDecoder(parse_constant=_no_number)
# Trees alone come here: to look out for circles takes a tenth of the time.
_canonical = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False
)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no white space, UTF-8 kept."""
    return _canonical.encode(value)


def stored_json(text: str) -> Any:
    """Return what a stored JSON text holds; raises ValueError or RecursionError for one that we never wrote."""
    value = _stored.decode(text)
    if "\\u" in text:
        # Half a character, which no text can hold, is an error now and not where it is shown.
        json.dumps(value, ensure_ascii=False).encode()
    return value


def digest(value: Any) -> str:
    """Return the hex SHA-256 of a JSON value's canonical text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def secret_digest(secret: str) -> str:
    """Return the hex SHA-256 under which an API key's secret is kept; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
