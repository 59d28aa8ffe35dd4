"""The addresses where a request takes answers: reply address, review link, and callback URL."""

from datetime import datetime

from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding import reply_address, web_tokens
from flow_hitl.requests.deciding.web_tokens import WebhookName
from flow_hitl.requests.request import Head


@dataclass(frozen=True)
class AnswerAddresses:
    """Creates the signed addresses; a person's are valid until the head's `token_expires_at`."""

    keys: KeyRing
    base_url: str
    inbound_domain: str

    def reply_to(self, head: Head, responder: str) -> str:
        token = reply_address.sign(self.keys, head.request_id, responder, head.token_expires_at)
        return f"{token}@{self.inbound_domain}"

    def review_url(self, head: Head, responder: str) -> str:
        token = web_tokens.sign_review_link(self.keys, head.request_id, responder, head.token_expires_at)
        return f"{self.base_url}/review/{token}"

    def dashboard_url(self, head: Head) -> str:
        """Return the URL of the page for signed-in people; it contains no secret."""
        return f"{self.base_url}/d/{head.deployment_id}/requests/{head.request_id}"

    def callback_url(self, request_id: str, webhook: WebhookName | None = None) -> str:
        """Return the URL where a program answers: the flow's own, or one that dies with the webhook."""
        return f"{self.base_url}/v1/callbacks/{web_tokens.sign_callback(self.keys, request_id, webhook)}"

    def content_url(self, request_id: str, webhook: WebhookName, until: datetime) -> str:
        """Return the URL of the content that a webhook's payload left out."""
        return f"{self.base_url}/v1/contents/{web_tokens.sign_content_link(self.keys, request_id, webhook, until)}"
