"""`flow-hitl deployment` and `flow-hitl resume-secret`."""

from typing import Any

import click

from flow_hitl.domain.address import is_mail_address
from flow_hitl.domain.deployment import Deployment
from flow_hitl.services.access_documents import api_key_to_dict
from flow_hitl.services.configuration import rules_to_dict, settings_to_dict
from infra.cli.output import facts, show, table
from infra.cli.target import Target, deployment_argument, pass_target, target_options


def _not_blank(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("must not be blank.")
    return value


def _mail_address(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not is_mail_address(value):
        raise click.BadParameter(f"{value!r} is not one plain mail address, for example alice@example.com.")
    return value


@click.group()
def deployment() -> None:
    """Create, list and show deployments."""


@deployment.command()
@click.option("--name", required=True, callback=_not_blank, help="What reviewers read in their mails.")
@click.option(
    "--creator",
    required=True,
    metavar="EMAIL",
    callback=_mail_address,
    help="Who is asked when no routing rule names anybody.",
)
@click.option(
    "--organization", required=True, metavar="NUMBER", type=click.IntRange(min=1), help="The organisation it is of."
)
@target_options
@pass_target
def create(target: Target, name: str, creator: str, organization: int) -> None:
    """Create a deployment with the default settings, no routing rules and no API keys."""
    created = target.manage.create(name=name, creator_email=creator, organization_id=organization)
    show(
        target,
        {"deployment": _to_dict(created)},
        f"Created deployment {created.deployment_id}.\n\n{_facts(created)}",
        "issue an API key for its flows: "
        + target.command(f"api-key issue {created.deployment_id} --name worker --permission create_requests"),
    )


@deployment.command("list")
@target_options
@pass_target
def list_deployments(target: Target) -> None:
    """List all deployments of the stack."""
    found = target.manage.list()
    rows = [
        (one.deployment_id, one.name, one.organization_id, one.creator_email, len(one.rules), len(one.api_keys))
        for one in found
    ]
    create_one = target.command("deployment create --name NAME --creator EMAIL --organization NUMBER")
    show(
        target,
        {"deployments": [_to_dict(one) for one in found]},
        table(("id", "name", "organization", "creator", "rules", "api keys"), rows) if rows else "No deployments yet.",
        target.command("deployment show ID") if rows else create_one,
    )


@deployment.command("show")
@deployment_argument
@target_options
@pass_target
def show_deployment(target: Target, deployment_id: int) -> None:
    """Show a deployment; with --json its whole configuration."""
    found = target.manage.show(deployment_id)
    document = {
        **_to_dict(found),
        "settings": settings_to_dict(found.settings),
        **rules_to_dict(found.rules),
        "api_keys": [api_key_to_dict(key) for key in found.api_keys.values()],
    }
    more = [target.command(f"{words} {deployment_id}") for words in ("settings get", "rules get", "api-key list")]
    show(target, {"deployment": document}, _facts(found), ", ".join(more))


@click.command("resume-secret")
@deployment_argument
@target_options
@pass_target
def resume_secret(target: Target, deployment_id: int) -> None:
    """Print the secret that signs resumptions."""
    secret = target.manage.resume_secret(deployment_id)
    show(
        target,
        {"resume_signing_secret": secret},
        secret,
        "give it to the program behind the flows' resume_url, which checks X-Signature with it. Keep it secret.",
    )


def _facts(found: Deployment) -> str:
    return facts(
        (
            ("Deployment", found.deployment_id),
            ("Name", found.name),
            ("Organization", found.organization_id),
            ("Creator", found.creator_email),
            ("Routing rules", len(found.rules)),
            ("API keys", len(found.api_keys)),
        )
    )


def _to_dict(found: Deployment) -> dict[str, Any]:
    return {
        "id": found.deployment_id,
        "name": found.name,
        "organization_id": found.organization_id,
        "creator_email": found.creator_email,
    }
