"""Holds calls and answers against the API's description: what is not described there does not happen."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

from infra.local.hitl_fixture import Answer
from infra.routes import is_api

Json = dict[str, Any]
PATH = Path(__file__).parents[2] / "docs/openapi.json"


def check(method: str, path: str, body: str | bytes | None, answer: Answer) -> None:
    """Fail unless the description has this answer to this call, and this body for it if it was taken.

    What is not part of the API is not described, and not looked at.
    """
    if not is_api(urlsplit(path).path):
        return
    call = f"{method} {path}"
    operation = operation_of(method, urlsplit(path).path)
    if operation is None:
        assert answer.status == 404, f"{call} is not described"
        assert answer.json["type"] == "urn:flow-hitl:problem:not-found"
        return
    response = operation["responses"].get(str(answer.status))
    assert response, f"{call}: the status {answer.status} is not described: {answer.text[:500]}"
    _check_content(call, response.get("content", {}), answer)
    for name, reference in response.get("headers", {}).items():
        header = answer.headers.get(name)
        assert header is not None, f"{call}: the answer lacks {name}"
        schema = _resolved(reference)["schema"]
        _check(f"{call}: {name}", schema, int(header) if schema["type"] == "integer" else header)
    if answer.status < 300 and body and "requestBody" in operation:
        taken = operation["requestBody"]["content"]["application/json"]["schema"]
        _check(f"{call}: this body was taken", taken, json.loads(body))


def operation_of(method: str, path: str) -> Json | None:
    """Return the operation that answers at a path; one whose path has no names goes first."""
    for pattern, item in _paths():
        if pattern.fullmatch(path) and method.lower() in item:
            found: Json = item[method.lower()]
            return found
    return None


def fits(schema: Json, value: Any) -> str | None:
    """Return why a value does not fit a schema of the description, or None if it does; no field may be undescribed."""
    error = next(iter(_validator(json.dumps(schema)).iter_errors(value)), None)
    return f"{error.message} at {list(error.instance_path)}" if error else None


def _check_content(call: str, content: Json, answer: Answer) -> None:
    if not content:
        assert answer.text == "", f"{call}: no content is described"
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    assert media_type in content, f"{call}: {media_type} is not described for {answer.status}"
    if media_type.endswith("json"):
        _check(call, content[media_type]["schema"], answer.json)


def _check(what: str, schema: Json, value: Any) -> None:
    assert (wrong := fits(schema, value)) is None, f"{what}: {wrong}"


@cache
def document() -> Json:
    """Return the committed description, in which no object may have a field that is not described."""
    closed: Json = _closed(json.loads(PATH.read_text("utf-8")))
    return closed


@cache
def _paths() -> list[tuple[re.Pattern[str], Json]]:
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), item) for path, item in paths]


@cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _resolved(reference: Json) -> Json:
    found: Any = document()
    for part in reference["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _closed(value: Any) -> Any:
    if isinstance(value, list):
        return [_closed(one) for one in value]
    if not isinstance(value, dict):
        return value
    # What an example says is no schema, even if it looks like one.
    closed = {name: one if name in ("example", "examples") else _closed(one) for name, one in value.items()}
    # An object's schema, and no field that happens to be called so.
    if value.get("type") == "object" and isinstance(value.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed
