"""`flow-hitl deploy`: from `flow-hitl.toml` to a stack that works, by CDK, and what is left to do."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from flow_hitl.platform.aws import client
from infra.cli import preflight
from infra.cli.errors import OperatorError
from infra.cli.found import find_stack, outputs_of
from infra.cli.report import report
from infra.cli.target import CommandTarget, with_target
from infra.options import Options
from infra.options_file import FILE_VARIABLE, options_file

CDK = "aws-cdk@2.1148.1"
ROOT = Path(__file__).resolve().parents[2]


@click.command()
@click.option("--yes", is_flag=True, help="Ask nothing; bootstrap the account for CDK if it is not.")
@click.option("--despite-problems", is_flag=True, help="Deploy although the preflight found problems.")
@with_target
def deploy(target: CommandTarget, yes: bool, despite_problems: bool) -> None:
    """Check the account, deploy both stacks, and say which DNS records to set.

    Options are those of flow-hitl.toml. An existing stack is updated.
    """
    if not (ROOT / "cdk.json").is_file():
        raise OperatorError(
            "Deploying needs the project's files.", "Clone the repository, and run `make deploy` there."
        )
    if report(target, preflight.look(target)) and not despite_problems:
        raise OperatorError("Nothing was deployed.", "Mend the problems above, or add --despite-problems.")
    if preflight.bootstrap_version() is None:
        if not yes:
            click.confirm("CDK needs a bucket and roles in this account and region. Make them?", abort=True)
        account = client("sts").get_caller_identity()["Account"]
        _cdk("bootstrap", f"aws://{account}/{client('sts').meta.region_name}")
    _cdk("deploy", "--all", "--require-approval", "never", "--progress", "events")
    _tell(target)


def _cdk(*words: str) -> None:
    """Run CDK's command, which prints its own progress; raises OperatorError if it fails."""
    from infra.node import npx

    # The app runs in the project's folder, where the file need not be.
    environment = os.environ | {FILE_VARIABLE: str(options_file().resolve())}
    if subprocess.run([*npx(), "--yes", CDK, *words], cwd=ROOT, env=environment, check=False).returncode:
        raise OperatorError(f"CDK could not {words[0]}.", "Its last lines say why. Running the command again is safe.")


def _tell(target: CommandTarget) -> None:
    edge = outputs_of(find_stack(f"{target.stack_name}-mail-edge") or {})
    click.echo("\nSet these DNS records, unless they are there:")
    for line in dns_records(edge, Options.from_context(target.kept).mail_from):
        click.echo(f"  {line}")
    click.echo(f"\nAPI and dashboard: {target.outputs['BaseUrl']}")
    click.echo(
        "Next: "
        + target.command("deployment create --name NAME --creator EMAIL --organization 1")
        + f", and when SES has seen the records: {target.command('doctor')}",
        err=True,
    )


def dns_records(edge: Mapping[str, str], mail_from: str) -> Sequence[str]:
    """Return the records to set, by the outputs of the mail edge stack: MX, DKIM, and a hint for DMARC."""
    dkim = [value for name, value in sorted(edge.items()) if "DkimRecord" in name and " CNAME " in value]
    domain = mail_from.rpartition("@")[2]
    return [edge["InboundMxRecord"], *dkim, f'_dmarc.{domain} TXT "v=DMARC1; p=quarantine"']
