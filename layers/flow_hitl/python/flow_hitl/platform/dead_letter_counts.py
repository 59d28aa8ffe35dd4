"""How much rests in the dead-letter queues."""

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.platform.aws_errors import unknown
from flow_hitl.platform.no_answer import Unknown


class SqsDeadLetterCounts:
    """The dead-letter queues, each by the name of what fills it."""

    def __init__(self, client: Any, url: Callable[[str], str]) -> None:
        self._client, self._url = client, url

    def number(self, queue: str) -> int | Unknown:
        try:
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url(queue), AttributeNames=["ApproximateNumberOfMessages"]
            )
        except (BotoCoreError, ClientError) as error:
            return unknown(error)
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])
