"""Members and API keys as JSON documents, by the contract's names."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from flow_hitl.contract.validation import Document, MailAddress, Name, is_format, moment_text, parse_document, refuse
from flow_hitl.deployments.deployment import KEYS_MAY, ApiKey, Member, Permission
from flow_hitl.platform.address import same_address
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.times import parse_rfc3339, rfc3339

_MAX_ALIASES = 20


NO_KEY_RESPONDS = (
    "An API key proves a program, and only the people who are asked respond: by email, on the review page or signed "
    "in. A program answers by the request's callback_url."
)


def _key_permission(value: str) -> str:
    if value in KEYS_MAY:
        return value
    why = f". {NO_KEY_RESPONDS}" if value == Permission.RESPOND else ""
    raise ValueError(f"must be one of: {', '.join(sorted(KEYS_MAY))}{why}")


_KeyPermission = Annotated[
    str, AfterValidator(_key_permission), WithJsonSchema({"type": "string", "enum": sorted(KEYS_MAY)})
]


class NewApiKey(Document):
    """The body of `POST api-keys`."""

    name: Name
    permissions: Annotated[list[_KeyPermission], Field(min_length=1)]
    expires_at: Annotated[str, AfterValidator(moment_text), is_format("date-time")] | None = None

    @property
    def allowed(self) -> frozenset[Permission]:
        return frozenset(map(Permission, self.permissions))

    @property
    def expiry(self) -> datetime | None:
        return parse_rfc3339(self.expires_at) if self.expires_at else None


class MemberDocument(Document):
    """The body of `PUT members/{email}`; `email`, if it is there, must be the path's."""

    email: MailAddress | None = None
    permissions: list[Literal[Permission.MANAGE, Permission.RESPOND]] = []
    aliases: Annotated[list[MailAddress], Field(max_length=_MAX_ALIASES)] = []


def parse_member(email: str, text: str | bytes) -> Member:
    """Return the member that a JSON text makes of an address.

    Raises MalformedJson, or ValidationFailed that names each wrong field.
    """
    document = parse_document(MemberDocument, text)
    refuse(
        FieldError(f"/aliases/{number}", "is the member's address itself, or stands in the list already")
        for number, alias in enumerate(document.aliases)
        if any(same_address(alias, other) for other in (email, *document.aliases[:number]))
    )
    if document.email is not None and not same_address(document.email, email):
        refuse([FieldError("/email", "must be the address in the path")])
    return Member(email, frozenset(document.permissions), tuple(document.aliases))


def member_to_dict(member: Member) -> dict[str, Any]:
    """Return the contract's member."""
    return {
        "email": member.email,
        "permissions": sorted(permission.value for permission in member.permissions),
        "aliases": list(member.aliases),
    }


def api_key_to_dict(key: ApiKey) -> dict[str, Any]:
    """Return the contract's API key, which tells nothing of its secret."""
    return {
        "id": key.key_id,
        "name": key.name,
        "permissions": sorted(permission.value for permission in key.permissions),
        "created_at": rfc3339(key.created_at),
        "expires_at": rfc3339(key.expires_at) if key.expires_at else None,
    }


def api_keys_to_list(keys: Mapping[str, ApiKey]) -> list[dict[str, Any]]:
    """Return the contract's API keys, oldest first."""
    return [api_key_to_dict(key) for key in sorted(keys.values(), key=lambda key: (key.created_at, key.key_id))]


def used_key_to_dict(key: ApiKey, last_used_at: datetime | None) -> dict[str, Any]:
    """Return the contract's API key together with its last use, which is known to the hour."""
    return {**api_key_to_dict(key), "last_used_at": rfc3339(last_used_at) if last_used_at else None}
