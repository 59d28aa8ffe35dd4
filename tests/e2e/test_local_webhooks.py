"""Webhooks on the local stack: the template's own queue, key and rights, and a receiver of ours."""

import hashlib
import hmac
import json
from urllib.parse import urlsplit

import pytest

from tests.e2e.local_client import LocalClient, eventually
from tests.support.receiver import Received, receiving

pytestmark = pytest.mark.e2e


def is_signed(post: Received, secret: str) -> bool:
    signed = f"{post.headers['x-timestamp']}.{post.body.decode()}".encode()
    expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return hmac.compare_digest(post.headers["x-signature"], f"sha256={expected}")


def test_a_webhook_is_told_and_answers_by_its_callback_url(local: LocalClient) -> None:
    with receiving() as app:
        webhooks = f"/v1/deployments/{local.credentials.deployment_id}/webhooks"
        made = local.call("POST", webhooks, {"name": "Jira", "url": app.url})
        assert made.status_code == 201, made.text
        own = f"{webhooks}/{made.json()['webhook']['id']}"
        created = local.ask(output="# Draft")
        (post,) = eventually(lambda: app.received, "the webhook")
        payload = json.loads(post.body)
        assert (payload["request"]["id"], payload["request"]["output"]) == (created["request"]["id"], "# Draft")
        assert is_signed(post, made.json()["secret"])

        def logged() -> bool:
            deliveries = local.call("GET", f"{own}/deliveries").json()["deliveries"]
            return [one["status"] for one in deliveries] == ["delivered"]

        assert eventually(logged, "the delivery on record")
        rotated = local.call("POST", f"{own}/rotate-secret").json()["secret"]
        assert local.call("POST", f"{own}/test").status_code == 202
        ping = eventually(lambda: app.received[1:], "the test delivery")[0]
        assert json.loads(ping.body)["event"] == "test"
        assert is_signed(ping, rotated)
        callback = urlsplit(payload["callback_url"]).path
        answered = local.call("POST", callback, {"feedback": "approved"})
        assert (answered.status_code, answered.json()["status"]) == (200, "accepted")
        assert local.call("DELETE", own).status_code == 204
        assert local.call("POST", callback, {"feedback": "approved"}).status_code == 401
        events = local.call("GET", f"/v1/requests/{created['request']['id']}/timeline").json()["events"]
        assert "webhook_delivered" in [event["kind"] for event in events]
