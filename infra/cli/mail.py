"""`flow-hitl mail`: discarded email, and addresses that get none."""

import json
from datetime import date

import click

from infra.cli.errors import OperatorError
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, with_target


@click.group()
def mail() -> None:
    """Look up discarded replies and suppressed addresses."""


@mail.command()
@click.option("--day", metavar="DAY", help="A day in UTC such as 2027-01-31.  [today]")
@with_target
def discarded(target: CommandTarget, day: str | None) -> None:
    """List a day's incoming email that was discarded without an answer, newest first, with the reason."""
    try:
        wanted = date.fromisoformat(day) if day else target.application.clock.now().date()
    except ValueError:
        raise click.BadParameter(f"{day!r} is not a day such as 2027-01-31.", param_hint="--day") from None
    found = target.application.discards.on_day(wanted)
    rows = [(one["at"], one["reason"], one["request_id"] or "-", json.dumps(one["details"])) for one in found]
    show(
        target,
        {"discarded": list(found)},
        table(("at", "reason", "request", "details"), rows) if rows else f"No email was discarded on {wanted}.",
        "see another day of the last 90: " + target.command("mail discarded --day DAY"),
    )


@mail.command()
@with_target
def suppressed(target: CommandTarget) -> None:
    """List the addresses that get no email because it bounced, or none from a deployment they reported as spam."""
    found = target.application.suppressed.entries()
    rows = [(one["address"], one["deployment_id"] or "all", one["at"], one["reason"]) for one in found]
    show(
        target,
        {"suppressed": list(found)},
        table(("address", "deployment", "since", "reason"), rows) if rows else "No address is suppressed.",
        f"send to one again: {target.command('mail allow ADDRESS')}" if rows else "nothing to do.",
    )


@mail.command()
@click.argument("address", metavar="ADDRESS")
@with_target
def allow(target: CommandTarget, address: str) -> None:
    """Send email to an address again."""
    if not target.application.suppressed.remove(address):
        raise OperatorError(f"{address} is not suppressed.", f"See who is: {target.command('mail suppressed')}")
    show(
        target,
        {"allowed": address},
        f"{address} gets email again.",
        "remove it from the suppression list of your SES account too, if it is there: "
        f"aws sesv2 delete-suppressed-destination --email-address {address}",
    )
