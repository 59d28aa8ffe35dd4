"""Canonical JSON, and the hashes that are taken of it and of secrets."""

import hashlib
import json
from typing import Any

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no white space, UTF-8 kept."""
    return _canonical.encode(value)


def digest(value: Any) -> str:
    """Return the hex SHA-256 of a JSON value's canonical text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def secret_digest(secret: str) -> str:
    """Return the hex SHA-256 under which an API key's secret is kept; 256 random bits need no slow hash."""
    return hashlib.sha256(secret.encode()).hexdigest()
