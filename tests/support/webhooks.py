"""A receiver's side of webhooks, and a manager's, for the tests of both."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from infra.local.hitl_fixture import Answer, Hitl
from tests.support.receiver import Received

ALL_EVENTS = ["new_request", "response_submitted", "request_cancelled", "question_asked"]


@dataclass(frozen=True)
class Hook:
    """A webhook that a test made, with the secret that was shown then."""

    id: str
    secret: str
    hitl: Hitl

    def call(self, method: str, path: str = "", body: Any = None, **options: Any) -> Answer:
        """Call the management API below this webhook."""
        return self.hitl.api(method, f"{webhooks_path(self.hitl)}/{self.id}{path}", body, **options)

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        """The delivery log, newest first."""
        listed: list[dict[str, Any]] = self.call("GET", "/deliveries").json["deliveries"]
        return listed


def webhooks_path(hitl: Hitl, deployment_id: int | None = None) -> str:
    return f"/v1/deployments/{hitl.deployment_id if deployment_id is None else deployment_id}/webhooks"


def hook(hitl: Hitl, url: str, **fields: Any) -> Hook:
    """Make a webhook; fails the test if it is refused."""
    answer = hitl.api("POST", webhooks_path(hitl), {"name": "Jira", "url": url, **fields})
    assert answer.status == 201, answer.text
    return Hook(answer.json["webhook"]["id"], answer.json["secret"], hitl)


def told(post: Received) -> Any:
    """Return the payload of what was POSTed."""
    return json.loads(post.body)


def answer_at(hitl: Hitl, callback_url: str, feedback: str = "approved", **fields: Any) -> Answer:
    """POST to a callback URL as the spec says: with no other credential."""
    return hitl.api("POST", urlsplit(callback_url).path, {"feedback": feedback, **fields}, key=None)


def spec_verifies(signing_secret: str, post: Received) -> bool:
    """Verify as the spec tells a receiver to, in its own lines."""
    timestamp = post.headers["x-timestamp"]
    payload = post.body.decode()
    signature = post.headers["x-signature"].removeprefix("sha256=")
    expected = hmac.new(
        signing_secret.encode(),
        f"{timestamp}.{payload}".encode(),
        hashlib.sha256,
    ).hexdigest()
    return hmac.compare_digest(expected, signature)
