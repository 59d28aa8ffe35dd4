"""Puts the description together: routes, operations, schemas."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flow_hitl.delivery.ask_flow import QuestionPayload
from flow_hitl.delivery.resume_flow import ResumePayload
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.people.access import KEY_NEEDS
from flow_hitl.platform.errors import (
    FlowHitlError,
    Forbidden,
    IdempotencyMismatch,
    Internal,
    MalformedJson,
    NotFound,
    PreconditionFailed,
    PreconditionRequired,
    RateLimited,
    TooLarge,
    Unauthorized,
    ValidationFailed,
)
from flow_hitl.webhooks.webhook import WebhookPayload
from infra.openapi import examples
from infra.openapi.operations import CURSOR, IF_MATCH, ONCE, OPERATIONS, TAGS, Answer, Body, Operation, Parameter
from infra.openapi.schemas import Json, all_errors, document_schemas, problem_schema, public, schema_name
from infra.routes import Route, api_routes

PATH = Path(__file__).resolve().parents[2] / "docs/openapi.json"


_INTRODUCTION = """\
The human review step for AI flows. A flow asks (`POST /v1/requests`); a person answers by email, on a page or through \
another application; the flow gets the answer.

Programs send `Authorization: Bearer hitl_…` with an API key of their deployment. Times are RFC 3339 in UTC with `Z` \
and whole seconds. Fields may be added to answers at any time.

Errors are `application/problem+json` (RFC 9457): a program decides by `type`, a person reads `detail`. API Gateway \
itself answers `{"message": "…"}` with status 429 when too much is asked of the whole service at once, and with 503 or \
504 when it cannot reach it; the same call may be repeated later."""

_HEADERS: dict[str, Json] = {
    "ETag": {
        "description": "The document's tag: send it as `If-Match` with a change.",
        "required": True,
        "schema": {"type": "string", "examples": ['"4f1c0e2d9b8a7c6d5e4f3a2b1c0d9e8f"']},
    },
    "Retry-After": {
        "description": "Seconds after which there is room again.",
        "required": True,
        "schema": {"type": "integer", "minimum": 0},
    },
}
_STATUS_SAYS = {
    400: "The body is no JSON.",
    401: "The API key or the signed URL is missing, altered, revoked or out of date.",
    403: "This is not permitted.",
    404: "There is no such thing, or it belongs to another deployment.",
    409: "The request is closed already.",
    410: "The link has expired.",
    412: "It was changed since you read it.",
    413: "The body is larger than 1 MiB, attachments aside.",
    422: "Something in the call is not as it must be.",
    428: "`If-Match` is missing.",
    429: "The deployment's quota is used up.",
    500: "Something went wrong on our side.",
}


def _within_path(name: str, description: str, **schema: Any) -> Parameter:
    shown = {"type": "string", **schema}
    return Parameter(name, description, shown, examples.PATH_NAMES[name], within="path", required=True)


_PATH_PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        _within_path("request_id", "The request's id.", format="uuid"),
        _within_path("deployment_id", "The deployment's id.", type="integer", minimum=1),
        _within_path("email", "The member's email address.", format="email"),
        _within_path("key_id", "The API key's id."),
        _within_path("webhook_id", "The webhook's id.", pattern="^wh_[0-9a-f]{32}$"),
        _within_path("delivery_id", "The delivery's id.", pattern="^dlv_[0-9a-f]{34}$"),
        _within_path("export_id", "The export's id.", pattern="^exp_[0-9a-f]{42}$"),
        _within_path("token", "What was signed; take the whole URL as it was sent to you."),
        _within_path("name", "The part's name."),
    )
}
_SIGNED_HEADERS = (
    Parameter(
        "X-Signature",
        'Verify it before you believe a word: `sha256=` and the hex HMAC-SHA256 of `"{X-Timestamp}.{raw body}"`, keyed '
        "by the whole signing secret.",
        {"type": "string", "pattern": "^sha256=[0-9a-f]{64}$"},
        within="header",
        required=True,
    ),
    Parameter(
        "X-Timestamp",
        "When it was signed, in Unix seconds. Refuse what is old.",
        {"type": "string", "pattern": "^[0-9]+$"},
        within="header",
        required=True,
    ),
)
_WEBHOOK_ID = Parameter("X-Webhook-Id", "The delivery: the same when it comes again.", within="header", required=True)
_IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key", "The request's id: the same when it comes again.", within="header", required=True
)
_TAKEN = {"2XX": {"description": "Taken. The body is not looked at, but for the delivery log."}}


def description() -> Json:
    """Return the OpenAPI document of the API's routes; what is `undescribed` is left out."""
    components, paths = _components(), dict[str, Json]()
    routes = {str(route): route for route in api_routes()}
    for name, operation in OPERATIONS.items():
        if name in routes:
            paths.setdefault(routes[name].path, {})[routes[name].method.lower()] = _operation(routes[name], operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Flow HITL", "version": "1", "description": _INTRODUCTION},
        # Relative to the description at /v1/openapi.json, so that it is right behind a base path too.
        "servers": [{"url": "..", "description": "Where this description came from"}],
        "tags": [{"name": name, "description": says} for name, says in TAGS.items()],
        "paths": paths,
        "webhooks": {event: _webhook(event) for event in (*WebhookEvent, "test")},
        "components": components,
    }


def undescribed() -> list[str]:
    """Return the API's routes that have no operation, and the operations that have no route."""
    return sorted(set(map(str, api_routes())) ^ OPERATIONS.keys())


def text() -> str:
    """Return the document as it is committed and served."""
    return json.dumps(description(), ensure_ascii=False, indent=2) + "\n"


# --- operations


def _operation(route: Route, operation: Operation) -> Json:
    document: Json = {
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": " ".join(filter(None, [operation.description, _needs(operation)])),
        "operationId": route.answered_by,
        # A key needs one of these permissions: each alternative is a requirement of its own.
        "security": [{"api_key": [permission]} for permission in _permissions(operation)],
        "parameters": [_parameter(one) for one in (*_named_in(route), *operation.parameters)],
        "responses": _responses(route, operation),
    }
    if operation.body:
        document["requestBody"] = _request_body(operation.body)
    if operation.body and operation.body.document.__name__ == "NewRequest":
        document["callbacks"] = {
            "decision": {"{$request.body#/resume_url}": {"post": _resumption()}},
            "question": {"{$request.body#/resume_url}": {"post": _question()}},
        }
    return {name: value for name, value in document.items() if value or name == "security"}


def _permissions(operation: Operation) -> list[str]:
    return sorted(KEY_NEEDS[operation.needs]) if operation.needs else []


def _needs(operation: Operation) -> str:
    names = " or ".join(f"`{permission}`" for permission in _permissions(operation))
    return f"The API key needs the permission {names}." if names else ""


def _named_in(route: Route) -> list[Parameter]:
    return [_PATH_PARAMETERS[name] for name in re.findall(r"{(\w+)}", route.path)]


def _parameter(parameter: Parameter) -> Json:
    # In the schema: one of the parameter's own would be filled in by Swagger UI, where nobody wants it.
    shown = {} if parameter.example is None else {"examples": [parameter.example]}
    return {
        "name": parameter.name,
        "in": parameter.within,
        "required": parameter.required,
        "description": parameter.description,
        "schema": {**parameter.schema, **shown},
    }


def _request_body(body: Body) -> Json:
    return {
        "required": body.required,
        "content": {"application/json": {"schema": _reference(body.document), "example": body.example}},
    }


def _responses(route: Route, operation: Operation) -> Json:
    found = {str(status): _answer(answer) for status, answer in operation.answers.items()}
    by_status: dict[int, list[type[FlowHitlError]]] = {}
    for error in sorted(_errors(route, operation), key=lambda error: (error.status, error.slug)):
        by_status.setdefault(error.status, []).append(error)
    for status, errors in by_status.items():
        response = _problem(errors, _STATUS_SAYS[status])
        if RateLimited in errors:
            response["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
        found[str(status)] = response
    found["500"] = _problem([Internal], _STATUS_SAYS[500])
    if operation.errors_are_pages:
        for code in (*map(str, by_status), "500"):
            found[code]["content"] = {"text/html": {"schema": {"type": "string"}}}
    if operation.has_page_for_missing:
        found["404"]["content"]["text/html"] = {"schema": {"type": "string"}}
    return found


def _problem(errors: Sequence[type[FlowHitlError]], description: str) -> Json:
    """Return the answer of a status whose errors have these schemas."""
    references = [{"$ref": f"#/components/schemas/{schema_name(error)}"} for error in errors]
    schema = references[0] if len(references) == 1 else {"oneOf": references}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


def _errors(route: Route, operation: Operation) -> set[type[FlowHitlError]]:
    """Return what can be wrong with a call: by its key, its path, its parameters, its body, and what it says itself."""
    found = set(operation.errors)
    if operation.needs:
        found |= {Unauthorized, Forbidden}
        if "{" in route.path:
            found.add(NotFound)
    if any(parameter.schema.keys() > {"type"} or parameter is CURSOR for parameter in operation.parameters):
        found.add(ValidationFailed)
    if any(parameter.name == ONCE.name for parameter in operation.parameters):
        found.add(IdempotencyMismatch)
    if IF_MATCH in operation.parameters:
        found |= {PreconditionFailed, PreconditionRequired}
    if operation.body:
        found |= {MalformedJson, TooLarge, ValidationFailed}
    return found


def _answer(answer: Answer) -> Json:
    content: Json = {name: {"schema": {"type": "string"}} for name in answer.media_types}
    if answer.document:
        content["application/json"] = {"schema": _reference(answer.document), "example": answer.example}
    elif "application/json" in content:
        content["application/json"] = {"schema": {"type": "object"}}
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    document = {"description": answer.description, "headers": headers, "content": content}
    return {name: value for name, value in document.items() if value}


# --- what is sent to others


def _webhook(event: str) -> Json:
    """Return what a webhook gets of an event; the example is that of `new_request` with the event's name."""
    summary = "A test ping" if event == "test" else f"The event {event}"
    example = {**examples.WEBHOOK_PAYLOAD, "event": event}
    if event == WebhookEvent.QUESTION_ASKED:
        example["request"] = {**example["request"], "question": examples.ASKED["thread"][0]}
    return {
        "post": {
            "summary": summary,
            "tags": ["Webhooks"],
            "security": [],
            "parameters": [_parameter(one) for one in (*_SIGNED_HEADERS, _WEBHOOK_ID)],
            "requestBody": _request_body(Body(WebhookPayload, example)),
            "responses": _TAKEN,
        }
    }


def _resumption() -> Json:
    return {
        "summary": "The answer, POSTed to the flow",
        "description": "Signed with the deployment's resume signing secret, and tried again for 24 hours until a 2xx.",
        "security": [],
        "parameters": [_parameter(one) for one in (*_SIGNED_HEADERS, _IDEMPOTENCY_KEY)],
        "requestBody": _request_body(Body(ResumePayload, examples.RESUME_PAYLOAD)),
        "responses": _TAKEN,
    }


def _question() -> Json:
    return {
        **_resumption(),
        "summary": "A reviewer's question, POSTed to the flow",
        "description": "Of a request with `questions`; signed and tried again like the answer. The `Idempotency-Key` "
        "is one per question. Answer it by `POST /v1/requests/{id}/answers`.",
        "requestBody": _request_body(Body(QuestionPayload, examples.QUESTION_PAYLOAD)),
    }


def _components() -> Json:
    operations = OPERATIONS.values()
    bodies = {one.body.document for one in operations if one.body}
    answers = {answer.document for one in operations for answer in one.answers.values() if answer.document}
    documents = document_schemas(bodies, answers | {WebhookPayload, ResumePayload, QuestionPayload})
    schemas = {**documents, **{schema_name(error): problem_schema(error) for error in all_errors()}}
    return {
        "schemas": dict(sorted(schemas.items())),
        "headers": _HEADERS,
        "securitySchemes": {
            "api_key": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API key of the deployment, `hitl_…`. `flow-hitl api-key issue` makes one.",
            }
        },
    }


def _reference(document: type) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{public(document.__name__)}"}
