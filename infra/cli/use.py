"""`flow-hitl use`: which stack the commands in this folder work on."""

import os

import click

from infra.cli.errors import OperatorError
from infra.options_file import (
    DEFAULT,
    LOCAL,
    PROFILE_FILE,
    PROFILE_VARIABLE,
    chosen_profile,
    options_file,
    profile_file,
    profiles,
)


@click.command()
@click.argument("name", metavar="[PROFILE]", required=False)
def use(name: str | None) -> None:
    """Choose the stack for later commands in this folder, or list what can be chosen.

    PROFILE is local, default, or a section of flow-hitl.toml: [profiles.staging] is staging. FLOW_HITL_PROFILE in the
    environment goes before it, and --profile, --local or --stack before both.
    """
    try:
        known = profiles(options_file())
    except ValueError as error:
        raise OperatorError(f"{error}.", "Correct the file, and run the command again.") from error
    if name is None:
        chosen = chosen_profile()
        for one in known:
            click.echo(f"{'*' if one == chosen else ' '} {one}")
        return
    if name not in known:
        raise OperatorError(f"There is no profile {name}.", f"There are {', '.join(known)}.")
    if name == DEFAULT:
        profile_file().unlink(missing_ok=True)
    else:
        profile_file().write_text(f"{name}\n", "utf-8")
    what = "the local stack" if name == LOCAL else f"the profile {name}"
    click.echo(f"Commands in this folder work on {what}.")
    if os.environ.get(PROFILE_VARIABLE):
        click.echo(f"Now, {PROFILE_VARIABLE} chooses {chosen_profile()}.", err=True)
    elif name != DEFAULT:
        click.echo(f"\nNext: keep {PROFILE_FILE} out of version control; it is this machine's choice.", err=True)
