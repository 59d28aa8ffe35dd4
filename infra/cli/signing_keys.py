"""`flow-hitl signing-key`: the keys that sign reply addresses, review links and callback URLs."""

import click

from infra.cli.output import show
from infra.cli.target import CommandTarget, pass_target, target_options


@click.group("signing-key")
def signing_key() -> None:
    """List, rotate and retire the keys that sign what is mailed."""


@signing_key.command("list")
@target_options
@pass_target
def list_keys(target: CommandTarget) -> None:
    """List the keys' ids; the keys themselves are never shown."""
    _show(target, "Keys")


@signing_key.command()
@target_options
@pass_target
def rotate(target: CommandTarget) -> None:
    """Sign with a new key from now on; what older keys signed stays good."""
    _show(target, f"Key {target.application.manage_signing_keys.rotate()} signs from now on. Keys")


@signing_key.command()
@click.argument("key_id", metavar="KEYID")
@click.confirmation_option(prompt="Every mail, link and callback URL that it signed stops working. Go on?")
@target_options
@pass_target
def retire(target: CommandTarget, key_id: str) -> None:
    """Remove a key and with it all that it signed."""
    target.application.manage_signing_keys.retire(key_id)
    _show(target, f"Key {key_id} is gone. Keys")


def _show(target: CommandTarget, what: str) -> None:
    ids = target.application.manage_signing_keys.ids()
    active = target.application.manage_signing_keys.keys.active_id()
    show(
        target,
        {"keys": list(ids), "active": active},
        f"{what}: {', '.join(f'{key_id} (active)' if key_id == active else key_id for key_id in ids)}",
        "retire an old key once no mail that it signed is still open: " + target.command("signing-key retire KEYID"),
    )
