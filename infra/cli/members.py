"""`flow-hitl member`: the people of a deployment, and the other addresses they answer from."""

import click

from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import Members
from flow_hitl.deployments.deployment import Deployment, Member, Permission
from flow_hitl.platform.times import zone_named
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target
from infra.cli.values import plain_address


def _zone_name(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and zone_named(value) is None:
        raise click.BadParameter("must be the IANA name of a time zone, such as Europe/Berlin")
    return value


@click.group()
def member() -> None:
    """Set, list, and remove a deployment's members."""


@member.command("set")
@deployment_argument
@click.argument("email", metavar="EMAIL", callback=plain_address)
@click.option(
    "--permission",
    "permissions",
    multiple=True,
    type=click.Choice([Permission.MANAGE.value, Permission.RESPOND.value]),
    help="What the member may do beyond answering their own requests; repeat for more.",
)
@click.option(
    "--alias",
    "aliases",
    multiple=True,
    metavar="EMAIL",
    callback=plain_address,
    help="Another address they answer from; repeat for more.",
)
@click.option(
    "--timezone", metavar="NAME", callback=_zone_name, help="Of the times in their emails, such as Europe/Berlin."
)
@with_target
def set_member(
    target: CommandTarget,
    deployment_id: int,
    email: str,
    permissions: tuple[str, ...],
    aliases: tuple[str, ...],
    timezone: str | None,
) -> None:
    """Add a member, or replace their permissions, aliases, and time zone."""
    wanted = Member(email, frozenset(Permission(permission) for permission in permissions), aliases, timezone)
    _show(target, target.manage.set_member(deployment_id, wanted))


@member.command("list")
@with_deployment
def list_members(target: CommandTarget, deployment_id: int) -> None:
    """List a deployment's members."""
    _show(target, target.manage.show(deployment_id))


@member.command()
@deployment_argument
@click.argument("email", metavar="EMAIL")
@with_target
def remove(target: CommandTarget, deployment_id: int, email: str) -> None:
    """Remove a member."""
    _show(target, target.manage.remove_member(deployment_id, email))


@member.command()
@with_target
def index(target: CommandTarget) -> None:
    """Rebuild the list of who may sign in to the dashboard, for all deployments.

    Needed once, if deployments are older than the dashboard; every change of members updates the list.
    """
    number = target.manage.index_people()
    text = f"Listed who may sign in to {number} {'deployment' if number == 1 else 'deployments'}."
    show(target, {"deployments": number}, text, "have people sign in at the API's address, under /d.")


def _show(target: CommandTarget, deployment: Deployment) -> None:
    rows = [
        (one.email, ", ".join(sorted(one.permissions)) or "-", ", ".join(one.aliases) or "-", one.timezone or "UTC")
        for one in deployment.members
    ]
    show(
        target,
        as_json(Members(deployment.members)),
        table(("email", "permissions", "aliases", "timezone"), rows) if rows else "No members.",
        f"add or change one: {target.command(f'member set {deployment.deployment_id} EMAIL --alias EMAIL')}",
    )
