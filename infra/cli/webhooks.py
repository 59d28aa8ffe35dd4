"""`flow-hitl webhook`: the webhooks of a deployment, and their deliveries."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import parse_document
from flow_hitl.deployments.deployment import WebhookEvent
from flow_hitl.platform.times import rfc3339
from flow_hitl.webhooks.answers import delivery_shown, webhook_shown
from flow_hitl.webhooks.manage_webhooks import ManageWebhooks, NewWebhook, WebhookPatch
from flow_hitl.webhooks.webhook import Delivery
from infra.cli.errors import refusals
from infra.cli.output import listed, show
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target
from infra.cli.values import rotation, signs_from_option

_webhook_argument = click.argument("webhook_id", metavar="WEBHOOK")
_events_option = click.option(
    "--event",
    "events",
    multiple=True,
    type=click.Choice([event.value for event in WebhookEvent]),
    help="An event to send; repeat for more.",
)


@click.group()
def webhook() -> None:
    """Create, change, test, and delete a deployment's webhooks, and see their deliveries."""


@webhook.command()
@deployment_argument
@click.option("--name", required=True, help="Which application it is.")
@click.option("--url", required=True, help="Where events are sent by POST, https://…")
@_events_option
@click.option("--inactive", is_flag=True, help="Create it switched off.")
@with_target
def create(
    target: CommandTarget, deployment_id: int, name: str, url: str, events: Sequence[str], inactive: bool
) -> None:
    """Create a webhook and print its signing secret once; without --event it gets new requests."""
    wish = {"name": name, "url": url, "active": not inactive, **_some(events=_once(events))}
    with _refusals(target, deployment_id, "The webhook was not created") as manage:
        issued = manage.create(deployment_id, parse_document(NewWebhook, json.dumps(wish)))
    words = f"{deployment_id} {issued.webhook.webhook_id}"
    document = as_json(webhook_shown(issued.webhook))
    show(
        target,
        {"webhook": document, "secret": issued.secret},
        f"{_table([document])}\n\n{issued.secret}",
        "give the secret to the application, which checks X-Signature with it; it is not shown again. Then test it: "
        + target.command(f"webhook test {words}"),
    )


@webhook.command("list")
@with_deployment
def list_webhooks(target: CommandTarget, deployment_id: int) -> None:
    """List a deployment's webhooks, without their secrets."""
    target.manage.show(deployment_id)
    documents = as_json([webhook_shown(one) for one in target.application.manage_webhooks.list(deployment_id)])
    show(
        target,
        {"webhooks": documents},
        _table(documents) if documents else "No webhooks yet.",
        f"see its deliveries: {target.command(f'webhook deliveries {deployment_id} WEBHOOK')}"
        if documents
        else f"create one: {target.command(f'webhook create {deployment_id} --name NAME --url URL')}",
    )


@webhook.command("set")
@deployment_argument
@_webhook_argument
@click.option("--name", help="Which application it is.")
@click.option("--url", help="Where events are sent by POST, https://…")
@_events_option
@click.option("--active/--inactive", default=None, help="Switch it on or off.")
@with_target
def change(
    target: CommandTarget,
    deployment_id: int,
    webhook_id: str,
    name: str | None,
    url: str | None,
    events: Sequence[str],
    active: bool | None,
) -> None:
    """Change a webhook; options that are not given stay as they are."""
    wish = _some(name=name, url=url, events=_once(events), active=active)
    if not wish:
        raise click.UsageError("Give --name, --url, --event, --active or --inactive.")
    with _refusals(target, deployment_id, "The webhook was not changed") as manage:
        changed = manage.change(deployment_id, webhook_id, parse_document(WebhookPatch, json.dumps(wish)))
    document = as_json(webhook_shown(changed))
    next_step = f"test it: {target.command(f'webhook test {deployment_id} {webhook_id}')}"
    show(target, {"webhook": document}, _table([document]), next_step)


@webhook.command()
@deployment_argument
@_webhook_argument
@with_target
def delete(target: CommandTarget, deployment_id: int, webhook_id: str) -> None:
    """Delete a webhook; the callback URLs it was given stop working."""
    with _refusals(target, deployment_id, "The webhook was not deleted") as manage:
        manage.delete(deployment_id, webhook_id)
    show(
        target,
        {"deleted": webhook_id},
        f"Deleted webhook {webhook_id} of deployment {deployment_id}.",
        f"see the remaining ones: {target.command(f'webhook list {deployment_id}')}",
    )


@webhook.command("rotate-secret")
@deployment_argument
@_webhook_argument
@signs_from_option
@with_target
def rotate_secret(target: CommandTarget, deployment_id: int, webhook_id: str, signs_from: str | None) -> None:
    """Give a webhook a new signing secret and print it once; the old one signs until then."""
    wish = rotation(target, signs_from)
    with _refusals(target, deployment_id, "The secret was not rotated") as manage:
        issued = manage.rotate_secret(deployment_id, webhook_id, wish)
    at = rfc3339(issued.signs_from)
    document = {"secret": issued.secret, "signs_from": at}
    show(target, document, issued.secret, f"give it to the application; it signs from {at}.")


@webhook.command("test")
@deployment_argument
@_webhook_argument
@with_target
def send_test_ping(target: CommandTarget, deployment_id: int, webhook_id: str) -> None:
    """Send a test event, even to a webhook that is switched off."""
    with _refusals(target, deployment_id, "The test was not sent") as manage:
        delivery = manage.test(deployment_id, webhook_id)
    _show_sent(target, delivery, f"A test is on its way to webhook {webhook_id}")


@webhook.command()
@deployment_argument
@_webhook_argument
@click.option("--limit", type=click.IntRange(1, 100), default=20, show_default=True, help="How many to list.")
@click.option("--cursor", help="The cursor that the previous list ended with.")
@with_target
def deliveries(target: CommandTarget, deployment_id: int, webhook_id: str, limit: int, cursor: str | None) -> None:
    """List a webhook's deliveries of the last 90 days, newest first; --json shows the answers too."""
    with _refusals(target, deployment_id, "The deliveries were not listed") as manage:
        page = manage.list_deliveries(deployment_id, webhook_id, limit, cursor)
    words, documents = f"{deployment_id} {webhook_id}", [_document(target, one) for one in page.deliveries]
    if page.next_cursor:
        next_step = f"see older ones: {target.command(f'webhook deliveries {words} --cursor {page.next_cursor}')}"
    elif documents:
        next_step = f"send one again: {target.command(f'webhook redeliver {words} DELIVERY')}"
    else:
        next_step = f"send a test: {target.command(f'webhook test {words}')}"
    show(
        target,
        {"deliveries": documents, "next_cursor": page.next_cursor},
        _delivery_table(documents) if documents else "Nothing was sent to this webhook in the last 90 days.",
        next_step,
    )


@webhook.command()
@deployment_argument
@_webhook_argument
@click.argument("delivery_id", metavar="DELIVERY")
@with_target
def redeliver(target: CommandTarget, deployment_id: int, webhook_id: str, delivery_id: str) -> None:
    """Send a delivery again, under the X-Webhook-Id of the first."""
    hint = f"See {target.command(f'webhook deliveries {deployment_id} {webhook_id}')}"
    with _refusals(target, deployment_id, "The delivery was not sent again", hint) as manage:
        delivery = manage.redeliver(deployment_id, webhook_id, delivery_id)
    _show_sent(target, delivery, f"Delivery {delivery_id} is on its way again")


@contextmanager
def _refusals(
    target: CommandTarget, deployment_id: int, sentence: str, hint: str | None = None
) -> Iterator[ManageWebhooks]:
    """Yield the service of an existing deployment; a refusal becomes `sentence` and its reasons."""
    target.manage.show(deployment_id)
    with refusals(sentence, hint or f"See {target.command(f'webhook list {deployment_id}')}"):
        yield target.application.manage_webhooks


def _some(**options: object) -> dict[str, object]:
    """Return the options that were given."""
    return {name: value for name, value in options.items() if value is not None}


def _once(events: Sequence[str]) -> list[str] | None:
    return list(dict.fromkeys(events)) or None


def _document(target: CommandTarget, delivery: Delivery) -> dict[str, Any]:
    shown: dict[str, Any] = as_json(delivery_shown(delivery, target.application.clock.now()))
    return shown


def _show_sent(target: CommandTarget, delivery: Delivery, sentence: str) -> None:
    log = target.command(f"webhook deliveries {delivery.deployment_id} {delivery.webhook_id}")
    text = f"{sentence}, as delivery {delivery.delivery_id}."
    show(target, {"delivery": _document(target, delivery)}, text, f"see the result in a moment: {log}")


def _table(documents: Sequence[dict[str, Any]]) -> str:
    columns = {"webhook": "id", "name": "name", "url": "url", "events": "events", "active": "active"}
    shown = [{**one, "active": "yes" if one["active"] else "no"} for one in documents]
    return listed({**columns, "secret signs from": "secret_signs_from"}, shown)


def _delivery_table(documents: Sequence[dict[str, Any]]) -> str:
    columns = {"delivery": "id", "event": "event", "request": "request_id", "status": "status", "result": "reason"}
    shown = [{**one, "event": one["event"] + (" (again)" if one["redelivery_of"] else "")} for one in documents]
    return listed({**columns, "ms": "duration_ms", "at": "at"}, shown)
