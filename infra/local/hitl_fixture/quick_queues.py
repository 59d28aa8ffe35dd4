"""Shortcuts for moto's queues, which look at all of their messages, and at all that they know, for each answer."""

import json
import random
import string
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from infra.local.hitl_fixture.copies import copied


def shortcuts() -> Sequence[tuple[Any, str, Any]]:
    """Return what is replaced: where, which attribute, and by what."""
    import moto.sqs.models
    from moto.core.utils import camelcase_to_underscores
    from moto.sqs.models import Queue

    sqs: Any = moto.sqs.models
    attribute_of = cache(camelcase_to_underscores)

    # The time is the same for all of them.
    def waiting(queue: Any) -> list[Any]:
        if not queue._messages:
            return []
        now = sqs.unix_time_millis()
        return [one for one in queue._messages if one.visible_at < now and one.delayed_until <= now]

    def delayed(queue: Any) -> int:
        now = sqs.unix_time_millis() if queue._messages else 0
        return sum(one.delayed_until > now for one in queue._messages)

    def hidden(queue: Any) -> int:
        now = sqs.unix_time_millis() if queue._messages else 0
        return sum(one.visible_at >= now for one in queue._messages)

    class Attributes(Mapping[str, Any]):
        """A queue's attributes, each found when it is asked for: most are counts."""

        def __init__(self, queue: Any) -> None:
            self._queue = queue
            self._names = (
                *queue.BASE_ATTRIBUTES,
                *(queue.FIFO_ATTRIBUTES if queue.fifo_queue else ()),
                *(queue.KMS_ATTRIBUTES if queue.kms_master_key_id else ()),
            )

        def __getitem__(self, name: str) -> Any:
            if name not in self._names:
                raise KeyError(name)
            value = getattr(self._queue, attribute_of(name))
            if name == "RedrivePolicy" and value:
                return json.dumps(value)
            return str(value).lower() if isinstance(value, bool) else value

        def __contains__(self, name: object) -> bool:
            return name in self._names

        def __iter__(self) -> Iterator[str]:
            return iter(self._names)

        def __len__(self) -> int:
            return len(self._names)

    def receipt_handle() -> str:
        return "".join(random.choices(string.ascii_lowercase, k=185))  # noqa: S311

    return (
        (Queue, "messages", property(waiting)),
        (Queue, "approximate_number_of_messages_delayed", property(delayed)),
        (Queue, "approximate_number_of_messages_not_visible", property(hidden)),
        (Queue, "attributes", property(Attributes)),
        (sqs, "generate_receipt_handle", receipt_handle),
        (sqs, "deepcopy", lambda value: copied(value, {})),
        (sqs, "camelcase_to_underscores", attribute_of),
    )
