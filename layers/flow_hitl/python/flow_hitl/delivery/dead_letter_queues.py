"""The dead-letter queues in SQS.

SQS's own StartMessageMoveTask works in the background, so that nothing certain could be said, and moves everything.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from flow_hitl.delivery.dead_letters import MOVES, DeadLetter, message_again, work_queue
from flow_hitl.platform.environment import Settings

# Asks all of SQS's servers; a short poll may find nothing where there is something.
WAIT_SECONDS = 1
_AT_ONCE = 10
_HIDDEN_SECONDS = 120


class SqsDeadLetterQueues:
    def __init__(self, client: Any, settings: Settings) -> None:
        self._client, self._settings = client, settings

    def take(self, name: str) -> Sequence[DeadLetter]:
        found = self._client.receive_message(
            QueueUrl=self._settings.dead_letter_queue_url(name),
            MaxNumberOfMessages=_AT_ONCE,
            WaitTimeSeconds=WAIT_SECONDS,
            VisibilityTimeout=_HIDDEN_SECONDS,
            AttributeNames=["SentTimestamp"],
            MessageAttributeNames=[MOVES],
        )
        return [
            DeadLetter(
                name,
                message["ReceiptHandle"],
                message["Body"],
                datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
                int(message.get("MessageAttributes", {}).get(MOVES, {}).get("StringValue", 0)),
            )
            for message in found.get("Messages", [])
        ]

    def move(self, letter: DeadLetter, *, counted: bool) -> None:
        self._client.send_message(
            QueueUrl=self._settings.queue_url(work_queue(letter.queue)),
            MessageBody=message_again(letter.queue, letter.body),
            MessageAttributes=_moves(letter.moves + 1) if counted else {},
        )
        self.drop(letter)

    def drop(self, letter: DeadLetter) -> None:
        self._client.delete_message(
            QueueUrl=self._settings.dead_letter_queue_url(letter.queue), ReceiptHandle=letter.receipt_handle
        )

    def leave(self, name: str, letters: Sequence[DeadLetter]) -> None:
        remaining = iter(letters)
        while batch := list(islice(remaining, _AT_ONCE)):
            self._client.change_message_visibility_batch(
                QueueUrl=self._settings.dead_letter_queue_url(name),
                Entries=[
                    {"Id": str(number), "ReceiptHandle": letter.receipt_handle, "VisibilityTimeout": 0}
                    for number, letter in enumerate(batch)
                ],
            )


def _moves(number: int) -> dict[str, Any]:
    return {MOVES: {"DataType": "Number", "StringValue": str(number)}}
