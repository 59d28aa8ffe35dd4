"""`flow-hitl redrive`: send again what was given up."""

from typing import TYPE_CHECKING

import click

from infra.cli.errors import OperatorError
from infra.cli.output import show
from infra.cli.target import CommandTarget, pass_target, target_options
from infra.outputs import output_name

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# The operator's names, and those of the stack's queues.
_QUEUES = {
    "resume": "resume",
    "email": "email",
    "webhook": "webhook",
    "deadline": "deadline",
    "inbound-mail": "inbound_mail",
    "mail-feedback": "mail_feedback",
    "relay": "relay_retry",
    "measure": "measure_retry",
    "seal": "seal",
    "export": "export",
}
# Asks all of SQS's servers; a short poll may find nothing where there is something.
WAIT_SECONDS = 1
_BATCH = 10


@click.command()
@click.argument("queue", type=click.Choice(list(_QUEUES)))
@target_options
@pass_target
def redrive(target: CommandTarget, queue: str) -> None:
    """Send a queue's dead letters again.

    All messages of the queue's dead-letter queue go back to the queue, whose worker tries them anew.
    """
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
        "its worker tries them now. What fails again comes back to the dead-letter queue, and its alarm says so."
        if moved
        else f"look into another: {', '.join(name for name in _QUEUES if name != queue)}.",
    )


def move_back(sqs: "SQSClient", source_url: str, target_url: str) -> int:
    """Send each message of one queue to another, then delete it; return how many were moved.

    Ended in between, it leaves at most one message in both queues, which workers take without harm. SQS's own
    StartMessageMoveTask works in the background, so that nothing certain could be said, and no emulator has it.
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
