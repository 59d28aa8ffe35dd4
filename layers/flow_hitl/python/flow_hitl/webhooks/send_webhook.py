"""Send webhooks: an event becomes one delivery per subscribed webhook, and each delivery one signed POST."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flow_hitl.audit.chain import EventKind
from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import AuditLog, EffectLog
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.ports import Clock, HttpPoster, SecretBox
from flow_hitl.platform.times import ceil_second
from flow_hitl.platform.webhook_signature import signature_headers
from flow_hitl.platform.worker_times import WEBHOOK_SENDER
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
from flow_hitl.requests.deciding.web_tokens import WebhookName
from flow_hitl.requests.ports import RequestStore, TakenAlready
from flow_hitl.requests.request import Change, Head, Stamp, note
from flow_hitl.webhooks.ports import DeliveryLog, DeliveryQueue, WebhookStore
from flow_hitl.webhooks.webhook import (
    LARGEST_PAYLOAD,
    MOST_ATTEMPTS,
    NO_REQUEST,
    Delivery,
    DeliveryResult,
    DeliveryStatus,
    Webhook,
    body_of,
    event_of,
    first_delivery,
    payload,
    ping_payload,
    secret_belongs_to,
    without_content,
)

_CONTENT_LINK_LIVES = timedelta(hours=24)


@dataclass(frozen=True)
class FanOutWebhooks:
    """Create one delivery of an event for each webhook that subscribes to it."""

    audit: AuditLog
    webhooks: WebhookStore
    deliveries: DeliveryLog
    effects: EffectLog
    queue: DeliveryQueue
    clock: Clock

    def __call__(self, effect: Effect) -> None:
        """Queue each delivery; repeats create none twice. Raises EffectBusy."""
        event = self.audit.event(effect.request_id, effect.event_seq)
        name = event_of(event)
        if name is None:
            return
        if not self.effects.claim(effect, self.clock.now(), WEBHOOK_SENDER.lease):
            return
        for webhook in self.webhooks.list(int(event.data["deployment_id"])):
            if webhook.wants(name):
                delivery = first_delivery(webhook, event, name)
                self.deliveries.add(delivery)
                self.queue.send(delivery)
        self.effects.complete(effect)


@dataclass(frozen=True)
class SendWebhook:
    """Send one delivery. Its result is final; it is sent once more only if a worker died without one."""

    requests: RequestStore
    deployments: DeploymentStore
    webhooks: WebhookStore
    deliveries: DeliveryLog
    poster: HttpPoster
    addresses: AnswerAddresses
    box: SecretBox
    change_request: ChangeRequest
    clock: Clock

    def __call__(self, webhook_id: str, delivery_id: str) -> None:
        """Send it and record the result in the log and on the request's timeline; raises EffectBusy."""
        delivery = self.deliveries.load(webhook_id, delivery_id)
        try:
            webhook = self.webhooks.load(delivery.deployment_id, webhook_id)
        except NotFound:
            # Deleted since, so no one can see its log.
            return
        result = delivery.result
        if result is None:
            delivery, result = self._attempt(delivery, webhook)
            self.deliveries.finish(delivery, result)
        if delivery.request_id is not None:
            self._note(delivery.request_id, delivery, webhook, result)

    def _attempt(self, delivery: Delivery, webhook: Webhook) -> tuple[Delivery, DeliveryResult]:
        if not (webhook.active or delivery.asked_for):
            return delivery, self._not_sent("the webhook was switched off before this was sent")
        # Whatever can fail on our side comes first and costs no attempt.
        body = self._body(delivery)
        ciphertext = webhook.secret_at(self.clock.now()).ciphertext
        secret = self.box.open(ciphertext, secret_belongs_to(webhook.webhook_id))
        delivery = replace(delivery, attempts=self.deliveries.begin(delivery, self.clock.now(), WEBHOOK_SENDER.lease))
        if delivery.attempts > MOST_ATTEMPTS:
            return delivery, self._not_sent("our worker ended before the answer came, each time; not sent again")
        headers = {**signature_headers(secret, body, self.clock.now()), "X-Webhook-Id": delivery.message_id}
        posted = self.poster.post(webhook.url, body, headers)
        result = DeliveryResult(posted.status, posted.reason, posted.duration_ms, posted.body, self.clock.now())
        return delivery, result

    def _not_sent(self, reason: str) -> DeliveryResult:
        return DeliveryResult(None, reason, 0, "", self.clock.now())

    def _body(self, delivery: Delivery) -> bytes:
        deployment, now = self.deployments.load(delivery.deployment_id), self.clock.now()
        issued_to = WebhookName(delivery.deployment_id, delivery.webhook_id)
        request_id = delivery.request_id or NO_REQUEST
        callback_url = self.addresses.callback_url(request_id, issued_to)
        if delivery.request_id is None:
            return body_of(ping_payload(deployment, callback_url, now))
        whole = payload(delivery.event, self.requests.load(request_id), deployment, callback_url)
        body = body_of(whole)
        if len(body) > LARGEST_PAYLOAD:
            until = ceil_second(now + _CONTENT_LINK_LIVES)
            content_url = self.addresses.content_url(request_id, issued_to, until)
            body = body_of(without_content(whole, content_url, until))
        return body

    def _note(self, request_id: str, delivery: Delivery, webhook: Webhook, result: DeliveryResult) -> None:
        delivered = result.status is DeliveryStatus.DELIVERED
        kind = EventKind.WEBHOOK_DELIVERED if delivered else EventKind.WEBHOOK_FAILED
        data: dict[str, Any] = delivery.audited(webhook, result)

        def step(head: Head, stamp: Stamp) -> Change:
            return note(head, kind, data, stamp=stamp)

        # An earlier worker may have recorded it and died.
        with suppress(TakenAlready):
            self.change_request(request_id, step, f"webhook/{delivery.delivery_id}")
