"""`flow-hitl deploy`: from `flow-hitl.toml` to a stack that works, by CDK, and what is left to do."""

import os
import subprocess
from collections.abc import Mapping, Sequence

import click

from infra.cli import first_steps, preflight
from infra.cli.cdk import ROOT, cdk_command, has_project
from infra.cli.errors import OperatorError
from infra.cli.found import find_stack, find_zones, outputs_of
from infra.cli.report import report
from infra.cli.target import CommandTarget, with_target
from infra.cli.values import plain_address
from infra.names import dmarc_record
from infra.options import Options
from infra.options_file import FILE_VARIABLE, PROFILE_VARIABLE, options_file

_STANDING = ("made", "there", "none")
"""The states of DNS records about which nothing is left to do."""


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing; bootstrap the account for CDK if it is not.")
@click.option("--despite-problems", is_flag=True, help="Deploy although the preflight found problems.")
@click.option(
    "--creator",
    metavar="EMAIL",
    callback=plain_address,
    help="Who gets the first test request, and what nobody else is for.  [default: creator in flow-hitl.toml]",
)
@with_target
def deploy(target: CommandTarget, yes: bool, despite_problems: bool, creator: str | None) -> None:
    """Check the account, deploy both stacks, say which DNS records to set, and begin with a first deployment.

    Options are those of flow-hitl.toml. An existing stack is updated. If it has no deployment yet, one is made for
    --creator, with an API key in a file and a test request on its way.
    """
    if target.local:
        raise click.UsageError("`make local` starts the local stack.")
    if not has_project():
        raise OperatorError(
            "Deploying needs the project's files.", "Clone the repository, and run `make deploy` there."
        )
    if report(target, preflight.look(target)) and not despite_problems:
        raise OperatorError("Nothing was deployed.", "Mend the problems above, or add --despite-problems.")
    if preflight.bootstrap_version() is None:
        if not yes:
            click.confirm("CDK needs a bucket and roles in this account and region. Make them?", abort=True)
        _cdk(target, *preflight.bootstrap_words())
    zone = _zone(Options.from_context(target.kept))
    # Before what takes minutes.
    creator = first_steps.asked_creator(target, creator, ask=not yes and find_stack(target.stack_name) is None)
    _cdk(target, "deploy", "--all", "--require-approval", "never", "--progress", "events", *zone)
    _tell(target)
    first_steps.begin(target, creator)


def _cdk(target: CommandTarget, *words: str) -> None:
    """Run CDK's command, which prints its own progress; raises OperatorError if it fails."""
    # The app runs in the project's folder, where the file need not be.
    environment = os.environ | {FILE_VARIABLE: str(options_file().resolve()), PROFILE_VARIABLE: target.profile}
    if subprocess.run(cdk_command(*words), cwd=ROOT, env=environment, check=False).returncode:
        raise OperatorError(f"CDK could not {words[0]}.", "Its last lines say why. Running the command again is safe.")


def _zone(options: Options) -> Sequence[str]:
    """Return the words that tell CDK the hosted zone's id, which it does not look up itself."""
    if options.hosted_zone is None:
        return ()
    zones = find_zones(options.hosted_zone)
    if len(zones) != 1:
        raise OperatorError(f"There is no one hosted zone {options.hosted_zone}.", "`flow-hitl preflight` says more.")
    return "-c", f"hosted_zone={zones[0].zone_id}"


def _tell(target: CommandTarget) -> None:
    edge = outputs_of(find_stack(f"{target.stack_name}-mail-edge") or {})
    options = Options.from_context(target.kept)
    made = [line for line, state in _records(edge) if state == "made"]
    if made:
        _list("These DNS records are made:", made)
    to_set = dns_records(edge, options.mail_from)
    if to_set:
        _list("Set these DNS records, unless they are there:", to_set)
    others = [line for line, state in _records(edge) if state == "other"]
    if others:
        _list("These names have other records, which were left alone. Set these in their place, if you can:", others)


def _list(heading: str, lines: Sequence[str]) -> None:
    click.echo(f"\n{heading}")
    for line in lines:
        click.echo(f"  {line}")


def _records(edge: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    """Return each DNS record by the outputs of the edge stack, MX first, and what came of it, "" for nothing."""
    names = sorted((name for name in edge if "Record" in name and not name.endswith("State")), key=_order)
    return [(edge[name], edge.get(f"{name}State", "")) for name in names if not edge[name].startswith("none:")]


def _order(name: str) -> tuple[bool, str]:
    return name != "InboundMxRecord", name


def dns_records(edge: Mapping[str, str], mail_from: str) -> Sequence[str]:
    """Return the records that the operator has to set: for email in and out, and for the custom domain."""
    by_hand = [line for line, state in _records(edge) if state not in (*_STANDING, "other")]
    if "DmarcRecord" not in edge:
        by_hand.append(dmarc_record(mail_from.rpartition("@")[2]))
    return by_hand
