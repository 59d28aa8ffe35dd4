"""Webhooks and their deliveries on the managers' pages."""

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from flow_hitl.audit.chain import AuditEvent, EventKind
from flow_hitl.contract.rotation import Rotation
from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import parse_document
from flow_hitl.deployments.deployment import Deployment, WebhookEvent
from flow_hitl.pages.settings.edit_by_form import EditByForm, form_from, of_kinds
from flow_hitl.pages.settings.forms import Fields, sentence, text_in, ticked
from flow_hitl.pages.settings.view import FilledForm
from flow_hitl.people.access import SignedInMember, actor_name
from flow_hitl.platform.errors import FieldError, NotFound
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.webhooks.answers import webhook_shown
from flow_hitl.webhooks.manage_webhooks import IssuedSecret, ManageWebhooks, NewWebhook, WebhookPatch, webhooks_to_list
from flow_hitl.webhooks.ports import DeliveryPage
from flow_hitl.webhooks.webhook import Delivery, Webhook

_DELIVERIES = 10
_Saved = TypeVar("_Saved")
_KINDS = (
    EventKind.WEBHOOK_CREATED,
    EventKind.WEBHOOK_CHANGED,
    EventKind.WEBHOOK_SECRET_ROTATED,
    EventKind.WEBHOOK_DELETED,
)


@dataclass(frozen=True)
class WebhookSheet:
    """A webhook with its forms and some of its deliveries."""

    webhook: Webhook
    form: FilledForm
    rotation: FilledForm
    rotates: bool
    page: DeliveryPage


@dataclass(frozen=True)
class WebhookPages:
    """The caller has checked that the member manages the deployment."""

    webhooks: ManageWebhooks
    edit: EditByForm
    clock: Clock

    def rows(self, member: SignedInMember) -> Sequence[Webhook]:
        """Return the webhooks, oldest first."""
        return self.webhooks.list(member.deployment.deployment_id)

    def new_form(self, member: SignedInMember) -> FilledForm:
        """Return the form that adds a webhook, by default for new requests."""
        return self._new_form(member.deployment, {"active": "on", WebhookEvent.NEW_REQUEST.value: "on"})

    def create(self, member: SignedInMember, typed: FilledForm) -> FilledForm | IssuedSecret:
        """Add a webhook and return it with its secret, else the form with what is wrong or changed meanwhile.

        A form that is sent twice adds one webhook, because adding one changes the list.
        """
        deployment = member.deployment

        def save() -> IssuedSecret:
            wish = parse_document(NewWebhook, json.dumps(_document(typed.fields)))
            return self.webhooks.create(deployment.deployment_id, wish, if_match=typed.etag, actor=actor_name(member))

        return self.edit(deployment, typed, save, anew=self._new_form, blame=_problem, about=of_kinds(*_KINDS))

    def sheet(self, member: SignedInMember, webhook_id: str, cursor: str | None = None) -> WebhookSheet:
        """Return a webhook; raises NotFound, and ValidationFailed for an invalid cursor."""
        deployment = member.deployment
        webhook = self.webhooks.show(deployment.deployment_id, webhook_id)
        page = self.webhooks.list_deliveries(deployment.deployment_id, webhook_id, _DELIVERIES, cursor)
        return WebhookSheet(
            webhook=webhook,
            form=form_from(deployment, as_json(webhook_shown(webhook)), _fields(webhook)),
            rotation=form_from(deployment, as_json(webhook_shown(webhook)), {}),
            rotates=webhook.secrets[-1].signs_from > self.clock.now(),
            page=page,
        )

    def save(self, member: SignedInMember, webhook_id: str, typed: FilledForm) -> FilledForm | Webhook:
        """Save a webhook and return it, else the form with what is wrong or changed meanwhile; raises NotFound."""

        def save() -> Webhook:
            wish = parse_document(WebhookPatch, json.dumps(_document(typed.fields)))
            return self.webhooks.change(
                member.deployment.deployment_id, webhook_id, wish, if_match=typed.etag, actor=actor_name(member)
            )

        return self._edit(member, webhook_id, typed, save, _problem)

    def rotate(self, member: SignedInMember, webhook_id: str, typed: FilledForm) -> FilledForm | IssuedSecret:
        """Return a new secret, else the form with what is wrong or changed meanwhile; raises NotFound.

        A form that is sent twice rotates once, because rotating changes the webhook.
        """
        moment = text_in(typed.fields, "signs_from")
        # Browsers leave out the seconds unless someone typed some.
        text = f"{moment}:00Z" if moment and moment.count(":") == 1 else moment and f"{moment}Z"

        def save() -> IssuedSecret:
            wish = parse_document(Rotation, json.dumps({"signs_from": text}))
            return self.webhooks.rotate_secret(
                member.deployment.deployment_id, webhook_id, wish, if_match=typed.etag, actor=actor_name(member)
            )

        problem = "Choose a time within the next 30 days, in UTC, or leave it empty to rotate now."
        return self._edit(member, webhook_id, typed, save, lambda _: ("signs_from", problem))

    def delete(self, member: SignedInMember, webhook_id: str) -> None:
        """Delete a webhook; raises NotFound."""
        self.webhooks.delete(member.deployment.deployment_id, webhook_id, actor=actor_name(member))

    def ping(self, member: SignedInMember, webhook_id: str) -> None:
        """Send a test ping; raises NotFound."""
        self.webhooks.test(member.deployment.deployment_id, webhook_id)

    def redeliver(
        self, member: SignedInMember, webhook_id: str, delivery_id: str, request_id: str | None = None
    ) -> Delivery:
        """Send a delivery again; raises NotFound, also if it is not of the given request."""
        deployment_id = member.deployment.deployment_id
        if request_id is not None:
            earlier = self.webhooks.show_delivery(deployment_id, webhook_id, delivery_id)
            if earlier.request_id != request_id:
                raise NotFound("There is no such delivery of this request.")
        return self.webhooks.redeliver(deployment_id, webhook_id, delivery_id)

    def _new_form(self, deployment: Deployment, fields: Fields) -> FilledForm:
        return form_from(deployment, webhooks_to_list(self.webhooks.list(deployment.deployment_id)), fields)

    def _edit(
        self,
        member: SignedInMember,
        webhook_id: str,
        typed: FilledForm,
        save: Callable[[], _Saved],
        blame: Callable[[FieldError], tuple[str, str]],
    ) -> FilledForm | _Saved:
        def anew(deployment: Deployment, fields: Fields) -> FilledForm:
            webhook = self.webhooks.show(deployment.deployment_id, webhook_id)
            return form_from(deployment, as_json(webhook_shown(webhook)), fields)

        def about(event: AuditEvent) -> bool:
            changed = event.data.get("after") or event.data.get("before") or {}
            return event.kind in _KINDS and changed["id"] == webhook_id

        return self.edit(member.deployment, typed, save, anew=anew, blame=blame, about=about)


def _fields(webhook: Webhook) -> Fields:
    events = {event.value: "on" for event in webhook.events}
    return {"name": webhook.name, "url": webhook.url, **({"active": "on"} if webhook.active else {}), **events}


def _document(fields: Fields) -> dict[str, object]:
    return {
        "name": fields.get("name", "").strip(),
        "url": fields.get("url", "").strip(),
        "events": [event.value for event in WebhookEvent if ticked(fields, event.value)],
        "active": ticked(fields, "active"),
    }


def _problem(error: FieldError) -> tuple[str, str]:
    match error.field.lstrip("/").split("/")[0]:
        case "name":
            return "name", "Enter a name, up to 256 characters."
        case "url":
            return "url", sentence(error)
        case "events":
            return "events", "Choose at least one event."
        case _:
            return "", sentence(error)
