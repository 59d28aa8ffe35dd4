"""Another application asks back through its callback URL."""

from flow_hitl.contract.shapes import Channel
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.deciding.ask_back import AskBack, Question
from flow_hitl.requests.request import Request
from flow_hitl.webhooks.ports import WebhookStore
from flow_hitl.webhooks.show_content import proven_callback


@dataclass(frozen=True)
class AskByCallback:
    ask_back: AskBack
    webhooks: WebhookStore
    keys: KeyRing

    def __call__(self, token: str, text: str) -> Request:
        """Return the request with the question; raises TokenInvalid and whatever `AskBack` raises."""
        holder, verification = proven_callback(self.keys, self.webhooks, token)
        return self.ask_back(holder.request_id, Question(holder, text, Channel.API, verification=verification))
