"""Every error of the API as a schema of `application/problem+json`, taken from the classes that raise them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.errors import (
    AlreadyResponded,
    FlowHitlError,
    NothingToResume,
    NotPending,
    RateLimited,
    ValidationFailed,
)
from flow_hitl.requests.request import Status

PROBLEM_MEDIA_TYPE = "application/problem+json"
INTERNAL = "InternalProblem"
# What can only go wrong on the dashboard, whose pages say it to people.
_OF_PAGES = (NothingToResume,)

Schema = dict[str, Any]

_BASE: Schema = {
    "type": {"description": "Which error this is; programs decide by it.", "type": "string", "format": "uri"},
    "title": {"description": "The error in a few words.", "type": "string"},
    "status": {"description": "The HTTP status.", "type": "integer"},
    "detail": {"description": "What is wrong here, and what to do about it.", "type": "string"},
}
_FIELD_ERROR: Schema = {
    "type": "object",
    "required": ["field", "message"],
    "properties": {
        "field": {
            "description": "JSON pointer (RFC 6901) of the field, or `/` and a parameter's name; empty for the whole.",
            "type": "string",
        },
        "message": {"description": "What the field must be.", "type": "string"},
    },
}
# What a problem carries beside the usual four: a schema and an example of each member.
_EXTRA: dict[type[FlowHitlError], dict[str, tuple[Schema, Any]]] = {
    AlreadyResponded: {
        "responded_via": ({"type": "string", "enum": list(Channel), "description": "How the answer came."}, "email"),
        "responded_at": (
            {"type": "string", "format": "date-time", "description": "When it came."},
            "2026-01-14T12:30:00Z",
        ),
        "outcome": ({"type": ["string", "null"], "description": "The outcome that was chosen."}, "approved"),
    },
    NotPending: {
        "request_status": (
            {"type": "string", "enum": list(Status), "description": "The request's status."},
            "cancelled",
        ),
    },
    RateLimited: {
        "quota": ({"type": "string", "description": "Which quota it is."}, "requests_per_hour"),
        "limit": ({"type": "integer", "description": "How much it allows."}, 1000),
        "retry_after": ({"type": "integer", "description": "Seconds after which there is room again."}, 1200),
    },
    ValidationFailed: {
        "errors": (
            {"type": "array", "items": _FIELD_ERROR, "description": "Each field that is wrong."},
            [{"field": "/emit_options/0", "message": "must not be blank"}],
        ),
    },
}

_DETAILS = {
    "malformed-json": "This is no JSON in UTF-8: expected value at line 1 column 1.",
    "unauthorized": "Send the header `Authorization: Bearer hitl_…` with an API key of your deployment.",
    "forbidden": 'The API key "production" may not do this; it needs manage_human_feedback.',
    "not-found": "There is no such request.",
    "already-responded": "This request was answered before; the first answer counts.",
    "already-resumed": "Somebody else has claimed the resumption of this flow: leave it to them. If they can no longer "
    "do it, report resume_failed; then claim it again.",
    "not-pending": "This request is cancelled; it takes no answer.",
    "expired": "This link has expired. Ask for a redelivery.",
    "precondition-failed": "This was changed since you read it. Read it again, apply your change, and send that.",
    "too-large": "A body may be at most 1 MiB (1,048,576 bytes); host larger content elsewhere and link to it.",
    "validation": "/emit_options/0: must not be blank",
    "idempotency-mismatch": "This id or Idempotency-Key stands for a request with another body.",
    "precondition-required": "Send the ETag of what you have read as `If-Match`, or `If-Match: *` to replace "
    "whatever is there.",
    "rate-limited": "This deployment may use 1,000 requests per hour, and has. Try again after 2026-01-14T13:00:00Z, "
    "or ask your operator to raise the quota (flow-hitl deployment quota).",
    "internal": "No partial change was saved. Send the same request again; an id or Idempotency-Key makes that safe.",
}


def schema_name(error: type[FlowHitlError]) -> str:
    """Return the name of an error's schema: `AlreadyRespondedProblem` for `already-responded`."""
    return "".join(word.capitalize() for word in error.slug.split("-")) + "Problem"


def problem_schemas(errors: Iterable[type[FlowHitlError]]) -> dict[str, Schema]:
    """Return the schema of each error, and that of what goes wrong on our side, by name."""
    schemas = {schema_name(error): _schema(error.slug, error.status, error.title, _extra(error)) for error in errors}
    schemas[INTERNAL] = _schema("internal", 500, "Internal error", {})
    return dict(sorted(schemas.items()))


def problem_response(names: Sequence[str], description: str) -> Schema:
    """Return the answer of a status whose errors have these schemas."""
    references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    return {"description": description, "content": {PROBLEM_MEDIA_TYPE: {"schema": schema}}}


def all_errors() -> list[type[FlowHitlError]]:
    """Return one class for each slug that the API has, the most general."""
    by_slug: dict[str, type[FlowHitlError]] = {}
    for error in _subclasses(FlowHitlError):
        if hasattr(error, "slug") and error not in _OF_PAGES:
            by_slug.setdefault(error.slug, error)
    return sorted(by_slug.values(), key=lambda error: (error.status, error.slug))


def _subclasses(parent: type[FlowHitlError]) -> Iterator[type[FlowHitlError]]:
    for child in parent.__subclasses__():
        yield child
    for child in parent.__subclasses__():
        yield from _subclasses(child)


def _extra(error: type[FlowHitlError]) -> dict[str, tuple[Schema, Any]]:
    return _EXTRA.get(error, {})


def _schema(slug: str, status: int, title: str, extra: dict[str, tuple[Schema, Any]]) -> Schema:
    type_urn = f"urn:flow-hitl:problem:{slug}"
    properties = {
        **_BASE,
        "type": {**_BASE["type"], "const": type_urn},
        "status": {**_BASE["status"], "const": status},
        **{name: schema for name, (schema, _) in extra.items()},
    }
    example = {"type": type_urn, "title": title, "status": status, "detail": _DETAILS[slug]}
    return {
        "title": title,
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "examples": [{**example, **{name: value for name, (_, value) in extra.items()}}],
    }
