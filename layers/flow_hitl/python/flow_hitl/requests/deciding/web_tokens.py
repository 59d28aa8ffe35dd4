"""Signed tokens in URLs: the review link, the callback URL, and the links to content and attachments."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from flow_hitl.platform import tokens
from flow_hitl.platform.errors import TokenExpired, TokenInvalid
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.records import dataclass

_REVIEW = "review-link/v1"
_CALLBACK = "callback-url/v1"
_CONTENT = "webhook-content/v1"
_ATTACHMENT = "attachment/v1"
_SHOWN = "shown-page/v1"
_CHANGED = "This link was altered or is incomplete. Open it again from the email."


@dataclass(frozen=True)
class ReviewLink:
    """A genuine review link: the request, a digest of its recipient, and its expiry."""

    request_id: str
    address_digest: str
    expires_at: datetime

    def issued_to(self, address: str) -> bool:
        return self.address_digest == _digest(address)

    def require_unexpired(self, now: datetime) -> None:
        """Raise TokenExpired if the link has expired."""
        if now > self.expires_at:
            raise TokenExpired("This link has expired.", request_id=self.request_id)


def sign_review_link(keys: KeyRing, request_id: str, address: str, expires_at: datetime) -> str:
    """Return the token of the review link sent to `address`."""
    payload = {"r": request_id, "a": _digest(address), "x": int(expires_at.timestamp())}
    return tokens.sign(keys, _REVIEW, payload)


def read_review_link(keys: KeyRing, token: str) -> ReviewLink:
    """Read a review link; raises TokenInvalid if we did not sign it."""
    payload = tokens.read(keys, _REVIEW, token, _CHANGED)
    return ReviewLink(payload["r"], payload["a"], datetime.fromtimestamp(payload["x"], UTC))


@dataclass(frozen=True)
class WebhookName:
    """The webhook a token was issued to and dies with."""

    deployment_id: int
    webhook_id: str


@dataclass(frozen=True)
class CallbackLink:
    """A genuine callback URL: the request, and the webhook it was issued to, or None for the flow."""

    request_id: str
    webhook: WebhookName | None


@dataclass(frozen=True)
class ContentLink:
    """A genuine content link: the request, the webhook it was issued to, and its expiry."""

    request_id: str
    webhook: WebhookName
    expires_at: datetime

    def require_unexpired(self, now: datetime) -> None:
        """Raise TokenExpired if the link has expired."""
        if now > self.expires_at:
            raise TokenExpired("This link has expired. Ask for a redelivery.", request_id=self.request_id)


@dataclass(frozen=True)
class AttachmentLink:
    """A genuine link to an attachment: the request, the attachment's place from 0, and its expiry."""

    request_id: str
    place: int
    expires_at: datetime

    def require_unexpired(self, now: datetime) -> None:
        """Raise TokenExpired if the link has expired."""
        if now > self.expires_at:
            raise TokenExpired("This link has expired. Reload the page or the request.", request_id=self.request_id)


def sign_callback(keys: KeyRing, request_id: str, webhook: WebhookName | None = None) -> str:
    """Return the token of a callback URL, valid while the request is open and the webhook exists."""
    return tokens.sign(keys, _CALLBACK, {"r": request_id, **(_named(webhook) if webhook else {})})


def read_callback(keys: KeyRing, token: str) -> CallbackLink:
    """Read a callback URL; raises TokenInvalid if we did not sign it."""
    payload = tokens.read(keys, _CALLBACK, token, _CHANGED)
    return CallbackLink(payload["r"], WebhookName(payload["d"], payload["w"]) if "w" in payload else None)


def sign_content_link(keys: KeyRing, request_id: str, webhook: WebhookName, expires_at: datetime) -> str:
    """Return the token of the link to content that a webhook's payload left out."""
    payload = {"r": request_id, **_named(webhook), "x": int(expires_at.timestamp())}
    return tokens.sign(keys, _CONTENT, payload)


def read_content_link(keys: KeyRing, token: str) -> ContentLink:
    """Read a content link; raises TokenInvalid if we did not sign it."""
    payload = tokens.read(keys, _CONTENT, token, _CHANGED)
    webhook = WebhookName(payload["d"], payload["w"])
    return ContentLink(payload["r"], webhook, datetime.fromtimestamp(payload["x"], UTC))


def sign_attachment(keys: KeyRing, request_id: str, place: int, expires_at: datetime) -> str:
    """Return the token of the link to a request's attachment at `place`, from 0."""
    return tokens.sign(keys, _ATTACHMENT, {"r": request_id, "n": place, "x": int(expires_at.timestamp())})


def read_attachment(keys: KeyRing, token: str) -> AttachmentLink:
    """Read the link to an attachment; raises TokenInvalid if we did not sign it."""
    payload = tokens.read(keys, _ATTACHMENT, token, _CHANGED)
    return AttachmentLink(payload["r"], payload["n"], datetime.fromtimestamp(payload["x"], UTC))


def sign_shown(keys: KeyRing, request_id: str, address: str, sha256: str) -> str:
    """Return a form's token that says which version of a request a page showed, by hash, and to whom."""
    return tokens.sign(keys, _SHOWN, {"r": request_id, "a": _digest(address), "h": sha256})


def read_shown(keys: KeyRing, token: str, request_id: str, address: str) -> str:
    """Return the hash of what a page showed; raises TokenInvalid if the token is for another request or person."""
    payload = tokens.read(keys, _SHOWN, token, _CHANGED)
    if (payload["r"], payload["a"]) != (request_id, _digest(address)):
        raise TokenInvalid(_CHANGED)
    return str(payload["h"])


def _named(webhook: WebhookName) -> dict[str, Any]:
    return {"d": webhook.deployment_id, "w": webhook.webhook_id}


def _digest(address: str) -> str:
    return sha256(address.lower().encode()).hexdigest()[:32]
