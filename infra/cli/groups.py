"""`flow-hitl group`: groups in a deployment's settings, of which any one member may answer."""

import json
from typing import Any

import click

from flow_hitl.contract.etags import etag
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.configuration_documents import parse_settings
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.platform.address import GROUP_PREFIX, is_mail_address
from flow_hitl.platform.errors import PreconditionFailed
from infra.cli.errors import OperatorError, refusals
from infra.cli.output import show, table, warn
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target
from infra.cli.values import plain_address

_name_argument = click.argument("name", metavar="NAME")


@click.group()
def group() -> None:
    """Set, list, and remove the groups that requests can be assigned to.

    A routing rule names a group as group:NAME, or by the address of its shared mailbox.
    """


@group.command("set")
@deployment_argument
@_name_argument
@click.option(
    "--member",
    "members",
    required=True,
    multiple=True,
    metavar="EMAIL",
    callback=plain_address,
    help="A person of the group; repeat for more.",
)
@click.option("--address", metavar="EMAIL", callback=plain_address, help="A shared mailbox that stands for the group.")
@with_target
def set_group(
    target: CommandTarget, deployment_id: int, name: str, members: tuple[str, ...], address: str | None
) -> None:
    """Add a group or replace its members; for a shared mailbox without a name, NAME is its address.

    Requests that are already assigned stay as they are.
    """
    if is_mail_address(name) and address is not None:
        raise click.UsageError("NAME is already a mailbox: leave out --address, or choose another name.")
    found = target.manage.show(deployment_id)
    groups, place = _documents(found), _place_of(found, name)
    if place is None:
        place = len(groups)
        groups.append({"address": name} if is_mail_address(name) else {"name": name.removeprefix(GROUP_PREFIX)})
    groups[place] |= {"members": list(members), **({"address": address} if address is not None else {})}
    _save(target, found, groups, "The group was not set")


@group.command("list")
@with_deployment
def list_groups(target: CommandTarget, deployment_id: int) -> None:
    """List a deployment's groups and their members."""
    _show(target, target.manage.show(deployment_id))


@group.command()
@deployment_argument
@_name_argument
@with_target
def remove(target: CommandTarget, deployment_id: int, name: str) -> None:
    """Remove a group; requests that are assigned to it stay with its members."""
    found = target.manage.show(deployment_id)
    groups, place = _documents(found), _place_of(found, name)
    if place is None:
        hint = f"See {target.command(f'group list {deployment_id}')}"
        raise OperatorError(f"Deployment {deployment_id} has no group {name}.", hint)
    del groups[place]
    _save(target, found, groups, "The group was not removed")


def _place_of(found: Deployment, name: str) -> int | None:
    """Return where in the settings a group stands, by its name or its address."""
    names = (name, GROUP_PREFIX + name)
    return next((place for place, one in enumerate(found.settings.groups) if any(map(one.is_meant_by, names))), None)


def _documents(found: Deployment) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = as_json(found.settings)["groups"]
    return documents


def _save(target: CommandTarget, found: Deployment, groups: list[dict[str, Any]], sentence: str) -> None:
    """Write the settings with these groups and show them, unless someone else has changed them."""
    before = as_json(found.settings)
    with refusals(sentence, f"See the groups in order: {target.command(f'group list {found.deployment_id}')}"):
        settings = parse_settings(json.dumps({**before, "groups": groups}))
        try:
            changed = target.manage.set_settings(found.deployment_id, settings, if_match=etag(before))
        except PreconditionFailed as error:
            hint = "Nothing was changed. Run the command again."
            raise OperatorError("Someone else changed the settings at the same time.", hint) from error
    warn(target, changed)
    _show(target, changed)


def _show(target: CommandTarget, found: Deployment) -> None:
    documents = _documents(found)
    rows = [(one.get("name", "-"), one.get("address", "-"), ", ".join(one["members"])) for one in documents]
    number = found.deployment_id
    show(
        target,
        {"groups": documents},
        table(("group", "shared mailbox", "members"), rows) if rows else "No groups.",
        f"use it in a rule as group:NAME or by its mailbox: {target.command(f'rules get {number}')}"
        if rows
        else f"add one: {target.command(f'group set {number} NAME --member EMAIL --member EMAIL')}",
    )
