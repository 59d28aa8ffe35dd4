"""`flow-hitl api-key`: the keys that flows and other programs call the API with."""

from typing import Any

import click

from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.access_documents import NO_KEY_RESPONDS
from flow_hitl.deployments.answers import KeyShown, key_shown
from flow_hitl.deployments.deployment import KEYS_MAY, Permission
from infra.cli.output import listed, show
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target
from infra.cli.values import future_moment


@click.group("api-key")
def api_key() -> None:
    """Issue, list and revoke a deployment's API keys."""


@api_key.command()
@deployment_argument
@click.option("--name", required=True, help="Who or what uses the key.")
@click.option(
    "--permission",
    "permissions",
    required=True,
    multiple=True,
    type=click.Choice([permission.value for permission in Permission]),
    help="What the key may do; repeat for more. Only people may respond: see `flow-hitl member set`.",
)
@click.option("--expires", metavar="WHEN", help="A time such as 2027-01-31T12:00:00Z, or days such as 90d.  [never]")
@with_target
def issue(
    target: CommandTarget, deployment_id: int, name: str, permissions: tuple[str, ...], expires: str | None
) -> None:
    """Issue an API key and print it once."""
    if not name.strip():
        raise click.BadParameter("must not be blank.", param_hint="--name")
    if not KEYS_MAY.issuperset(permissions):
        raise click.BadParameter(NO_KEY_RESPONDS, param_hint="--permission")
    now = target.application.clock.now()
    expires_at = future_moment(expires, now, "--expires") if expires is not None else None
    wanted = frozenset(Permission(permission) for permission in permissions)
    issued = target.manage.issue_key(deployment_id, name=name, permissions=wanted, expires_at=expires_at)
    document = as_json(key_shown(issued.api_key))
    show(
        target,
        {"api_key": document, "key": issued.text},
        f"{_table([document])}\n\n{issued.text}",
        "store the key where its program reads secrets; it is not shown again. To revoke it: "
        + target.command(f"api-key revoke {deployment_id} {issued.api_key.key_id}"),
    )


@api_key.command("list")
@with_deployment
def list_keys(target: CommandTarget, deployment_id: int) -> None:
    """List a deployment's API keys without their secrets; the last use is accurate to the hour."""
    keys = target.manage.show(deployment_id).keys_by_age
    uses = target.manage.last_uses(deployment_id)
    documents = [as_json(key_shown(key, uses.get(key.key_id))) for key in keys]
    revoke_one = target.command(f"api-key revoke {deployment_id} KEYID")
    issue_one = target.command(f"api-key issue {deployment_id} --name NAME --permission create_requests")
    show(
        target,
        {"api_keys": documents},
        _table(documents) if keys else "No API keys yet.",
        revoke_one if keys else issue_one,
    )


@api_key.command()
@deployment_argument
@click.argument("key_id", metavar="KEYID")
@with_target
def revoke(target: CommandTarget, deployment_id: int, key_id: str) -> None:
    """Revoke an API key; its next call is refused."""
    revoked = target.manage.revoke_key(deployment_id, key_id)
    show(
        target,
        {"api_key": as_json(revoked, KeyShown)},
        f"Revoked API key {revoked.key_id} ({revoked.name}) of deployment {deployment_id}.",
        f"see the remaining keys: {target.command(f'api-key list {deployment_id}')}",
    )


def _table(documents: list[dict[str, Any]]) -> str:
    columns = {"key id": "id", "name": "name", "permissions": "permissions", "created": "created_at"}
    shown = [{**one, **{name: one[name] or "never" for name in ("expires_at", "last_used_at")}} for one in documents]
    return listed({**columns, "expires": "expires_at", "last used": "last_used_at"}, shown)
