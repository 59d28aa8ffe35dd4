"""`flow-hitl redrive`: try dead letters again."""

from typing import Any

import click

from flow_hitl.platform.times import rfc3339
from infra.cli.output import show
from infra.cli.target import CommandTarget, with_target

# The operator's names, and those of what filled the dead-letter queues.
_QUEUES = {
    "email": "email",
    "mail-feedback": "mail_feedback",
    "inbound-mail": "inbound_mail",
    "deadline": "deadline",
    "schedules": "schedules",
    "receipt": "receipt",
    "resume": "resume",
    "webhook": "webhook",
    "relay": "relay_retry",
    "stream": "stream",
    "seal": "seal",
    "sweep": "sweep",
    "measure": "measure",
    "retention": "retention",
    "export": "export",
}
_ALL = "all"


@click.command()
@click.argument("queue", metavar="QUEUE", type=click.Choice([*_QUEUES, _ALL]))
@click.option("--dry-run", is_flag=True, help="Only say how many messages rest there, and since when.")
@with_target
def redrive(target: CommandTarget, queue: str, dry_run: bool) -> None:
    """Move a queue's dead letters back to the queue, whose worker tries them again; `all` does so for all queues.

    `flow-hitl redrive all --dry-run` says what rests where.
    """
    application = target.application
    results: list[dict[str, Any]] = []
    for name in _QUEUES if queue == _ALL else [queue]:
        if dry_run:
            done = application.redrive_dead_letters.look(_QUEUES[name])
        elif name == "stream":
            done = application.redrive_stream.all()
        else:
            done = application.redrive_dead_letters.all(_QUEUES[name])
        oldest = rfc3339(done.oldest) if done.oldest else None
        results.append({"queue": name, "moved": done.moved, "resting": done.resting, "oldest_sent_at": oldest})
    found = [result for result in results if result["moved"] or result["resting"]]
    show(
        target,
        {"queues": results} if queue == _ALL else results[0],
        "\n".join(_told(result, dry_run=dry_run) for result in found) or _nothing(queue),
        _next(target, queue, bool(found), dry_run=dry_run),
    )


def _told(result: dict[str, Any], *, dry_run: bool) -> str:
    number = result["resting"] if dry_run else result["moved"]
    messages = "1 message" if number == 1 else f"{number} messages"
    name, oldest = result["queue"], result["oldest_sent_at"]
    if dry_run:
        return f"{messages} in the dead-letter queue of {name}, the oldest sent at {oldest}."
    if name == "stream":
        later = f" {result['resting']} have not settled yet." if result["resting"] else ""
        return f"Looked again at the events of {messages} of the dead-letter queue of stream.{later}"
    return f"Moved {messages} from the dead-letter queue of {name} back to its queue."


def _nothing(queue: str) -> str:
    which = "All dead-letter queues are" if queue == _ALL else f"The dead-letter queue of {queue} is"
    return f"{which} empty; nothing was moved."


def _next(target: CommandTarget, queue: str, found: bool, *, dry_run: bool) -> str:
    if not found:
        return (
            "nothing needs to be done."
            if queue == _ALL
            else f"see the others: {target.command('redrive all --dry-run')}"
        )
    if dry_run:
        return f"fix what the log of its function says, then move them: {target.command(f'redrive {queue}')}."
    if queue == "stream":
        return "nothing needs to be done: what follows from these events is on its way."
    return "its worker tries them now. What fails again comes back to the dead-letter queue, and its alarm says so."
