"""`flow-hitl doctor`: whether everything works, and if not, what to do."""

import uuid

import click

from infra.cli.checks import look
from infra.cli.report import report
from infra.cli.target import CommandTarget, with_target


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
    context.exit(1 if report(target, checks) else 0)


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
