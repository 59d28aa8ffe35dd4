"""Attachments by links that are signed and short-lived."""

from dataclasses import replace
from datetime import timedelta

from flow_hitl.platform.errors import TokenInvalid
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.attachments import File
from flow_hitl.requests.deciding import web_tokens
from flow_hitl.requests.ports import AttachmentStore, RequestStore
from flow_hitl.requests.request import Request, RequestShown

LINKS_LAST = timedelta(hours=1)


@dataclass(frozen=True)
class AttachmentLinks:
    """Signs the links to a request's attachments, which work for an hour."""

    keys: KeyRing
    clock: Clock
    base_url: str

    def paths(self, request: Request) -> list[str]:
        """Return the path of each attachment."""
        until, request_id = self.clock.now() + LINKS_LAST, request.head.request_id
        places = range(len(request.content.attachments))
        tokens = (web_tokens.sign_attachment(self.keys, request_id, place, until) for place in places)
        return [f"/v1/attachments/{token}" for token in tokens]

    def shown(self, request: Request) -> RequestShown:
        """Return the request object with the URLs of its attachments."""
        shown = request.shown
        pairs = zip(shown.attachments, self.paths(request), strict=True)
        return replace(shown, attachments=[replace(one, url=f"{self.base_url}{path}") for one, path in pairs])


@dataclass(frozen=True)
class ShowAttachment:
    """Return an attachment by its link."""

    requests: RequestStore
    attachments: AttachmentStore
    keys: KeyRing
    clock: Clock

    def __call__(self, token: str) -> File:
        """Return the attachment; raises TokenInvalid, TokenExpired, and NotFound."""
        link = web_tokens.read_attachment(self.keys, token)
        link.require_unexpired(self.clock.now())
        attachments = self.requests.load(link.request_id).content.attachments
        if link.place >= len(attachments):
            raise TokenInvalid("This link leads to no attachment of its request.")
        attachment = attachments[link.place]
        return File(attachment, self.attachments.read(link.request_id, attachment))
