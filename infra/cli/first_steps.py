"""What follows the first deployment of a stack: a deployment, an API key, and a test request on its way."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from botocore.exceptions import BotoCoreError, ClientError

from flow_hitl.deployments.deployment import Deployment, Permission
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.errors import Conflict, FlowHitlError
from flow_hitl.requests.opening.send_test_request import NewTestRequest
from infra.cli.errors import OperatorError
from infra.cli.target import CommandTarget
from infra.options_file import CREATOR, FILE, options_file

ORGANIZATION = 1
NAME = "Reviews"
_KEY_NAME = "first"
_KEY_MAY = Permission.CREATE_REQUESTS


def begin(target: CommandTarget, creator: str | None) -> None:
    """Make the first deployment of a stack that has none, its key, and a test request; `creator` None makes nothing.

    The end says what there is and what comes next. Raises OperatorError with the command that goes on: nothing of what
    was made before is undone.
    """
    with _going_on("Its first deployment was not made", target.command("deploy")):
        there = target.manage.list()
    if there:
        _end(target, f"see that all is well: {target.command('doctor')}")
        return
    if creator is None:
        create = f'deployment create --name "{NAME}" --creator EMAIL --organization {ORGANIZATION}'
        _end(
            target,
            f"make its first deployment: {target.command('deploy --creator EMAIL')}, or {target.command(create)}",
        )
        return
    create = f'deployment create --name "{NAME}" --creator {creator} --organization {ORGANIZATION}'
    with _going_on("Its first deployment was not made", target.command(create)):
        made = target.manage.create(name=NAME, creator_email=creator, organization_id=ORGANIZATION)
    click.echo(f"\nDeployment {made.deployment_id} is made; {creator} gets the requests that nobody else is for.")
    issue = f"api-key issue {made.deployment_id} --name {_KEY_NAME} --permission {_KEY_MAY.value}"
    with _going_on("Its API key was not issued", target.command(issue)):
        path = _write_credentials(target, made)
    click.echo(f"API key and resume secret: {path}, which only you can read. Keep it out of version control.")
    test = target.command(f"test-request {made.deployment_id} --to {creator}")
    with _going_on("The test request was not sent", test):
        request = target.application.send_test_request(made, NewTestRequest(to=creator))
    click.echo(f"Test request {request.head.request_id} is on its way to {creator}.")
    _end(target, f"answer that email. If none comes: {target.command(f'doctor {request.head.request_id}')}")


def asked_creator(target: CommandTarget, given: str | None, *, ask: bool) -> str | None:
    """Return the creator's address: what the command or `flow-hitl.toml` says, else the answer, else None."""
    found = given or target.kept.get(CREATOR)
    if found is None and ask:
        try:
            found = click.prompt(
                "Your address, for the first deployment and a test request (empty: later)",
                default="",
                show_default=False,
                value_proc=_address_or_nothing,
            )
        except click.Abort:
            # Nobody is there to answer.
            click.echo()
    if found and not is_mail_address(found):
        raise OperatorError(f"creator in {FILE} is no address: {found!r}.", "Correct it, and run the command again.")
    return found or None


def _address_or_nothing(value: str) -> str:
    if value and not is_mail_address(value):
        raise click.BadParameter(f"{value!r} is not a plain email address such as ann@example.com.")
    return value


def _write_credentials(target: CommandTarget, made: Deployment) -> Path:
    """Issue a key and write it, with what else a flow needs, into a new file; the key is revoked if that fails."""
    issued = target.manage.issue_key(
        made.deployment_id, name=_KEY_NAME, permissions=frozenset({_KEY_MAY}), expires_at=None
    )
    document = {
        "base_url": target.outputs["BaseUrl"],
        "deployment_id": made.deployment_id,
        "organization_id": made.organization_id,
        "api_key": issued.text,
        "resume_signing_secret": target.manage.resume_secret(made.deployment_id),
    }
    try:
        path = _free_path(options_file().parent / f"{target.stack_name}.credentials.json")
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{json.dumps(document, indent=1)}\n")
    except OSError:
        target.manage.revoke_key(made.deployment_id, issued.api_key.key_id)
        raise
    return path


def _free_path(path: Path) -> Path:
    """Return a path that no file has: one that is there is of an earlier stack of this name."""
    number = 1
    while path.exists():
        number += 1
        path = path.with_name(f"{path.name.partition('.credentials')[0]}.credentials-{number}.json")
    return path


@contextmanager
def _going_on(what: str, command: str) -> Iterator[None]:
    try:
        yield
    except OperatorError as error:
        raise OperatorError(f"The stack is deployed and stays. {what}: {error.message}", command) from error
    except (FlowHitlError, Conflict, BotoCoreError, ClientError, OSError) as error:
        why = error.detail if isinstance(error, FlowHitlError) else error
        raise OperatorError(f"The stack is deployed and stays. {what}: {why}", command) from error


def _end(target: CommandTarget, step: str) -> None:
    base_url = target.outputs["BaseUrl"]
    click.echo(f"\nDashboard and API: {base_url}\nGuide: {base_url}/docs/guide")
    click.echo(f"\nNext: {step}", err=True)
