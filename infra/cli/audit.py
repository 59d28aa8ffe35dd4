"""`flow-hitl audit`: seal the audit log, verify it, and export it."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.export_audit import ExportWish
from flow_hitl.proof.verify_audit import (
    Export,
    LogFinding,
    Scope,
    Unusable,
    conclusion,
    exit_code,
    printable,
    read_key_files,
    untouched,
    verify_export,
)
from infra.cli.errors import OperatorError
from infra.cli.output import facts, listed, show
from infra.cli.target import CommandTarget, deployment_argument, with_deployment, with_target
from infra.cli.values import moment

_OPERATOR = "operator"
_LOOK_AGAIN_SECONDS = 1.0
_SETTLED_AFTER = timedelta(minutes=2)
_WAIT = timedelta(minutes=5)
_DOWNLOAD_SECONDS = 60


_since = click.option(
    "--from",
    "since",
    metavar="TIME",
    callback=moment,
    help="Start with events at this time.  [default: the first event]",
)
_to = click.option("--to", metavar="TIME", callback=moment, help="End before events at this time.  [default: now]")


class _Untold(OperatorError):
    """Whether anything was changed cannot be told."""

    exit_code = 2


@click.group()
def audit() -> None:
    """Seal the audit log, verify it, and export it."""


@audit.command()
@with_target
def seal(target: CommandTarget) -> None:
    """Seal all events up to two minutes ago, or up to now on the local stack.

    Complete hours are sealed soon after they end. Once sealed, no event can be changed unnoticed, even by someone with
    write access to the tables.
    """
    application = target.application
    # A function may write its event some time after the moment it carries; a sealed period must get no more events.
    settled = timedelta() if target.local else _SETTLED_AFTER
    until = rfc3339((application.clock.now() - settled).replace(microsecond=0) + timedelta(seconds=1))
    application.clock.sleep(1)
    application.messages("seal").send(json.dumps({"until": until}))
    # One second earlier, so that the seal of exactly this moment is found.
    before = rfc3339(parse_rfc3339(until) - timedelta(seconds=1))
    stop_at = application.clock.now() + _WAIT
    while next(application.seal_audit.seals.ends(after=before), None) is None:
        if application.clock.now() >= stop_at:
            raise OperatorError("The seal is not there yet.", "See the log of the function seal.")
        application.clock.sleep(_LOOK_AGAIN_SECONDS)
    show(
        target,
        {"sealed_until": until},
        f"Sealed until {until}.",
        f"verify a deployment: {target.command('audit verify ID')}",
    )


@audit.command()
@click.argument("deployment_id", metavar="[ID]", type=click.IntRange(min=1), required=False)
@_since
@_to
@click.option("--export", "path", metavar="PATH", help="Verify an export (.zip or directory); needs no stack.")
@click.option(
    "--public-key",
    "public_keys",
    metavar="FILE",
    multiple=True,
    help="With --export: the key to trust, from `aws kms get-public-key`, or all keys, from `GET /v1/keys`.",
)
@click.option(
    "--deployment", "of_deployment", type=click.IntRange(min=1), help="With --export: the deployment it must be of."
)
@with_target
@click.pass_context
def verify(
    context: click.Context,
    target: CommandTarget,
    deployment_id: int | None,
    since: datetime | None,
    to: datetime | None,
    path: str | None,
    public_keys: tuple[str, ...],
    of_deployment: int | None,
) -> None:
    """Verify a deployment's audit log or an export of it, which must cover the time between --from and --to.

    The exit code is 1 if anything was changed, and 2 if that cannot be told: nothing is sealed yet, or of an export,
    there is no trusted key, or not all of it is sealed.
    """
    if (path is None) == (deployment_id is None):
        raise click.UsageError("Give the deployment's ID, or --export PATH.")
    if path is not None:
        context.exit(_verify_export(target, path, public_keys, Scope(of_deployment, _moment(since), _moment(to))))
    document = _verify_log(target, deployment_id or 0, since, to)
    findings = document["findings"]
    lines = [printable(f"{found['kind'].upper()}: {found['record']} {found['detail']}") for found in findings]
    counted = _facts(document, "events", "digests", "sealed_until")
    sealed = document["digests"] > 0
    text = "\n".join([counted, "", *(lines or [untouched(sealed=sealed, unsealed=document["unsealed_events"])])])
    keep = "keep a copy: " + target.command(f"audit export {deployment_id or 'ID'} --to-file audit.zip")
    show(target, document, text, f"find out who had write access to the tables, and {keep}" if findings else keep)
    context.exit(1 if findings else 0 if sealed else 2)


def _verify_log(
    target: CommandTarget, deployment_id: int, since: datetime | None, to: datetime | None
) -> dict[str, Any]:
    application = target.application
    application.manage_deployments.show(deployment_id)
    since = since or application.verify_audit_log.beginning(deployment_id)
    wanted = application.read_audit.range_of(deployment_id, since, to)
    findings: list[LogFinding] = []
    events = digests = unsealed = 0
    sealed_until = cursor = None
    while True:
        part = application.verify_audit_log(deployment_id, wanted, cursor)
        findings += part.findings
        events, digests, unsealed = events + part.events, digests + part.digests, unsealed + part.unsealed
        sealed_until, cursor = part.sealed_until or sealed_until, part.next_cursor
        if cursor is None:
            return _document(findings, events, digests, unsealed, sealed_until)


def _verify_export(target: CommandTarget, path: str, public_keys: Sequence[str], scope: Scope) -> int:
    """Show what an export proves, and return the exit code."""
    try:
        result = verify_export(Export(path), read_key_files(public_keys), scope)
    except Unusable as error:
        raise _Untold(printable(str(error)), "Give an export that `flow-hitl audit export` wrote.") from error
    counts = result.events, result.digests, result.unsealed, result.sealed_until
    document = _document(result.findings, *counts) | {"doubts": result.doubts}
    document["verified"] = exit_code(result) == 0
    text = "\n".join([_facts(document, "events", "digests", "sealed_until"), "", *conclusion(result)])
    if result.findings:
        hint = "find out who could have changed it on its way, and export again: "
    else:
        hint = "export again, until the end of a digest: " if result.doubts else "export what came since: "
    show(target, document, text, hint + target.command("audit export ID --to-file audit.zip"))
    return exit_code(result)


def _document(findings: Any, events: int, digests: int, unsealed: int, sealed_until: str | None) -> dict[str, Any]:
    return {
        "verified": digests > 0 and not findings,
        "events": events,
        "digests": digests,
        "unsealed_events": unsealed,
        "sealed_until": sealed_until,
        "findings": [finding.to_dict() for finding in findings],
    }


@audit.command()
@deployment_argument
@_since
@_to
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), default="jsonl", show_default=True)
@click.option("--wait", is_flag=True, help="Wait until the export is finished.")
@click.option(
    "--to-file", metavar="NAME.zip", type=click.Path(dir_okay=False), help="Wait, then save all files in this .zip."
)
@with_target
def export(
    target: CommandTarget,
    deployment_id: int,
    since: datetime | None,
    to: datetime | None,
    form: str,
    wait: bool,
    to_file: str | None,
) -> None:
    """Export a deployment's audit log, the digests that cover it, and a signed manifest.

    What is not sealed yet is not proven: end with a sealed hour, so that verification can exit with 0.
    """
    exports = target.application.manage_exports
    target.manage.show(deployment_id)
    wish = ExportWish.model_validate({"from": _text(since), "to": _text(to), "format": form})
    started = exports.start(deployment_id, wish, actor=_OPERATOR)
    document = as_json(exports.document(started))
    while (wait or to_file) and document["state"] in ("pending", "running"):
        target.application.clock.sleep(_LOOK_AGAIN_SECONDS)
        document = as_json(exports.show(deployment_id, started.export_id))
    if document["state"] == "failed":
        raise OperatorError(document["reason"], "See the log of the function export_audit.")
    if to_file:
        _download(document, Path(to_file))
    again = target.command(f"audit exports {deployment_id}")
    check = target.command(f"audit verify --export {to_file} --public-key KEY") if to_file else again
    told = _facts(
        document, "id", "state", "from", "to", "events", "digests", "sealed_until", "unsealed_events", "manifest_sha256"
    )
    hint = f"{'verify it' if to_file else 'see all exports'}: {check}"
    sealed_until = document["sealed_until"]
    if document["state"] == "done" and (sealed_until is None or sealed_until < document["to"]):
        proven = f"proven until {sealed_until} only" if sealed_until else "not proven"
        until = sealed_until or "TIME"
        hint = f"not all of this is sealed yet, so it is {proven}; for all of it, add --to {until}; {hint}"
    show(target, {"export": document}, told, hint)


@audit.command()
@with_deployment
def exports(target: CommandTarget, deployment_id: int) -> None:
    """List a deployment's exports, newest first."""
    manage = target.application.manage_exports
    target.manage.show(deployment_id)
    found = [as_json(manage.document(one)) for one in manage.recent(deployment_id, 20)]
    columns = {name: name for name in ("id", "state", "format", "from", "to", "sealed_until", "events")}
    text = listed(columns, found) if found else "No exports. Exports are kept for 7 days."
    show(
        target,
        {"exports": found},
        text,
        f"export the log: {target.command(f'audit export {deployment_id} --to-file audit.zip')}",
    )


def _download(document: Mapping[str, Any], target: Path) -> None:
    """Save an export's files as a .zip, whole or not at all."""
    import requests

    scratch = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(scratch, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in document["files"]:
            with requests.get(file["url"], stream=True, timeout=_DOWNLOAD_SECONDS) as answer:
                answer.raise_for_status()
                with archive.open(file["name"], "w", force_zip64=True) as entry:
                    for block in answer.iter_content(1 << 20):
                        entry.write(block)
    scratch.replace(target)


def _facts(document: Mapping[str, Any], *names: str) -> str:
    return facts([(name.replace("_", " ").capitalize(), document[name]) for name in names])


def _moment(given: datetime | None) -> str | None:
    return rfc3339(given) if given else None


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
