"""What the functions behind API Gateway share: the resolver, strict parsing, and problem documents."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flow_hitl.bootstrap import current
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import (
    FieldError,
    FlowHitlError,
    Internal,
    MalformedJson,
    NotAsLogged,
    NotFound,
    RateLimited,
    TooLarge,
    ValidationFailed,
)
from flow_hitl.platform.repeated_calls import Call
from flow_hitl.platform.telemetry import about, begin, logger
from flow_hitl.platform.times import parse_rfc3339
from functions.base_path import below
from functions.routing import NoRoute, Response, Routes

MAX_BODY_BYTES = 1024 * 1024
# Answers may hold secrets, and text by strangers that no browser should take for a page.
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def make_routes() -> Routes:
    """Return routes whose errors are the contract's problem documents."""
    app = Routes()
    app.on(FlowHitlError, problem)
    app.on(NotAsLogged, _changed)
    app.on(Exception, _unexpected)
    app.on(NoRoute, _no_route)
    return app


def wants_page(routes: Routes) -> bool:
    """Tell whether a browser is asking, rather than a program."""
    return "text/html" in (routes.asked.headers.get("accept") or "")


def json_response(status: int, body: Any) -> Response:
    """Return a JSON answer in UTF-8; `body` may hold the contract's dataclasses."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=as_json)
    return _answer(status, "application/json", text)


def no_content() -> Response:
    """Return the answer to a deletion; its body is a text because emulators of API Gateway refuse null."""
    return Response(204, body="")


def body_bytes(app: Routes, most: int = MAX_BODY_BYTES) -> bytes:
    """Return the body as it was sent; raises MalformedJson for invalid base64, and TooLarge above `most` bytes."""
    raw = app.asked.body
    try:
        body = base64.b64decode(raw) if app.asked.is_base64 else raw.encode("utf-8", "surrogatepass")
    except binascii.Error:
        raise MalformedJson("The body is marked as base64 but is not valid base64.") from None
    if len(body) > most:
        raise too_large()
    return body


def too_large() -> TooLarge:
    return TooLarge(
        "A body may be at most 1 MiB (1,048,576 bytes), and a request's attachments 3 MiB more; host larger content "
        "elsewhere and link to it."
    )


def call_of(routes: Routes, deployment_id: int, *operation: str) -> Call | None:
    """Return the call, if it has an `Idempotency-Key`; `operation` names what is asked for, and of which thing.

    Raises ValidationFailed for an invalid key, and what `body_bytes` raises.
    """
    key = idempotency_key(routes)
    if key is None:
        return None
    digest = hashlib.sha256(_meaning(body_bytes(routes) or b"{}")).hexdigest()
    return Call(deployment_id, "/".join(operation), key, digest, current().clock.now())


def idempotency_key(routes: Routes) -> str | None:
    """Return the `Idempotency-Key` header, if there is one; raises ValidationFailed."""
    key = routes.asked.headers.get("idempotency-key")
    if key is not None and not _IDEMPOTENCY_KEY.fullmatch(key):
        raise ValidationFailed([FieldError("", "Idempotency-Key must be 1 to 255 visible ASCII characters")])
    return key


def _meaning(body: bytes) -> bytes:
    """Return a form that is the same for bodies with equal JSON."""
    try:
        return canonical_json(json.loads(body)).encode()
    except (ValueError, RecursionError):
        return body


def uuid_in(path_part: str) -> str:
    """Return the request id in a path, in lower case; raises NotFound unless it is a UUID."""
    if not _UUID.fullmatch(path_part):
        raise NotFound("There is no such request.")
    about(request_id=path_part.lower())
    return path_part.lower()


def query(routes: Routes, name: str) -> str | None:
    """Return a query parameter, None if it is missing or empty."""
    return routes.asked.query.get(name) or None


def query_moment(routes: Routes, name: str) -> datetime | None:
    """Return a query parameter that is a time, None if it is missing or empty; raises ValidationFailed."""
    text = query(routes, name)
    try:
        return parse_rfc3339(text) if text else None
    except ValueError:
        raise ValidationFailed([FieldError(f"/{name}", "must be a time such as 2026-01-14T12:00:00Z")]) from None


def query_integer(app: Routes, name: str, default: int, lowest: int, highest: int) -> int:
    """Return a query parameter that is a whole number within bounds; raises ValidationFailed."""
    text = app.asked.query.get(name)
    if text is None:
        return default
    if text.isascii() and text.isdigit() and len(text) <= 9 and lowest <= int(text) <= highest:
        return int(text)
    raise ValidationFailed([FieldError(f"/{name}", f"must be a whole number from {lowest} to {highest}")])


def problem(error: FlowHitlError) -> Response:
    """Return an error as `application/problem+json` (RFC 9457)."""
    document = {
        "type": f"urn:flow-hitl:problem:{error.slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        **error.extra(),
    }
    text = json.dumps(document, ensure_ascii=False, default=as_json)
    response = _answer(error.status, "application/problem+json", text)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def lambda_entry(app: Routes) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Return the Lambda handler of routes; below the path of `base_url`, if it has one."""

    @wraps(app.resolve)
    def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
        begin(str((event.get("requestContext") or {}).get("requestId") or context.aws_request_id))
        base_path = urlsplit(current().settings.base_url).path
        return below(base_path, app.resolve, event, context) if base_path else app.resolve(event, context)

    return handler


def _answer(status: int, content_type: str, body: str) -> Response:
    headers: dict[str, str] = dict(_HEADERS)
    return Response(status, content_type, body, headers=headers)


def _changed(error: NotAsLogged) -> Response:
    log_changed(error)
    return problem(error)


def log_changed(error: NotAsLogged) -> None:
    """Tell the operator that somebody has changed what is stored."""
    logger.exception("unexpected", error=type(error).__name__)


def _unexpected(error: Exception) -> Response:
    logger.exception("unexpected", error=type(error).__name__)
    return problem(Internal())


def _no_route(_error: Exception) -> Response:
    return problem(NotFound("There is nothing at this path."))
