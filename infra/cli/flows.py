"""`flow-hitl flow`: the client's own commands, which resume paused flows where they run."""

from importlib import import_module

import click

from infra.cli.errors import OperatorError


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    options_metavar="",
    short_help="Resume paused CrewAI flows: what flow-hitl-client does.",
)
@click.argument("words", metavar="resume|pending|retry ...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def flow(context: click.Context, words: tuple[str, ...]) -> None:
    """Resume paused flows, list them, or retry: all that `flow-hitl-client` does, in the flows' own environment."""
    try:
        client = import_module("flow_hitl_client.cli")
    except ModuleNotFoundError as error:
        raise OperatorError(
            "The client is not installed here.", "Where your flows run: pip install 'flow-hitl-client[crewai]'"
        ) from error
    context.exit(client.main(list(words) or ["--help"], "flow-hitl flow"))
