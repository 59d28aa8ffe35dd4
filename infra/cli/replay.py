"""`flow-hitl replay`: what should have followed from the events of a time, and has not, is done."""

from datetime import datetime

import click

from flow_hitl.platform.times import rfc3339
from infra.cli.output import show
from infra.cli.target import CommandTarget, with_target
from infra.cli.values import moment


@click.command()
@click.option("--since", metavar="TIME", required=True, callback=moment, help="Look at events from here on.")
@click.option("--until", metavar="TIME", callback=moment, help="Look at events before this.  [ten minutes ago]")
@click.option("--dry-run", is_flag=True, help="Only say what would be handed on.")
@with_target
def replay(target: CommandTarget, since: datetime, until: datetime | None, dry_run: bool) -> None:
    """Look at the audit log again, and hand on what it owes.

    The sweep does that by itself, every five minutes, with what is new. Use this after an upgrade, a restore or a
    disabled sweep. It is harmless to repeat: no email, webhook or answer goes out twice.
    """
    from flow_hitl.sweep.looks import SETTLED_AFTER

    settled = target.application.clock.now().replace(microsecond=0) - SETTLED_AFTER
    since, until = since.replace(microsecond=0), min(until or settled, settled).replace(microsecond=0)
    if since >= until:
        raise click.BadParameter(f"nothing lies between it and {rfc3339(until)}.", param_hint="--since")
    events, senseless, by_kind = 0, list[str](), dict[str, int]()
    day = None
    for batch in target.application.replay(since, until, dry_run=dry_run):
        if not target.as_json and batch.day != day:
            click.echo(f"Looking at {batch.day:%Y-%m-%d}", err=True)
        day, events = batch.day, events + batch.events
        senseless += batch.senseless
        for effect in batch.handed_on:
            by_kind[effect.kind.value] = by_kind.get(effect.kind.value, 0) + 1
    number = sum(by_kind.values())
    told = "would be handed on again" if dry_run else "were handed on again"
    looked = f"Looked at {events:,} events from {rfc3339(since)} to {rfc3339(until)}"
    listed = "".join(f"\n  {kind}: {count:,}" for kind, count in sorted(by_kind.items()))
    broken = "".join(f"\nMakes no sense, and was left out: {name}" for name in senseless)
    show(
        target,
        {
            "since": rfc3339(since),
            "until": rfc3339(until),
            "dry_run": dry_run,
            "events": events,
            "handed_on": by_kind,
            "senseless": senseless,
        },
        f"{looked}; {number:,} effects {told}.{listed}{broken}",
        _next(target, number, since, dry_run=dry_run, senseless=bool(senseless)),
    )


def _next(target: CommandTarget, number: int, since: datetime, *, dry_run: bool, senseless: bool) -> str:
    again = target.command(f"replay --since {rfc3339(since)}")
    if senseless:
        return f"find out who wrote what makes no sense: {target.command('audit verify ID')}"
    if not number:
        return "nothing needs to be done."
    return f"hand them on: {again}" if dry_run else f"see in a few minutes that nothing is left: {again} --dry-run"
