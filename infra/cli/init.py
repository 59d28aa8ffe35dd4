"""`flow-hitl init`: asks for what a deployment needs, and keeps it in `flow-hitl.toml`."""

import re

import click

from flow_hitl.platform.address import is_mail_address
from infra.cli.errors import OperatorError
from infra.options import Options
from infra.options_file import options_file, write_options

_DOMAIN = re.compile(r"(?=.{4,253}$)[a-z0-9-]+(\.[a-z0-9-]+)+", re.IGNORECASE)
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")


def _domain(value: str) -> str:
    if not _DOMAIN.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a domain such as hitl.example.com.")
    return value.lower()


def _address(value: str) -> str:
    if not is_mail_address(value):
        raise click.BadParameter(f"{value!r} is not a plain email address such as ops@example.com.")
    return value


def _alarms(value: str) -> str:
    return value if value == "none" else _address(value)


def _region(value: str) -> str:
    if not _REGION.fullmatch(value):
        raise click.BadParameter(f"{value!r} is not a region such as eu-west-1.")
    return value


@click.command()
@click.option(
    "--stage",
    type=click.Choice(["production", "evaluation"]),
    default="production",
    prompt="Stage (an evaluation can be deleted with everything in it)",
    help="production keeps its data; an evaluation can be deleted with everything in it.",
)
@click.option("--region", type=_region, prompt="AWS region, one in which SES receives email", help="The AWS region.")
@click.option(
    "--inbound-domain",
    type=_domain,
    prompt="Domain that receives the replies, such as hitl.example.com",
    help="A domain that receives no other email.",
)
@click.option("--mail-from", type=_address, help="The sender of every email.  [default: reviews@ the inbound domain]")
@click.option(
    "--alarm-email", type=_alarms, prompt="Address that gets the alarms (or none)", help="Who gets the alarms, or none."
)
@click.option(
    "--hosted-zone",
    default="none",
    prompt="Hosted zone of Route 53 in which DNS records are made, such as example.com (or none)",
    help="Its id or name, or none: then the deployment prints the DNS records to set.",
)
@click.option(
    "--domain",
    default="none",
    prompt="Custom domain of API and dashboard, such as reviews.example.com (or none)",
    help="A domain, with a path if only that leads here, or none.",
)
@click.option("--stack-name", default="flow-hitl", show_default=True, help="The name in CloudFormation.")
def init(
    stage: str,
    region: str,
    inbound_domain: str,
    mail_from: str | None,
    alarm_email: str,
    hosted_zone: str,
    domain: str,
    stack_name: str,
) -> None:
    """Ask for what a deployment needs, and write flow-hitl.toml."""
    path = options_file()
    options = {
        "stage": stage,
        "region": region,
        "stack_name": stack_name,
        "inbound_domain": inbound_domain,
        "mail_from": mail_from or f"reviews@{inbound_domain}",
        "alarm_email": alarm_email,
    }
    options |= {name: value for name, value in (("hosted_zone", hosted_zone), ("domain", domain)) if value != "none"}
    try:
        Options.from_context(options)
    except ValueError as error:
        raise OperatorError(f"{error}.", "Nothing was written. Run the command again.") from error
    try:
        write_options(path, options)
    except FileExistsError as error:
        raise OperatorError(f"{path} exists already, and was not changed.", "Edit it, or move it away.") from error
    click.echo(f"Wrote {path}. Keep it with your code: it holds no secrets.")
    click.echo("\nNext: flow-hitl preflight", err=True)
