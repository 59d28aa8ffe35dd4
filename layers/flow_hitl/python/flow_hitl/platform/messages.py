"""Messages to a queue, as they are."""

from typing import Any


class SqsMessages:
    """One queue, for the function that feeds or empties it."""

    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, body: str) -> None:
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)

    def postpone(self, receipt_handle: str, seconds: int) -> None:
        """Hide a message that is in our hands for so long, after which it is delivered again."""
        self._client.change_message_visibility(
            QueueUrl=self._queue_url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )
