"""The managers' routes to a deployment's webhooks and their deliveries, which `functions/management.py` serves."""

from flow_hitl.bootstrap import current
from flow_hitl.contract.rotation import RotatedSecret, Rotation
from flow_hitl.contract.validation import parse_document
from flow_hitl.webhooks.answers import (
    CreatedWebhook,
    DeliveryAnswer,
    DeliveryPageShown,
    DeliveryShown,
    WebhookAnswer,
    Webhooks,
    delivery_shown,
    webhook_shown,
)
from flow_hitl.webhooks.manage_webhooks import NewWebhook, WebhookPatch
from flow_hitl.webhooks.webhook import Delivery
from functions.http_api import body_bytes, call_of, json_response, no_content, query, query_integer
from functions.management_access import manager
from functions.routing import Response, Routes

router = Routes()


@router.post("/v1/deployments/<deployment_id>/webhooks")
def create_webhook(deployment_id: str) -> Response:
    caller = manager(router, deployment_id)
    wish = parse_document(NewWebhook, body_bytes(router))
    call = call_of(router, caller.id, "create-webhook")
    issued = current().manage_webhooks.create(caller.id, wish, actor=caller.actor, call=call)
    return json_response(201, CreatedWebhook(webhook_shown(issued.webhook), issued.secret))


@router.get("/v1/deployments/<deployment_id>/webhooks")
def list_webhooks(deployment_id: str) -> Response:
    webhooks = current().manage_webhooks.list(manager(router, deployment_id).id)
    return json_response(200, Webhooks([webhook_shown(webhook) for webhook in webhooks]))


@router.patch("/v1/deployments/<deployment_id>/webhooks/<webhook_id>")
def change_webhook(deployment_id: str, webhook_id: str) -> Response:
    caller = manager(router, deployment_id)
    wish = parse_document(WebhookPatch, body_bytes(router))
    webhook = current().manage_webhooks.change(caller.id, webhook_id, wish, actor=caller.actor)
    return json_response(200, WebhookAnswer(webhook_shown(webhook)))


@router.delete("/v1/deployments/<deployment_id>/webhooks/<webhook_id>")
def delete_webhook(deployment_id: str, webhook_id: str) -> Response:
    caller = manager(router, deployment_id)
    current().manage_webhooks.delete(caller.id, webhook_id, actor=caller.actor)
    return no_content()


@router.post("/v1/deployments/<deployment_id>/webhooks/<webhook_id>/rotate-secret")
def rotate_secret(deployment_id: str, webhook_id: str) -> Response:
    caller = manager(router, deployment_id)
    wish = parse_document(Rotation, body_bytes(router) or b"{}")
    call = call_of(router, caller.id, "rotate-secret", webhook_id)
    issued = current().manage_webhooks.rotate_secret(caller.id, webhook_id, wish, actor=caller.actor, call=call)
    return json_response(200, RotatedSecret(issued.secret, issued.signs_from))


@router.post("/v1/deployments/<deployment_id>/webhooks/<webhook_id>/test")
def send_test_ping(deployment_id: str, webhook_id: str) -> Response:
    deployment = manager(router, deployment_id).id
    call = call_of(router, deployment, "test-webhook", webhook_id)
    delivery = current().manage_webhooks.test(deployment, webhook_id, call)
    return json_response(202, DeliveryAnswer(_delivery(delivery)))


@router.get("/v1/deployments/<deployment_id>/webhooks/<webhook_id>/deliveries")
def list_deliveries(deployment_id: str, webhook_id: str) -> Response:
    deployment = manager(router, deployment_id).id
    limit = query_integer(router, "limit", 20, 1, 100)
    page = current().manage_webhooks.list_deliveries(deployment, webhook_id, limit, query(router, "cursor"))
    return json_response(200, DeliveryPageShown(list(map(_delivery, page.deliveries)), page.next_cursor))


@router.post("/v1/deployments/<deployment_id>/webhooks/<webhook_id>/deliveries/<delivery_id>/redeliver")
def redeliver(deployment_id: str, webhook_id: str, delivery_id: str) -> Response:
    deployment = manager(router, deployment_id).id
    call = call_of(router, deployment, "redeliver", webhook_id, delivery_id)
    delivery = current().manage_webhooks.redeliver(deployment, webhook_id, delivery_id, call)
    return json_response(202, DeliveryAnswer(_delivery(delivery)))


def _delivery(delivery: Delivery) -> DeliveryShown:
    return delivery_shown(delivery, current().clock.now())
