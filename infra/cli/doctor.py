"""`flow-hitl doctor`: whether everything works, and if not, what to do."""

import json
import uuid
from collections.abc import Iterator

import click

from flow_hitl.diagnosis.findings import FindingStatus
from infra.cli.checks import StackCheck, look
from infra.cli.target import CommandTarget, with_target

_MARKS = {FindingStatus.OK: "ok", FindingStatus.PROBLEM: "PROBLEM", FindingStatus.INFO: "note"}


@click.command()
@click.argument("subject", metavar="[ID]", required=False)
@with_target
@click.pass_context
def doctor(context: click.Context, target: CommandTarget, subject: str | None) -> None:
    """Check the whole installation.

    ID is a deployment's number, or a request's id to diagnose that request too; without ID, all deployments are
    checked. The exit code is 1 if there is a problem.
    """
    deployment_id, request_id = _what(subject)
    checks = look(target, deployment_id, request_id)
    found = list(checks if target.as_json else _printed(checks))
    problems = sum(check.finding.status is FindingStatus.PROBLEM for check in found)
    if target.as_json:
        document = {"problems": problems, "checks": [check.to_dict() for check in found]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(f"\n{problems or 'No'} problem{'' if problems == 1 else 's'} found.")
        if target.choice and any("`flow-hitl " in (check.finding.next_step or "") for check in found):
            click.echo(f"Next: add{target.choice} to the commands above.", err=True)
    context.exit(1 if problems else 0)


def _what(subject: str | None) -> tuple[int | None, str | None]:
    if subject is None:
        return None, None
    if subject.isascii() and subject.isdigit() and int(subject) > 0:
        return int(subject), None
    try:
        return None, str(uuid.UUID(subject))
    except ValueError:
        raise click.BadParameter(
            f"{subject!r} is neither a deployment's number nor a request's id.", param_hint="ID"
        ) from None


def _printed(checks: Iterator[StackCheck]) -> Iterator[StackCheck]:
    """Print each check as soon as it is done: some take seconds."""
    for check in checks:
        mark = _MARKS[check.finding.status]
        click.echo(f"{mark.ljust(8)} {check.name}: {check.finding.fact}")
        if check.finding.next_step:
            click.echo(f"{' ' * 9}-> {check.finding.next_step}")
        yield check
