"""Create, change, rotate, test, and delete a deployment's webhooks, and read or resend their deliveries."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated, ClassVar

from pydantic import Field

from flow_hitl.audit.chain import EventKind
from flow_hitl.contract.etags import require_match
from flow_hitl.contract.rotation import Rotation
from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import Document, Name, is_format, refuse
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import OPERATOR, Deployment, WebhookEvent
from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.platform.once import Once, Remember
from flow_hitl.platform.outgoing_url import LONGEST_URL, Destinations, url_problem
from flow_hitl.platform.ports import Clock, Ids, SecretBox
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.repeated_calls import Call, CallRecord
from flow_hitl.webhooks.answers import WebhookShown, webhook_shown
from flow_hitl.webhooks.ports import DeliveryLog, DeliveryPage, DeliveryQueue, WebhookStore
from flow_hitl.webhooks.webhook import (
    Delivery,
    SealedSecret,
    Webhook,
    events_wanted,
    ping_delivery,
    redelivery,
    secret_belongs_to,
)

_MAX_WEBHOOKS = 50

_Url = Annotated[str, Field(max_length=LONGEST_URL), is_format("uri")]
_Events = Annotated[list[WebhookEvent], Field(min_length=1, max_length=len(WebhookEvent))]


class NewWebhook(Document):
    """The body of `POST webhooks`."""

    explained_by: ClassVar = WebhookShown

    name: Name
    url: _Url
    events: _Events = [WebhookEvent.NEW_REQUEST]
    active: bool = True


class WebhookPatch(Document):
    """The body of `PATCH webhooks/{wid}`: what it omits stays the same."""

    explained_by: ClassVar = WebhookShown

    name: Name | None = None
    url: _Url | None = None
    events: _Events | None = None
    active: bool | None = None


@dataclass(frozen=True)
class IssuedSecret:
    """A webhook with its new secret, shown only once."""

    webhook: Webhook
    secret: str
    signs_from: datetime


@dataclass(frozen=True)
class ManageWebhooks:
    """Each change is one transaction with an event in the deployment's chain; the event names `actor`."""

    webhooks: WebhookStore
    deliveries: DeliveryLog
    queue: DeliveryQueue
    change_configuration: ChangeConfiguration
    once: Once
    box: SecretBox
    destinations: Destinations
    clock: Clock
    ids: Ids

    def list(self, deployment_id: int) -> Sequence[Webhook]:
        return self.webhooks.list(deployment_id)

    def show(self, deployment_id: int, webhook_id: str) -> Webhook:
        """Return a webhook; raises NotFound."""
        return self.webhooks.load(deployment_id, webhook_id)

    def create(
        self,
        deployment_id: int,
        wish: NewWebhook,
        *,
        if_match: str | None = None,
        actor: str = OPERATOR,
        call: Call | None = None,
    ) -> IssuedSecret:
        """Create a webhook and return it with its secret.

        Raises ValidationFailed, and PreconditionFailed if the webhooks no longer match `if_match`.
        """

        def make(remember: Remember) -> IssuedSecret:
            refuse([*_url_errors(wish.url, self.destinations), *_event_errors(wish.events)])
            now, webhook_id = self.clock.now(), f"wh_{self.ids.event_id()}"
            secret, sealed = self._new_secret(webhook_id, now)
            webhook = Webhook(
                webhook_id=webhook_id,
                deployment_id=deployment_id,
                name=wish.name,
                url=wish.url,
                events=_in_order(wish.events),
                active=wish.active,
                created_at=now,
                secrets=(sealed,),
            )

            def step(found: Deployment) -> Configured:
                others = self.webhooks.list(deployment_id)
                require_match(if_match, webhooks_to_list(others))
                if len(others) >= _MAX_WEBHOOKS:
                    raise ValidationFailed([FieldError("", f"a deployment may have {_MAX_WEBHOOKS} webhooks at most")])
                change = self.webhooks.writing(webhook)
                return _configured(found, [*others, webhook], None, webhook.audited(), change)

            called = remember(webhook_id, secret)
            self.change_configuration(deployment_id, EventKind.WEBHOOK_CREATED, actor, step, called)
            return IssuedSecret(webhook, secret, now)

        def again(record: CallRecord) -> IssuedSecret:
            made = self.webhooks.load(deployment_id, record.made)
            return IssuedSecret(made, self.once.secret(record), made.created_at)

        return self.once(call, make, again)

    def change(
        self,
        deployment_id: int,
        webhook_id: str,
        wish: WebhookPatch,
        *,
        if_match: str | None = None,
        actor: str = OPERATOR,
    ) -> Webhook:
        """Apply the patch and return the webhook.

        Raises NotFound, ValidationFailed, and PreconditionFailed if the webhook no longer matches `if_match`.
        """
        refuse(
            FieldError(f"/{name}", "must not be null; leave it out to keep what is there")
            for name in sorted(wish.model_fields_set)
            if getattr(wish, name) is None
        )
        refuse([*_url_errors(wish.url, self.destinations), *_event_errors(wish.events or [])])

        named = wish.model_dump(exclude_unset=True)
        if wish.events is not None:
            named["events"] = _in_order(wish.events)
        changed = partial(replace, **named)
        return self._change(deployment_id, webhook_id, EventKind.WEBHOOK_CHANGED, actor, changed, if_match)

    def rotate_secret(
        self,
        deployment_id: int,
        webhook_id: str,
        wish: Rotation,
        *,
        if_match: str | None = None,
        actor: str = OPERATOR,
        call: Call | None = None,
    ) -> IssuedSecret:
        """Give a webhook a new secret and return it; the old one signs until then.

        Raises NotFound, ValidationFailed, and PreconditionFailed if the webhook no longer matches `if_match`.
        """

        def make(remember: Remember) -> IssuedSecret:
            now = self.clock.now()
            signs_from = wish.moment(now)
            self.webhooks.load(deployment_id, webhook_id)
            secret, sealed = self._new_secret(webhook_id, signs_from)
            webhook = self._change(
                deployment_id,
                webhook_id,
                EventKind.WEBHOOK_SECRET_ROTATED,
                actor,
                lambda webhook: webhook.rotated(sealed, now),
                if_match,
                remember(signs_from.isoformat(), secret),
            )
            return IssuedSecret(webhook, secret, signs_from)

        def again(record: CallRecord) -> IssuedSecret:
            webhook = self.webhooks.load(deployment_id, webhook_id)
            return IssuedSecret(webhook, self.once.secret(record), datetime.fromisoformat(record.made))

        return self.once(call, make, again)

    def delete(self, deployment_id: int, webhook_id: str, *, actor: str = OPERATOR) -> None:
        """Delete a webhook, which invalidates its callback URLs; raises NotFound."""

        def step(found: Deployment) -> Configured:
            old = self.webhooks.load(deployment_id, webhook_id)
            others = [one for one in self.webhooks.list(deployment_id) if one.webhook_id != webhook_id]
            return _configured(found, others, old.audited(), None, self.webhooks.removing(old))

        self.change_configuration(deployment_id, EventKind.WEBHOOK_DELETED, actor, step)

    def test(self, deployment_id: int, webhook_id: str, call: Call | None = None) -> Delivery:
        """Send a test ping the way events are sent, even to an inactive webhook; return its pending delivery."""
        webhook = self.webhooks.load(deployment_id, webhook_id)
        return self._deliver(ping_delivery(webhook, seed=self.ids.event_id(), at=self.clock.now()), call)

    def list_deliveries(self, deployment_id: int, webhook_id: str, limit: int, cursor: str | None) -> DeliveryPage:
        """Return deliveries, newest first; raises NotFound, and ValidationFailed for a foreign cursor."""
        self.webhooks.load(deployment_id, webhook_id)
        return self.deliveries.page(webhook_id, limit, cursor)

    def show_delivery(self, deployment_id: int, webhook_id: str, delivery_id: str) -> Delivery:
        """Return a delivery of one of the deployment's webhooks; raises NotFound."""
        self.webhooks.load(deployment_id, webhook_id)
        return self.deliveries.load(webhook_id, delivery_id)

    def redeliver(self, deployment_id: int, webhook_id: str, delivery_id: str, call: Call | None = None) -> Delivery:
        """Resend a delivery as a new one with the same X-Webhook-Id; raises NotFound."""
        earlier = self.show_delivery(deployment_id, webhook_id, delivery_id)
        return self._deliver(redelivery(earlier, seed=self.ids.event_id(), at=self.clock.now()), call)

    def _deliver(self, delivery: Delivery, call: Call | None) -> Delivery:
        def add(remember: Remember) -> Delivery:
            self.deliveries.add(delivery, remember(delivery.delivery_id))
            return delivery

        made = self.once(call, add, lambda record: self.deliveries.load(delivery.webhook_id, record.made))
        if made.result is None:
            # Also for a repeated call: the first may have died before this. The worker sends a delivery only once.
            self.queue.send(made)
        return made

    def _change(
        self,
        deployment_id: int,
        webhook_id: str,
        kind: EventKind,
        actor: str,
        changed: Callable[[Webhook], Webhook],
        if_match: str | None,
        called: CallRecord | None = None,
    ) -> Webhook:
        def step(found: Deployment) -> Configured | None:
            old = self.webhooks.load(deployment_id, webhook_id)
            require_match(if_match, as_json(webhook_shown(old)))
            new = changed(old)
            if new == old:
                return None
            all_now = [new if one.webhook_id == webhook_id else one for one in self.webhooks.list(deployment_id)]
            return _configured(found, all_now, old.audited(), new.audited(), self.webhooks.writing(new))

        self.change_configuration(deployment_id, kind, actor, step, called)
        return self.webhooks.load(deployment_id, webhook_id)

    def _new_secret(self, webhook_id: str, signs_from: datetime) -> tuple[str, SealedSecret]:
        secret = f"whsec_{secrets.token_urlsafe(32)}"
        return secret, SealedSecret(self.box.seal(secret, secret_belongs_to(webhook_id)), signs_from)


def webhooks_to_list(webhooks: Iterable[Webhook]) -> list[dict[str, object]]:
    """Return webhooks as the management API shows them."""
    shown: list[dict[str, object]] = as_json([webhook_shown(webhook) for webhook in webhooks])
    return shown


def _configured(
    found: Deployment,
    webhooks: Iterable[Webhook],
    before: dict[str, object] | None,
    after: dict[str, object] | None,
    change: TransactionPart,
) -> Configured:
    return Configured(replace(found, webhook_events=events_wanted(webhooks)), before, after, change)


def _url_errors(url: str | None, destinations: Destinations) -> list[FieldError]:
    problem = url_problem(url, destinations) if url is not None else None
    return [FieldError("/url", problem)] if problem else []


def _event_errors(events: Sequence[WebhookEvent]) -> list[FieldError]:
    return [
        FieldError(f"/events/{number}", "stands in the list already")
        for number, event in enumerate(events)
        if event in events[:number]
    ]


def _in_order(events: Sequence[WebhookEvent]) -> tuple[WebhookEvent, ...]:
    return tuple(event for event in WebhookEvent if event in events)
