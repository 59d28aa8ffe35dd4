"""`flow-hitl settings` and `flow-hitl rules`: a deployment's configuration, as the contract's JSON documents."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, TypeVar

import click

from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import rules_shown
from flow_hitl.deployments.configuration_documents import parse_rules, parse_settings
from flow_hitl.deployments.deployment import Deployment
from infra.cli.output import show, table, warn
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _file_option(command: _Command) -> _Command:
    return click.option(
        "--file",
        required=True,
        metavar="PATH",
        type=click.File("rb"),
        help="The complete JSON document; - for standard input.",
    )(command)


@click.group()
def settings() -> None:
    """Show and set a deployment's settings."""


@settings.command("get")
@with_deployment
def get_settings(target: CommandTarget, deployment_id: int) -> None:
    """Show the settings; with --json as the document that `set` takes."""
    _show_settings(target, target.manage.show(deployment_id), _how_to_change(target, "settings", deployment_id))


@settings.command("set")
@deployment_argument
@_file_option
@with_target
def set_settings(target: CommandTarget, deployment_id: int, file: BinaryIO) -> None:
    """Replace the settings with a file; a setting it leaves out gets its default."""
    changed = target.manage.set_settings(deployment_id, parse_settings(file.read()))
    warn(target, changed)
    _show_settings(target, changed, f"see the routing rules: {target.command(f'rules get {deployment_id}')}")


@click.group()
def rules() -> None:
    """Show and set a deployment's routing rules."""


@rules.command("get")
@with_deployment
def get_rules(target: CommandTarget, deployment_id: int) -> None:
    """Show the routing rules; with --json as the document that `set` takes."""
    _show_rules(target, target.manage.show(deployment_id), _how_to_change(target, "rules", deployment_id))


@rules.command("set")
@deployment_argument
@_file_option
@with_target
def set_rules(target: CommandTarget, deployment_id: int, file: BinaryIO) -> None:
    """Replace all routing rules with a file; the first rule that matches decides."""
    changed = target.manage.set_rules(deployment_id, parse_rules(file.read()))
    warn(target, changed)
    _show_rules(target, changed, f"see the settings: {target.command(f'settings get {deployment_id}')}")


def _how_to_change(target: CommandTarget, words: str, deployment_id: int) -> str:
    name = f"{words}.json"
    get = target.command(f"{words} get {deployment_id} --json")
    return f"{get} > {name}, edit it, then {target.command(f'{words} set {deployment_id} --file {name}')}"


def _show_settings(target: CommandTarget, found: Deployment, next_step: str) -> None:
    document = as_json(found.settings)
    show(target, document, table(("setting", "value"), list(_flat(document))), next_step)


def _flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _show_rules(target: CommandTarget, found: Deployment, next_step: str) -> None:
    headings = (
        "#",
        "name",
        "method name",
        "assign from input",
        "assign to email",
        "condition",
        "sla",
        "auto-response",
        "valid (min)",
    )
    documents = as_json(rules_shown(found.rules))["rules"]
    rows = [
        (
            number,
            rule["name"],
            rule["match"]["method_name"],
            rule["assign_from_input"] or "-",
            rule["assign_to_email"] or "-",
            rule["match"].get("condition", "-"),
            rule.get("sla_target_minutes", "-"),
            _auto_response(rule.get("auto_response")),
            rule.get("approval_ttl_minutes", "-"),
        )
        for number, rule in enumerate(documents, start=1)
    ]
    goes = f"goes to the deployment's creator, {found.creator_email}."
    text = (
        f"{table(headings, rows)}\n\nA request that no rule assigns {goes}"
        if rows
        else f"No rules: every request {goes}"
    )
    show(target, as_json(rules_shown(found.rules)), text, next_step)


def _auto_response(document: Mapping[str, Any] | None) -> str:
    if document is None:
        return "-"
    if not document["enabled"]:
        return "never"
    return f"{document['default_outcome']} after {document['timeout_minutes']}"
