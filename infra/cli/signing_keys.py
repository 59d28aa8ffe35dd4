"""`flow-hitl signing-key`: the keys that sign reply addresses, review links, and callback URLs."""

import click

from infra.cli.output import show
from infra.cli.target import CommandTarget, with_target


@click.group("signing-key")
def signing_key() -> None:
    """List, rotate, and retire the keys that sign reply addresses and links."""


@signing_key.command("list")
@with_target
def list_keys(target: CommandTarget) -> None:
    """List the ids of the keys; the keys themselves are never shown."""
    _show(target, "Keys")


@signing_key.command()
@with_target
def rotate(target: CommandTarget) -> None:
    """Sign with a new key from now on; what older keys signed stays valid."""
    _show(target, f"Key {target.application.manage_signing_keys.rotate()} signs from now on. Keys")


@signing_key.command()
@click.argument("key_id", metavar="KEYID")
@click.confirmation_option(prompt="Every reply address, link, and callback URL that it signed stops working. Continue?")
@with_target
def retire(target: CommandTarget, key_id: str) -> None:
    """Remove a key; all that it signed stops working."""
    target.application.manage_signing_keys.retire(key_id)
    _show(target, f"Retired key {key_id}. Keys")


def _show(target: CommandTarget, what: str) -> None:
    ids = target.application.manage_signing_keys.ids()
    active = target.application.manage_signing_keys.keys.active_id()
    show(
        target,
        {"keys": list(ids), "active": active},
        f"{what}: {', '.join(f'{key_id} (active)' if key_id == active else key_id for key_id in ids)}",
        "retire an old key once no open request depends on it: " + target.command("signing-key retire KEYID"),
    )
