"""Sign-ins on their way to the worker that sends emails."""

import json
from typing import Any


class SqsSignInQueue:
    """The queue from which the worker takes effects, too."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, try_id: str) -> None:
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps({"sign_in": try_id}))


def read_sign_in(body: str) -> str | None:
    """Return the id of the try to sign in that a message names, or None if it names an effect."""
    found = json.loads(body).get("sign_in")
    return str(found) if found is not None else None
