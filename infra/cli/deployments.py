"""`flow-hitl deployment`, `flow-hitl resume-secret` and its rotation."""

from dataclasses import asdict
from typing import Any

import click

from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import key_facts, rules_shown
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.deployments.quotas import NO_USAGE, Usage
from flow_hitl.platform.errors import ValidationFailed
from flow_hitl.platform.times import rfc3339
from infra.cli.errors import OperatorError
from infra.cli.output import facts, show, table
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target
from infra.cli.values import plain_address, rotation, signs_from_option


def _not_blank(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("must not be blank.")
    return value


_AT_LEAST_ONE = click.IntRange(min=1, max=1_000_000_000)


@click.group()
def deployment() -> None:
    """Create, list, and show deployments, and set their quotas."""


@deployment.command()
@click.option("--name", required=True, callback=_not_blank, help="The name that reviewers see in their email.")
@click.option(
    "--creator",
    required=True,
    metavar="EMAIL",
    callback=plain_address,
    help="Who gets the requests that no routing rule assigns.",
)
@click.option(
    "--organization",
    required=True,
    metavar="NUMBER",
    type=click.IntRange(min=1),
    help="The organization it belongs to.",
)
@with_target
def create(target: CommandTarget, name: str, creator: str, organization: int) -> None:
    """Create a deployment with default settings, no routing rules, and no API keys."""
    created = target.manage.create(name=name, creator_email=creator, organization_id=organization)
    show(
        target,
        {"deployment": _to_dict(created)},
        f"Created deployment {created.deployment_id}.\n\n{_facts(created, NO_USAGE)}",
        "issue an API key for its flows: "
        + target.command(f"api-key issue {created.deployment_id} --name worker --permission create_requests"),
    )


@deployment.command("list")
@with_target
def list_deployments(target: CommandTarget) -> None:
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
        f"see one: {target.command('deployment show ID')}" if rows else f"create one: {create_one}",
    )


@deployment.command("show")
@with_deployment
def show_deployment(target: CommandTarget, deployment_id: int) -> None:
    """Show a deployment; with --json, its whole configuration."""
    found, used = target.manage.show(deployment_id), target.manage.usage(deployment_id)
    document = {
        **_to_dict(found),
        **_quotas_to_dict(found, used),
        "settings": as_json(found.settings),
        **as_json(rules_shown(found.rules)),
        "api_keys": key_facts(found),
    }
    more = [target.command(f"{words} {deployment_id}") for words in ("settings get", "rules get", "api-key list")]
    show(target, {"deployment": document}, _facts(found, used), f"see more: {', '.join(more)}")


@deployment.command()
@deployment_argument
@click.option("--requests-per-hour", metavar="NUMBER", type=_AT_LEAST_ONE, help="New requests per clock hour.")
@click.option("--mails-per-day", metavar="NUMBER", type=_AT_LEAST_ONE, help="Emails of every kind per day (UTC).")
@with_target
def quota(target: CommandTarget, deployment_id: int, requests_per_hour: int | None, mails_per_day: int | None) -> None:
    """Set a deployment's quotas; they apply from the next call.

    Beyond a quota, new requests are refused with 429 until the hour or day ends. Emails of requests that were accepted
    before still go out.
    """
    if requests_per_hour is None and mails_per_day is None:
        raise click.UsageError("Give --requests-per-hour, --mails-per-day or both.")
    manage = target.manage
    changed = manage.set_quotas(deployment_id, requests_per_hour=requests_per_hour, mails_per_day=mails_per_day)
    used = manage.usage(deployment_id)
    show(
        target,
        _quotas_to_dict(changed, used),
        _facts(changed, used),
        f"see the usage: {target.command(f'deployment show {deployment_id}')}",
    )


@click.command("resume-secret")
@with_deployment
def resume_secret(target: CommandTarget, deployment_id: int) -> None:
    """Print the secret that signs resumptions."""
    secret, following = target.manage.resume_secret(deployment_id), target.manage.next_resume_secret(deployment_id)
    document: dict[str, Any] = {"resume_signing_secret": secret}
    hint = "give it to the program at your flows' resume_url, which checks X-Signature with it. Keep it secret."
    if following:
        signs_from = rfc3339(following.signs_from)
        document["next"] = {"secret": following.secret, "signs_from": signs_from}
        hint = f"have the program at your flows' resume_url accept both: {following.secret} signs from {signs_from}."
    show(target, document, secret, hint)


@click.command("rotate-resume-secret")
@deployment_argument
@signs_from_option
@with_target
def rotate_resume_secret(target: CommandTarget, deployment_id: int, signs_from: str | None) -> None:
    """Give a deployment a new resume secret and print it; the old one signs until then."""
    wish = rotation(target, signs_from)
    try:
        issued = target.manage.rotate_resume_secret(deployment_id, wish)
    except ValidationFailed as refused:
        raise OperatorError(
            f"The secret was not rotated: {refused.detail}.", "Leave out --signs-from to rotate now."
        ) from None
    at = rfc3339(issued.signs_from)
    show(
        target,
        {"secret": issued.secret, "signs_from": at},
        issued.secret,
        f"have the program at your flows' resume_url accept both secrets: this one signs from {at}. Then retire the "
        f"signing key of the old one: {target.command('signing-key retire KEYID')}.",
    )


def _facts(found: Deployment, used: Usage) -> str:
    return facts(
        (
            ("Deployment", found.deployment_id),
            ("Name", found.name),
            ("Organization", found.organization_id),
            ("Creator", found.creator_email),
            ("Routing rules", len(found.rules)),
            ("API keys", len(found.api_keys)),
            ("Requests this hour", f"{used.requests} of {found.quotas.requests_per_hour}"),
            ("Emails today (UTC)", f"{used.mails} of {found.quotas.mails_per_day}"),
        )
    )


def _quotas_to_dict(found: Deployment, used: Usage) -> dict[str, Any]:
    usage = {"requests_this_hour": used.requests, "mails_today": used.mails}
    return {"quotas": asdict(found.quotas), "usage": usage}


def _to_dict(found: Deployment) -> dict[str, Any]:
    return {
        "id": found.deployment_id,
        "name": found.name,
        "organization_id": found.organization_id,
        "creator_email": found.creator_email,
    }
