"""`flow-hitl export`: all that a team owns of its deployments, in a folder of open formats."""

import time
from collections.abc import Sequence
from pathlib import Path

import click

from infra.cli.errors import OperatorError
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, with_target
from infra.cli.values import version

_TELL_EVERY_SECONDS = 5.0
_COLUMNS = ("requests", "attachments", "emails", "deliveries", "events", "unsealed_events")
_DOUBTS = {
    "doubtful_requests": 'requests that cannot be read or were changed; "doubts" in requests.jsonl says why',
    "missing_attachments": "attachments that are gone or were changed",
}


class _Progress:
    """Tells on standard error what is being written, every few seconds."""

    def __init__(self) -> None:
        self._told_at = time.monotonic()

    def __call__(self, deployment_id: int, what: str, number: int) -> None:
        if time.monotonic() - self._told_at >= _TELL_EVERY_SECONDS:
            self._told_at = time.monotonic()
            click.echo(f"Deployment {deployment_id}: {number:,} {what.replace('_', ' ')}", err=True)


@click.command()
@click.argument("directory", metavar="DIRECTORY", type=click.Path(path_type=Path))
@click.option(
    "--deployment",
    "deployment_ids",
    metavar="ID",
    type=click.IntRange(min=1),
    multiple=True,
    help="Only this deployment; repeat for more.  [default: all]",
)
@with_target
def export(target: CommandTarget, directory: Path, deployment_ids: Sequence[int]) -> None:
    """Export requests, attachments, emails, configuration, figures, and the audit log into a new DIRECTORY.

    Formats are JSON, JSON lines, and files as they are. manifest.json says what is there and what is not, and why. The
    directory appears when it is whole; if the command ends before, run it again.
    """
    from flow_hitl.retention.export_everything import ExportFailed, manifest
    from flow_hitl.retention.export_folder import ExportDirectory

    application = target.application
    every = application.export_everything
    progress, at = _Progress(), application.clock.now()
    chosen = sorted(set(deployment_ids)) or sorted(one.deployment_id for one in target.manage.list())
    try:
        with ExportDirectory(directory) as folder:
            exported = [every(one, folder, progress) for one in chosen]
            suppressed = None if deployment_ids else every.of_all(folder)
            document = manifest(exported, suppressed=suppressed, at=at, version=version())
            folder.finish(document)
    except FileExistsError as error:
        hint = "Name another directory, or remove that one: it is older, or of a run that was killed."
        raise OperatorError(f"{error} is there already.", hint) from error
    except ExportFailed as error:
        raise OperatorError(f"Nothing was exported: {error}", "See the log of the function export_audit.") from error
    rows = [[one.deployment.deployment_id, *(one.counts.get(name, 0) for name in _COLUMNS)] for one in exported]
    text = table(["deployment", *(name.replace("_", " ") for name in _COLUMNS)], rows)
    doubts = [
        f"Deployment {one.deployment.deployment_id}: {number} {_DOUBTS[name]}"
        for one in exported
        for name in _DOUBTS
        if (number := one.counts.get(name, 0))
    ]
    where = f"{folder.files:,} files, {folder.bytes:,} bytes, in {directory}"
    show(
        target,
        {**document, "directory": str(directory), "files": folder.files, "bytes": folder.bytes},
        "\n".join([text, "", where, *doubts]),
        f"keep it safe, it has personal data; check it: cd {directory} && sha256sum --check SHA256SUMS",
    )
