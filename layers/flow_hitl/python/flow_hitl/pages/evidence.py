"""What a page shows of a request is hashed and signed into its form, so that the answer proves it."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from flow_hitl.mails.contexts import RequestView
from flow_hitl.platform.digests import digest
from flow_hitl.platform.errors import TokenInvalid
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.times import rfc3339
from flow_hitl.requests.deciding import web_tokens
from flow_hitl.requests.evidence import Shown, ShownKind


def sign_page(keys: KeyRing, request_id: str, view: RequestView) -> str:
    """Return the form's hidden field `shown`, for the responder of the view."""
    return web_tokens.sign_shown(keys, request_id, view.assigned_to, digest(document(view)))


def page_shown(keys: KeyRing, request_id: str, responder: str, signed: str | None) -> Shown | None:
    """Return what a form proves that its page showed to a responder, None if it proves nothing."""
    try:
        sha256 = web_tokens.read_shown(keys, signed or "", request_id, responder)
    except TokenInvalid:
        return None
    return Shown(ShownKind.PAGE, sha256)


def document(value: Any) -> Any:
    """Return what a page is made from as JSON, with times in RFC 3339."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: document(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, Mapping):
        return {str(name): document(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [document(member) for member in value]
    return value
