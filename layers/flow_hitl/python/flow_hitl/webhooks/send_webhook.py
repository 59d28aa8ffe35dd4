"""Send webhooks: an event becomes one delivery per subscribed webhook, and each delivery one signed POST."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import AuditLog, EffectLog
from flow_hitl.deployments.deployment import Deployment, WebhookEvent
from flow_hitl.deployments.ports import DeploymentStore, TransactionPart
from flow_hitl.platform.ports import Clock, HttpPoster, ReadTogether, SecretBox
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import ceil_second
from flow_hitl.platform.webhook_signature import signature_headers
from flow_hitl.platform.worker_times import WEBHOOK_SENDER
from flow_hitl.requests.bound import told_problems
from flow_hitl.requests.changing.change_request import ChangeRequest
from flow_hitl.requests.deciding.answer_addresses import AnswerAddresses
from flow_hitl.requests.deciding.web_tokens import WebhookName
from flow_hitl.requests.ports import RequestStore, TakenAlready
from flow_hitl.requests.request import Change, Head, Request, Stamp, note
from flow_hitl.webhooks.ports import DeliveryLog, DeliveryQueue, WebhookStore
from flow_hitl.webhooks.webhook import (
    LARGEST_PAYLOAD,
    MOST_ATTEMPTS,
    NO_REQUEST,
    Delivery,
    DeliveryName,
    DeliveryResult,
    DeliveryStatus,
    Webhook,
    asked_by_delivery,
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

    read: ReadTogether
    requests: RequestStore
    audit: AuditLog
    deployments: DeploymentStore
    webhooks: WebhookStore
    deliveries: DeliveryLog
    poster: HttpPoster
    addresses: AnswerAddresses
    box: SecretBox
    change_request: ChangeRequest
    clock: Clock

    def __call__(self, name: DeliveryName) -> None:
        """Send it and record the result in the log and on the request's timeline; raises EffectBusy."""
        if name.deployment_id is None:
            made = self.deliveries.load(name.webhook_id, name.delivery_id)
            name = replace(name, deployment_id=made.deployment_id, request_id=made.request_id, event_seq=made.event_seq)
        delivery, webhook, deployment, request, events = self._read(name, name.deployment_id or 0)
        if webhook is None or delivery.noted:
            # Deleted since, so no one can see its log; or done.
            return
        if delivery.result is not None:
            # An earlier worker could not write its event.
            if request is not None:
                self._note(request, delivery, webhook, delivery.result, f"webhook/{delivery.delivery_id}")
            return
        if self._problems(delivery, request, events):
            # Perhaps half of a transaction was seen, and this result would be final.
            delivery, webhook, deployment, request, events = self._read(name, name.deployment_id or 0)
        if webhook is None:
            return
        if problems := self._problems(delivery, request, events):
            result = self._not_sent("the stored answer is not the one in the audit log; it " + "; ".join(problems))
        else:
            delivery, result = self._attempt(delivery, webhook, deployment, request)
        if request is None:
            self.deliveries.finish(delivery, result)
            return
        try:
            self._note(request, delivery, webhook, result, self.deliveries.finishing(delivery, result))
        except Exception:
            # Known, the result is not asked for again.
            with suppress(Exception):
                self.deliveries.finish(delivery, result)
            raise

    def _read(
        self, name: DeliveryName, deployment_id: int
    ) -> tuple[Delivery, Webhook | None, Deployment, Request | None, Sequence[AuditEvent]]:
        """Read all that a delivery needs, in one call."""
        delivery = self.deliveries.reading(name.webhook_id, name.delivery_id)
        webhook = self.webhooks.reading(deployment_id, name.webhook_id)
        deployment = self.deployments.reading(deployment_id)
        if name.request_id is None:
            return (*self.read(delivery, webhook, deployment), None, ())
        request = self.requests.reading(name.request_id)
        if name.event_seq is None:
            return (*self.read(delivery, webhook, deployment, request), ())
        events = self.audit.reading_first(name.request_id, name.event_seq)
        return self.read(delivery, webhook, deployment, request, events)

    def _problems(self, delivery: Delivery, request: Request | None, events: Sequence[AuditEvent]) -> Sequence[str]:
        """Return why a delivery must not be sent: it would tell of an answer that is not the one in the log."""
        if request is None or delivery.event != WebhookEvent.RESPONSE_SUBMITTED or not events:
            # A message of before does not say where the decision is in the log.
            return ()
        return told_problems(request, events, partial(self.audit.later, request.head.request_id))

    def _attempt(
        self, delivery: Delivery, webhook: Webhook, deployment: Deployment, request: Request | None
    ) -> tuple[Delivery, DeliveryResult]:
        if not (webhook.active or delivery.asked_for):
            return delivery, self._not_sent("the webhook was switched off before this was sent")
        # Whatever can fail on our side comes first and costs no attempt.
        body = self._body(delivery, deployment, request)
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

    def _body(self, delivery: Delivery, deployment: Deployment, request: Request | None) -> bytes:
        now = self.clock.now()
        issued_to = WebhookName(delivery.deployment_id, delivery.webhook_id)
        request_id = delivery.request_id or NO_REQUEST
        callback_url = self.addresses.callback_url(request_id, issued_to)
        if request is None:
            return body_of(ping_payload(deployment, callback_url, now))
        question = asked_by_delivery(request.head.thread, delivery)
        whole = payload(delivery.event, request, deployment, callback_url, question)
        body = body_of(whole)
        if len(body) > LARGEST_PAYLOAD:
            until = ceil_second(now + _CONTENT_LINK_LIVES)
            content_url = self.addresses.content_url(request_id, issued_to, until)
            body = body_of(without_content(whole, content_url, until))
        return body

    def _note(
        self,
        request: Request,
        delivery: Delivery,
        webhook: Webhook,
        result: DeliveryResult,
        takes: str | TransactionPart,
    ) -> None:
        delivered = result.status is DeliveryStatus.DELIVERED
        kind = EventKind.WEBHOOK_DELIVERED if delivered else EventKind.WEBHOOK_FAILED
        data: dict[str, Any] = delivery.audited(webhook, result)

        def step(head: Head, stamp: Stamp) -> Change:
            return note(head, kind, data, stamp=stamp)

        # An earlier worker may have recorded it and died.
        with suppress(TakenAlready):
            self.change_request(request.head.request_id, step, takes, request)
