"""Messages to the workers, encoded in one place."""

import json
from collections.abc import Mapping
from typing import Any

from flow_hitl.audit.effects import Effect, EffectKind
from flow_hitl.platform.telemetry import about

# Left out where they are empty.
_TEXTS = ("target", "about")


def effect_message(effect: Effect) -> str:
    message: dict[str, Any] = {
        "kind": effect.kind.value,
        "request_id": effect.request_id,
        "event_seq": effect.event_seq,
    }
    return json.dumps(message | {name: text for name in _TEXTS if (text := getattr(effect, name))})


def read_effect(body: str) -> Effect:
    """Return the effect a message names; raises KeyError or ValueError for a malformed message."""
    message = json.loads(body)
    kind, request_id, event_seq = EffectKind(message["kind"]), str(message["request_id"]), int(message["event_seq"])
    about(request_id=request_id)
    return Effect(kind, request_id, event_seq, **{name: str(message.get(name, "")) for name in _TEXTS})


class SqsEffectQueue:
    """Sends each effect to the queue of its kind."""

    def __init__(self, client: Any, queue_urls: Mapping[EffectKind, str]) -> None:
        self._client, self._queue_urls = client, queue_urls

    def send(self, effect: Effect) -> None:
        self._client.send_message(QueueUrl=self._queue_urls[effect.kind], MessageBody=effect_message(effect))
