"""Members and API keys as JSON documents, by the contract's names."""

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, WithJsonSchema

from flow_hitl.contract.validation import Document, MailAddress, Name, is_format, moment_text, parse_document, refuse
from flow_hitl.deployments.answers import KeyShown
from flow_hitl.deployments.deployment import KEYS_MAY, Member, Permission
from flow_hitl.platform.address import same_address
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.times import parse_rfc3339, zone_named

_MAX_ALIASES = 20
_LONGEST_ZONE = 64

NO_KEY_RESPONDS = (
    "An API key proves a program, and only the people who are asked respond: by email, on the review page or signed "
    "in. A program answers by the request's callback_url."
)


def _key_permission(value: str) -> str:
    if value in KEYS_MAY:
        return value
    why = f". {NO_KEY_RESPONDS}" if value == Permission.RESPOND else ""
    raise ValueError(f"must be one of: {', '.join(sorted(KEYS_MAY))}{why}")


def _zone_name(value: str) -> str:
    if zone_named(value) is None:
        raise ValueError("must be the IANA name of a time zone, such as Europe/Berlin")
    return value


_KeyPermission = Annotated[
    str, AfterValidator(_key_permission), WithJsonSchema({"type": "string", "enum": sorted(KEYS_MAY)})
]


class NewApiKey(Document):
    """The body of `POST api-keys`."""

    explained_by: ClassVar = KeyShown

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

    explained_by: ClassVar = Member

    email: MailAddress | None = None
    """The address in the path, if it is here at all."""
    permissions: list[Literal[Permission.MANAGE, Permission.RESPOND]] = []
    aliases: Annotated[list[MailAddress], Field(max_length=_MAX_ALIASES)] = []
    timezone: Annotated[str, Field(max_length=_LONGEST_ZONE), AfterValidator(_zone_name)] | None = None


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
    return Member(email, frozenset(document.permissions), tuple(document.aliases), document.timezone)
