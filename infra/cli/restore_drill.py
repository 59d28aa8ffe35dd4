"""`flow-hitl restore-drill`: restored tables are proven to be whole, and to be enough to go on with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
from botocore.exceptions import ClientError

from flow_hitl.platform.times import rfc3339
from infra.cli.errors import OperatorError
from infra.cli.output import show, table
from infra.cli.target import CommandTarget, with_target
from infra.cli.values import moment
from infra.tables import TABLES, create_table_arguments

if TYPE_CHECKING:
    from flow_hitl.bootstrap import Application
    from flow_hitl.proof.ports import SealStore
    from flow_hitl.sweep.take_stock import Stock

_DAMAGE_SHOWN = 20


@click.command()
@click.option("--requests", "requests_table", metavar="TABLE", help="The restored table of requests.")
@click.option("--audit", "audit_table", metavar="TABLE", help="The restored table of audit events.")
@click.option("--deployments", "deployments_table", metavar="TABLE", help="The restored table of deployments.")
@click.option("--copy", is_flag=True, help="Copy the stack's tables, look at the copies, and delete them.")
@click.option(
    "--at",
    metavar="TIME",
    callback=moment,
    help="When the tables were restored to.  [default: as AWS says, else just after the newest event that they hold]",
)
@with_target
@click.pass_context
def restore_drill(
    context: click.Context,
    target: CommandTarget,
    requests_table: str | None,
    audit_table: str | None,
    deployments_table: str | None,
    copy: bool,
    at: datetime | None,
) -> None:
    """Prove that restored tables are whole, and that pending requests go on with them.

    Give the three tables that a point-in-time restore or an import has made. They are only read, and nothing is sent.
    The exit code is 1 if anything is missing or was changed, and 2 if nothing in them is sealed yet.

    --copy is for a stack at rest, such as the local one: it reads every record, while others may write.
    """
    restored = {
        name: given
        for name, given in (
            ("requests_table", requests_table),
            ("audit_table", audit_table),
            ("deployments_table", deployments_table),
        )
        if given is not None
    }
    if copy == bool(restored) or len(restored) not in (0, 3):
        raise click.UsageError("Give all of --requests, --audit, and --deployments, or --copy.")
    if copy:
        with _copied(target) as names:
            drill = _drill(target, names, at or target.application.clock.now())
        _tell(target, "The copies were deleted.")
    else:
        drill = _drill(target, restored, at or _restored_to(target, restored))
    show(target, drill.document(), drill.text(), drill.next_step(target, copied=copy))
    context.exit(1 if drill.is_damaged else 0 if drill.digests else 2)


@dataclass(frozen=True)
class _Drill:
    """What came of it; `original` is None for a deployment that the stack's own tables no longer hold."""

    until: datetime
    counts: Mapping[int, tuple[Stock | None, Stock]]
    findings: Sequence[Any]
    digests: int

    @property
    def is_damaged(self) -> bool:
        return bool(self.findings) or any(_lacks(original, copy) for original, copy in self.counts.values())

    @property
    def stuck(self) -> Sequence[tuple[str, datetime]]:
        return [one for _, copy in self.counts.values() for one in copy.stuck]

    def document(self) -> dict[str, Any]:
        return {
            "until": rfc3339(self.until),
            "verified": bool(self.digests) and not self.findings,
            "digests": self.digests,
            "deployments": [
                {"id": number, "original": _counts(original), "restored": _counts(copy)}
                for number, (original, copy) in self.counts.items()
            ],
            "without_deadline": [request_id for request_id, _ in self.stuck],
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def text(self) -> str:
        rows = [
            [number, what, "-" if original is None else _counts(original)[what], _counts(copy)[what]]
            for number, (original, copy) in self.counts.items()
            for what in ("events", "requests", "pending")
        ]
        lines = [f"{one.kind.upper()}: {one.record} {one.detail}" for one in self.findings[:_DAMAGE_SHOWN]]
        left = len(self.findings) - len(lines)
        lines += [f"and {left:,} more findings; --json shows them all"] if left else []
        lines += [
            f"INCOMPLETE: deployment {number} has less than the stack had before {rfc3339(self.until)}"
            for number, (original, copy) in self.counts.items()
            if _lacks(original, copy)
        ]
        lines += [f"NO DEADLINE: {request_id} is pending, and nothing would answer it" for request_id, _ in self.stuck]
        if not lines:
            pending = sum(copy.pending for _, copy in self.counts.values())
            lines = [f"Nothing is missing. Pending requests that can go on: {pending:,}."]
        if not self.digests:
            lines.append("Nothing in it is sealed yet, so only the chains could be checked.")
        found = table(["deployment", "what", "stack", "restored"], rows)
        return "\n".join([f"Up to {rfc3339(self.until)}:", "", found, "", *lines])

    def next_step(self, target: CommandTarget, *, copied: bool) -> str:
        if self.is_damaged:
            return "do not use these tables: restore to another moment, and run this again."
        if self.stuck:
            since = rfc3339(min(created_at for _, created_at in self.stuck))
            again = target.command(f"replay --since {since}")
            return f"when the stack uses these tables, have the missing deadlines set: {again}"
        if copied:
            return "practice a real restore: docs/restore.md."
        return "let the stack use these tables, or delete them if this was a drill: docs/restore.md."


def _drill(target: CommandTarget, tables: Mapping[str, str], at: datetime | None) -> _Drill:
    from flow_hitl.bootstrap import Application

    original = target.application
    settings = replace(original.settings, **tables)
    restored = Application(settings, original.clock, original.ids, original.jitter)
    ids = restored.take_stock.deployment_ids()
    if not ids:
        raise OperatorError(
            "The restored tables hold no deployment.", "Check their names, and the moment they were restored to."
        )
    begins = {number: restored.verify_audit_log.beginning(number) for number in ids}
    at = at or restored.take_stock.latest_event(min(begins.values()))
    if at is None:
        raise OperatorError("The restored tables hold no audit event.", "Check the names of the tables.")
    # An event's moment is in whole seconds.
    until = at.replace(microsecond=0) + timedelta(seconds=1)
    counts = dict[int, tuple["Stock | None", "Stock"]]()
    findings, digests = list[Any](), 0
    for number in ids:
        _tell(target, f"Counting deployment {number}")
        copy = restored.take_stock(number, begins[number], until)
        counts[number] = _if_there(lambda n=number: original.take_stock(n, begins[n], until)), copy  # type: ignore[misc]
        _tell(target, f"Verifying deployment {number}")
        found, sealed = _verified(restored, number, begins[number], until)
        findings, digests = findings + found, digests + sealed
    return _Drill(until, counts, findings, digests)


def _restored_to(target: CommandTarget, tables: Mapping[str, str]) -> datetime | None:
    """Return the moment that a point-in-time restore has brought back; None for tables that came about otherwise."""
    application = target.application
    found = [application.client("dynamodb").describe_table(TableName=name)["Table"] for name in tables.values()]
    moments = [one["RestoreSummary"]["RestoreDateTime"] for one in found if "RestoreSummary" in one]
    return min([*moments, application.clock.now()]) if moments else None


def _if_there(count: Callable[[], Stock]) -> Stock | None:
    """Return a count of the stack's own tables, or None if one of them is gone."""
    from flow_hitl.platform.dynamodb import error_code

    try:
        return count()
    except ClientError as error:
        if error_code(error) != "ResourceNotFoundException":
            raise
        return None


def _verified(restored: Application, number: int, since: datetime, until: datetime) -> tuple[list[Any], int]:
    """Verify a deployment's log as it was at a moment; return the findings, and how many digests cover it."""
    from flow_hitl.audit.read_audit import Range

    whole = restored.verify_audit_log
    verify = replace(whole, seals=_SealsUntil(whole.seals, rfc3339(until)), clock=_At(until))
    findings, digests, cursor = list[Any](), 0, None
    while True:
        part = verify(number, Range(since, until), cursor)
        findings, digests, cursor = [*findings, *part.findings], digests + part.digests, part.next_cursor
        if cursor is None:
            return findings, digests


@dataclass(frozen=True)
class _SealsUntil:
    """The digests of before a moment: later ones may list what the restored tables cannot hold."""

    seals: SealStore
    until: str

    def ends(self, after: str = "") -> Iterator[str]:
        return (end for end in self.seals.ends(after) if end <= self.until)

    def digest(self, until: str) -> Mapping[str, Any] | None:
        return self.seals.digest(until)

    def section(self, deployment_id: int, until: str) -> bytes | None:
        return self.seals.section(deployment_id, until)

    def public_key(self, name: str) -> bytes | None:
        return self.seals.public_key(name)

    def add_digest(self, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError("a drill seals nothing")

    def add_section(self, deployment_id: int, until: str, content: bytes) -> bytes:
        raise NotImplementedError("a drill seals nothing")

    def add_public_key(self, public_key: bytes) -> None:
        raise NotImplementedError("a drill seals nothing")


@dataclass(frozen=True)
class _At:
    """The time when the tables were as they are: a seal that came later was not overdue."""

    moment: datetime

    def now(self) -> datetime:
        return self.moment

    def sleep(self, seconds: float) -> None:
        raise NotImplementedError("nothing waits in the past")


@contextmanager
def _copied(target: CommandTarget) -> Iterator[Mapping[str, str]]:
    """Copy the stack's tables into new ones, which are deleted in the end; yield their names by their settings."""
    application, client = target.application, target.application.client("dynamodb")
    suffix = f"-drill-{application.ids.event_id().lower()}"
    made = dict[str, str]()
    try:
        for one in TABLES:
            setting = f"{one.name}_table"
            source = str(getattr(application.settings, setting))
            arguments = create_table_arguments(one, source[: 255 - len(suffix)] + suffix)
            # Nobody reads a copy's stream.
            arguments.pop("StreamSpecification", None)
            client.create_table(**arguments)
            made[setting] = arguments["TableName"]
            client.get_waiter("table_exists").wait(TableName=made[setting])
            _copy(target, source, made[setting])
        yield made
    finally:
        for name in made.values():
            client.delete_table(TableName=name)


def _copy(target: CommandTarget, source: str, copy: str) -> None:
    from flow_hitl.platform.dynamodb import batch_put, values

    application, number = target.application, 0
    client = application.client("dynamodb")
    for page in client.get_paginator("scan").paginate(TableName=source, ConsistentRead=True):
        batch_put(client, copy, [values(wire) for wire in page["Items"]], application.pause)
        number += len(page["Items"])
        _tell(target, f"Copied {number:,} records of {source}")


def _counts(stock: Stock | None) -> dict[str, int]:
    return {} if stock is None else {"events": stock.events, "requests": stock.requests, "pending": stock.pending}


def _lacks(original: Stock | None, copy: Stock) -> bool:
    """Tell whether the stack had more; of what is pending, it may have less by now."""
    return original is not None and (original.events > copy.events or original.requests > copy.requests)


def _tell(target: CommandTarget, what: str) -> None:
    if not target.as_json:
        click.echo(what, err=True)
