"""`flow-hitl redrive`: try dead letters again."""

from typing import TYPE_CHECKING

import click

from infra.cli.errors import OperatorError
from infra.cli.output import show
from infra.cli.target import CommandTarget, with_target
from infra.outputs import output_name
from infra.topology import QUEUES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The operator's name of each queue.
_QUEUES = {queue.name.removesuffix("_retry").replace("_", "-"): queue.name for queue in QUEUES}
# A long poll asks all of SQS's servers; a short one may miss messages.
WAIT_SECONDS = 1
_BATCH = 10


@click.command()
@click.argument("queue", type=click.Choice(list(_QUEUES)))
@with_target
def redrive(target: CommandTarget, queue: str) -> None:
    """Move a queue's dead letters back to the queue, whose worker tries them again."""
    from flow_hitl.platform.aws import client

    dead_letters, work = (_queue_url(target, f"{_QUEUES[queue]}_{kind}_url") for kind in ("dead_letter_queue", "queue"))
    moved = move_back(client("sqs"), dead_letters, work)
    messages = "1 message" if moved == 1 else f"{moved} messages"
    show(
        target,
        {"queue": queue, "moved": moved},
        f"Moved {messages} from the dead-letter queue of {queue} back to its queue."
        if moved
        else f"The dead-letter queue of {queue} is empty; nothing was moved.",
        "nothing to do unless the alarm comes back: messages that fail again return to the dead-letter queue."
        if moved
        else f"try another queue: {', '.join(name for name in _QUEUES if name != queue)}.",
    )


def move_back(sqs: "SQSClient", source_url: str, target_url: str) -> int:
    """Move all messages from one queue to another; return how many.

    If it is interrupted, at most one message is in both queues, which workers handle. SQS's own StartMessageMoveTask
    works in the background and cannot report when it is done.
    """
    moved = 0
    while messages := sqs.receive_message(
        QueueUrl=source_url, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=WAIT_SECONDS, VisibilityTimeout=60
    ).get("Messages"):
        for message in messages:
            sqs.send_message(QueueUrl=target_url, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=source_url, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved


def _queue_url(target: CommandTarget, name: str) -> str:
    try:
        return target.outputs[output_name(name)]
    except KeyError:
        raise OperatorError(
            f"The stack's outputs lack {name}.", "Name the core stack, and deploy it with this version."
        ) from None
