"""`flow-hitl completion`: the script that has a shell complete this command."""

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

_NAME = "flow-hitl"
_VARIABLE = "_FLOW_HITL_COMPLETE"
_SHELLS = {one.name: one for one in (BashComplete, ZshComplete, FishComplete)}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes commands and options.

    \b
    bash:  eval "$(flow-hitl completion bash)"   in ~/.bashrc
    zsh:   eval "$(flow-hitl completion zsh)"    in ~/.zshrc
    fish:  flow-hitl completion fish > ~/.config/fish/completions/flow-hitl.fish
    """
    click.echo(_SHELLS[shell](context.find_root().command, {}, _NAME, _VARIABLE).source())
