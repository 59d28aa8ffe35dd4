"""Another application asks back through its callback URL."""

from dataclasses import dataclass

from flow_hitl.contract.shapes import Channel
from flow_hitl.people.access import CallbackHolder
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.requests.deciding import web_tokens
from flow_hitl.requests.deciding.ask_back import AskBack, Question
from flow_hitl.requests.request import Request
from flow_hitl.webhooks.ports import WebhookStore
from flow_hitl.webhooks.show_content import require_webhook


@dataclass(frozen=True)
class AskByCallback:
    ask_back: AskBack
    webhooks: WebhookStore
    keys: KeyRing

    def __call__(self, token: str, text: str) -> Request:
        """Return the request with the question; raises TokenInvalid and whatever `AskBack` raises."""
        link = web_tokens.read_callback(self.keys, token)
        if link.webhook is not None:
            require_webhook(self.webhooks, link.webhook)
        webhook_id = link.webhook.webhook_id if link.webhook else None
        verification = {"method": "callback_url", "webhook_id": webhook_id}
        question = Question(CallbackHolder(link.request_id), text, Channel.API, verification=verification)
        return self.ask_back(link.request_id, question)
