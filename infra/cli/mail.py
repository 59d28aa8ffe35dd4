"""`flow-hitl mail`: what became of mails that nobody was told of, and who gets none."""

import json
from datetime import date

import click

from infra.cli.errors import OperatorError
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, pass_target, target_options


@click.group()
def mail() -> None:
    """Look up discarded replies, and addresses that get no mail."""


@mail.command()
@click.option("--day", metavar="DAY", help="A day in UTC such as 2027-01-31.  [today]")
@target_options
@pass_target
def discarded(target: CommandTarget, day: str | None) -> None:
    """List the mails of a day that decided nothing and were not answered, newest first, with the reason."""
    try:
        wanted = date.fromisoformat(day) if day else target.application.clock.now().date()
    except ValueError:
        raise click.BadParameter(f"{day!r} is no day such as 2027-01-31.", param_hint="--day") from None
    found = target.application.discards.on_day(wanted)
    rows = [(one["at"], one["reason"], one["request_id"] or "-", json.dumps(one["details"])) for one in found]
    show(
        target,
        {"discarded": list(found)},
        table(("at", "reason", "request", "details"), rows) if rows else f"No mail was discarded on {wanted}.",
        target.command("mail discarded --day DAY") + " shows another day; they are kept for 90 days.",
    )


@mail.command()
@target_options
@pass_target
def suppressed(target: CommandTarget) -> None:
    """List the addresses that get no mail because it bounced, or none of a deployment that they reported as spam."""
    found = target.application.suppressed.entries()
    rows = [(one["address"], one["deployment_id"] or "all", one["at"], one["reason"]) for one in found]
    show(
        target,
        {"suppressed": list(found)},
        table(("address", "deployment", "since", "reason"), rows) if rows else "Every address gets its mail.",
        target.command("mail allow ADDRESS") + " lets one have mail again.",
    )


@mail.command()
@click.argument("address", metavar="ADDRESS")
@target_options
@pass_target
def allow(target: CommandTarget, address: str) -> None:
    """Let an address get mail again."""
    if not target.application.suppressed.remove(address):
        raise OperatorError(
            f"{address} gets its mail already.", f"See who does not: {target.command('mail suppressed')}"
        )
    show(
        target,
        {"allowed": address},
        f"{address} gets mail again.",
        "SES may keep the address on the account's own suppression list: `aws sesv2 delete-suppressed-destination "
        f"--email-address {address}`.",
    )
