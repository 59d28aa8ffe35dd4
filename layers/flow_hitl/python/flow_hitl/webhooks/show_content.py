"""Show a webhook's receiver what its payload left out; the link dies with the webhook."""

from collections.abc import Mapping
from typing import Any

from flow_hitl.people.access import CallbackHolder
from flow_hitl.platform.errors import NotFound, TokenInvalid
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding import web_tokens
from flow_hitl.requests.deciding.web_tokens import WebhookName
from flow_hitl.requests.ports import RequestStore
from flow_hitl.webhooks.ports import WebhookStore
from flow_hitl.webhooks.webhook import RequestContent, content_of


def require_webhook(webhooks: WebhookStore, issued_to: WebhookName) -> None:
    """Raise TokenInvalid if the webhook a token was issued to has been deleted."""
    try:
        webhooks.load(issued_to.deployment_id, issued_to.webhook_id)
    except NotFound:
        raise TokenInvalid("The webhook that this link was sent to has been deleted.") from None


def proven_callback(keys: KeyRing, webhooks: WebhookStore, token: str) -> tuple[CallbackHolder, Mapping[str, Any]]:
    """Return who holds a callback URL, and how that is proven, for the log; raises TokenInvalid."""
    link = web_tokens.read_callback(keys, token)
    if link.webhook is not None:
        require_webhook(webhooks, link.webhook)
    webhook_id = link.webhook.webhook_id if link.webhook else None
    return CallbackHolder(link.request_id), {"method": "callback_url", "webhook_id": webhook_id}


@dataclass(frozen=True)
class ShowContent:
    """Show the content of a request that exceeded a webhook's payload."""

    requests: RequestStore
    webhooks: WebhookStore
    keys: KeyRing
    clock: Clock

    def __call__(self, token: str) -> RequestContent:
        """Return the content; raises TokenInvalid and TokenExpired."""
        link = web_tokens.read_content_link(self.keys, token)
        link.require_unexpired(self.clock.now())
        require_webhook(self.webhooks, link.webhook)
        return content_of(self.requests.load(link.request_id))
