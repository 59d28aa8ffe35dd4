"""A flow reaches a review point: its request is checked, routed and written with its first audit event."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue

from flow_hitl.domain.access import Action, KeyHolder, authorize
from flow_hitl.domain.audit import canonical_json
from flow_hitl.domain.deployment import Deployment, FreeText
from flow_hitl.domain.errors import FieldError, IdempotencyMismatch, MalformedJson
from flow_hitl.domain.matching import match_outcome
from flow_hitl.domain.request import Content, Request, opened
from flow_hitl.domain.routing import assign
from flow_hitl.ports import Clock, IdempotencyKey, Ids, RequestStore
from flow_hitl.services.documents import Document, MailAddress, Minutes, Name, NotBlank, refuse

_KEY_DAYS = 7


def _uuid_text(value: str) -> str:
    try:
        parsed = str(uuid.UUID(value))
    except ValueError:
        parsed = ""
    if parsed != value.lower():
        raise ValueError("must be a UUID, for example 0192f0c1-7e11-7abc-8def-0123456789ab")
    return parsed


class AutoResponseWish(Document):
    """The auto-response that a request asks for itself."""

    timeout_minutes: Minutes
    default_outcome: Name


class HistoryEntry(Document):
    """One earlier round of the flow."""

    method: str
    at: str | None = None
    output: JsonValue = None


class NewRequest(Document):
    """The body of `POST /v1/requests`; the contract's names, everything else is refused."""

    flow_id: Name
    method_name: Name
    message: Annotated[str, NotBlank]
    id: Annotated[str, AfterValidator(_uuid_text)] | None = None
    flow_name: Name | None = None
    output: JsonValue = None
    emit_options: Annotated[list[Annotated[str, Field(max_length=100), NotBlank]], Field(max_length=20)] = []
    state: dict[str, JsonValue] = {}
    metadata: dict[str, JsonValue] = {}
    history: Annotated[list[HistoryEntry], Field(max_length=100)] = []
    resume_url: Annotated[str, Field(max_length=2048)] | None = None
    assigned_to_email: MailAddress | None = None
    auto_response: AutoResponseWish | None = None
    sla_target_minutes: Minutes | None = None
    free_text: FreeText | None = None

    @property
    def says_auto_response(self) -> bool:
        """Tell whether the body names `auto_response` at all: null means never, absence means inherit."""
        return "auto_response" in self.model_fields_set


@dataclass(frozen=True)
class Opened:
    """The request, and whether this call made it (else it stood there from an earlier one)."""

    request: Request
    created: bool


@dataclass(frozen=True)
class OpenRequest:
    """Open a request: one transaction, or none if the same call was made before."""

    requests: RequestStore
    clock: Clock
    ids: Ids
    insecure_urls_allowed: bool

    def __call__(self, holder: KeyHolder, wish: NewRequest, idempotency_key: str | None = None) -> Opened:
        """Return the request; the caller's `id`, or else its idempotency key, makes a repeated call harmless.

        Raises Forbidden, ValidationFailed, and IdempotencyMismatch if the key stands for another body.
        """
        authorize(holder, Action.CREATE)
        deployment, now = holder.deployment, self.clock.now()
        refuse(
            [
                *_emit_option_errors(wish.emit_options),
                *_resume_url_errors(wish.resume_url, self.insecure_urls_allowed),
                *_auto_response_errors(wish),
            ]
        )
        auto_response, warnings = _auto_response(wish, deployment)
        content = Content(
            message=wish.message,
            output=wish.output,
            state=wish.state,
            metadata=wish.metadata,
            history=tuple(entry.model_dump() for entry in wish.history),
            resume_url=wish.resume_url,
            warnings=warnings,
            deployment_name=deployment.name,
        )
        change = opened(
            request_id=wish.id or self.ids.request_id(now),
            event_id=self.ids.event_id(),
            deployment=deployment,
            content=content,
            assignment=assign(
                method_name=wish.method_name,
                state=wish.state,
                rules=deployment.rules,
                creator_email=deployment.creator_email,
                requested_email=wish.assigned_to_email,
            ),
            flow_id=wish.flow_id,
            flow_name=wish.flow_name,
            method_name=wish.method_name,
            emit_options=tuple(wish.emit_options),
            free_text=wish.free_text or deployment.settings.free_text,
            auto_response=auto_response,
            sla_target_minutes=wish.sla_target_minutes or deployment.settings.sla_target_minutes,
            body_sha256=_digest(deployment.deployment_id, wish),
            at=now,
        )
        key = None
        if idempotency_key is not None and wish.id is None:
            expires_at = int((now + timedelta(days=_KEY_DAYS)).timestamp())
            key = IdempotencyKey(deployment.deployment_id, idempotency_key, expires_at)
        existing = self.requests.create(change, content, key)
        if existing is None:
            return Opened(Request(change.after, content), created=True)
        # The digest covers the deployment, so a request of another tenant is never shown.
        if existing.head.body_sha256 != change.after.body_sha256:
            raise IdempotencyMismatch("This id or Idempotency-Key stands for a request with another body.")
        return Opened(existing, created=False)


def _digest(deployment_id: int, wish: NewRequest) -> str:
    body: dict[str, Any] = wish.model_dump(mode="json", exclude_unset=True)
    try:
        text = canonical_json([deployment_id, body])
    except ValueError:
        # pydantic reads them; a flow whose JSON parser does not could never read its request again.
        raise MalformedJson("NaN, Infinity and numbers beyond a double's range are not JSON.") from None
    return hashlib.sha256(text.encode()).hexdigest()


def _emit_option_errors(options: Sequence[str]) -> list[FieldError]:
    return [
        FieldError(f"/emit_options/{number}", "must be one printable line that no other option equals when matched")
        for number, option in enumerate(options)
        if not _is_printable(option) or match_outcome(option, options) != option
    ]


def _is_printable(option: str) -> bool:
    """Tell whether an option shows as what it is: emoji may be joined, but nothing turns the direction of text."""
    return all(char.isprintable() or char == "\u200d" for char in option)


def _resume_url_errors(url: str | None, insecure_allowed: bool) -> list[FieldError]:
    if url is None:
        return []
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
    except ValueError:
        return [FieldError("/resume_url", "is no URL")]
    schemes = ("https", "http") if insecure_allowed else ("https",)
    if not (url.isascii() and url.isprintable()) or " " in url:
        return [FieldError("/resume_url", "must be ASCII without spaces; percent-encode what is not")]
    if parts.scheme not in schemes or not host:
        return [FieldError("/resume_url", f"must be a URL that begins with {schemes[0]}://")]
    if parts.username is not None or parts.password is not None:
        return [FieldError("/resume_url", "must not carry a user name or password")]
    if port not in (None, 443) and not insecure_allowed:
        return [FieldError("/resume_url", "must use port 443")]
    return []


def _auto_response_errors(wish: NewRequest) -> list[FieldError]:
    own = wish.auto_response
    if own and wish.emit_options and own.default_outcome not in wish.emit_options:
        return [FieldError("/auto_response/default_outcome", f"must be one of: {', '.join(wish.emit_options)}")]
    return []


def _auto_response(wish: NewRequest, deployment: Deployment) -> tuple[tuple[int, str] | None, tuple[str, ...]]:
    if wish.says_auto_response:
        own = wish.auto_response
        return ((own.timeout_minutes, own.default_outcome) if own else None), ()
    inherited = deployment.settings.auto_response
    if not inherited.enabled or inherited.timeout_minutes is None or inherited.default_outcome is None:
        return None, ()
    if wish.emit_options and inherited.default_outcome not in wish.emit_options:
        named = f'The deployment\'s auto-response "{inherited.default_outcome}"'
        return None, (f"{named} is not an emit option of this request; it will not be answered automatically.",)
    return (inherited.timeout_minutes, inherited.default_outcome), ()
