"""The journal: paused flows, their requests, and their decisions in one SQLite file, until the flow has resumed.

A pause is written before anyone is asked, so an unsent request is sent later, no decision is lost, and a flow whose
listener failed can resume again. Several processes may share the file.
"""

import json
import os
import sqlite3
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, Literal

from flow_hitl_client.types import Request, Response, ResumeStatus

PauseStatus = Literal["stored", "asked", "refused", "cancelled", "decided", "resumed", "paused_again", "resume_failed"]

_BUSY_SECONDS: Final = 30.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS flow_hitl_pauses (
    request_id TEXT PRIMARY KEY,
    group_id TEXT NOT NULL,
    flow_id TEXT NOT NULL,
    flow_class TEXT NOT NULL,
    class_name TEXT NOT NULL,
    body TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    status TEXT NOT NULL,
    decision TEXT,
    detail TEXT,
    report TEXT,
    stored_at REAL NOT NULL,
    changed_at REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS flow_hitl_pauses_flow ON flow_hitl_pauses (flow_id, stored_at);
CREATE INDEX IF NOT EXISTS flow_hitl_pauses_group ON flow_hitl_pauses (group_id);
CREATE INDEX IF NOT EXISTS flow_hitl_pauses_status ON flow_hitl_pauses (status, changed_at);
CREATE INDEX IF NOT EXISTS flow_hitl_pauses_report ON flow_hitl_pauses (report) WHERE report IS NOT NULL;
CREATE TABLE IF NOT EXISTS flow_hitl_claims (flow_id TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS flow_hitl_resumptions (request_id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS flow_hitl_cursors (feed TEXT PRIMARY KEY, cursor TEXT NOT NULL);
"""


@dataclass(frozen=True)
class Pause:
    """One review point at which a flow waits.

    `body` asks the person; `snapshot` is what the framework needs to resume. Pauses with the same `group_id` are of
    parallel branches: the flow resumes when all of them are decided.
    """

    request_id: str
    group_id: str
    flow_id: str
    flow_class: str
    body: dict[str, Any]
    snapshot: dict[str, Any]
    status: PauseStatus = "stored"
    decision: Request | None = None
    detail: str | None = None

    @property
    def answered(self) -> tuple[Request, Response]:
        """The decided request and its response; raises ValueError if the pause is not decided."""
        response = self.decision["response"] if self.decision else None
        if self.decision is None or response is None:
            raise ValueError(f"request {self.request_id} has no response")
        return self.decision, response


_COLUMNS: Final = tuple(field.name for field in fields(Pause))
_IN_JSON: Final = ("body", "snapshot", "decision")


@dataclass(frozen=True)
class Report:
    """How a flow resumed, not yet reported to the request's timeline."""

    request_id: str
    status: ResumeStatus
    detail: str | None


def default_path() -> Path:
    """Return FLOW_HITL_FLOWS of the environment, or ~/.flow-hitl/flows.db."""
    return Path(os.environ.get("FLOW_HITL_FLOWS") or Path.home() / ".flow-hitl" / "flows.db").absolute()


def make_file(path: Path) -> None:
    """Make the file and its directory if missing, readable only by the owner."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT, 0o600))


class Journal:
    """The paused flows in one file."""

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Use the file (default: `default_path`), and make it if it is missing."""
        self.path = Path(path or default_path()).absolute()
        make_file(self.path)
        with self._connection() as database:
            database.execute("PRAGMA journal_mode=WAL")
        with self._transaction() as database:
            for statement in filter(str.strip, _SCHEMA.split(";")):
                database.execute(statement)

    # --- asking ---

    def store(self, pauses: Sequence[Pause]) -> None:
        """Write the pauses of one moment, all or none."""
        now = time.time()
        with self._transaction() as database:
            for pause in pauses:
                self._insert(database, pause, now)

    def unasked(self) -> list[Pause]:
        """Return up to 100 pauses whose request was not sent yet, oldest first."""
        return self._pauses("WHERE status = 'stored' ORDER BY changed_at LIMIT 100")

    def asked(self, request_id: str) -> None:
        """Note that the server has the request."""
        self._after_asking(request_id, "asked", None)

    def refused(self, request_id: str, reason: str) -> None:
        """Note that the server refused this request for good."""
        self._after_asking(request_id, "refused", reason)

    # --- deciding ---

    def waiting_since(self) -> float | None:
        """Return when the longest-waiting pause was stored, in Unix seconds."""
        with self._connection() as database:
            row = database.execute("SELECT MIN(stored_at) FROM flow_hitl_pauses WHERE status = 'asked'").fetchone()
        return None if row[0] is None else float(row[0])

    def cancel(self, request_id: str) -> bool:
        """Note that a request was cancelled; false if no flow in this file waited for it."""
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE flow_hitl_pauses SET status = 'cancelled', changed_at = ? WHERE request_id = ? "
                "AND status = 'asked'",
                (time.time(), request_id),
            )
            return changed.rowcount > 0

    def decide(self, requests: Iterable[Request], *, feed: str | None = None, cursor: str | None = None) -> list[str]:
        """Store the decisions of flows that wait here, with the feed's cursor; return these flows' ids.

        Ignores what is already decided, or belongs to no flow in this file.
        """
        flow_ids = []
        with self._transaction() as database:
            for request in requests:
                if request["response"] is None:
                    continue
                changed = database.execute(
                    "UPDATE flow_hitl_pauses SET status = 'decided', decision = ?, changed_at = ? "
                    "WHERE request_id = ? AND status IN ('stored', 'asked')",
                    (json.dumps(request), time.time(), request["id"]),
                )
                if changed.rowcount:
                    flow_ids.append(request["flow_id"])
            if feed is not None and cursor is not None:
                database.execute("INSERT OR REPLACE INTO flow_hitl_cursors VALUES (?, ?)", (feed, cursor))
        return flow_ids

    def complete(self, request: Request) -> None:
        """Store a decision again, now with its receipt."""
        with self._transaction() as database:
            database.execute(
                "UPDATE flow_hitl_pauses SET decision = ? WHERE request_id = ? AND status = 'decided'",
                (json.dumps(request), request["id"]),
            )

    def cursor(self, feed: str) -> str | None:
        """Return how far a feed was read."""
        with self._connection() as database:
            row = database.execute("SELECT cursor FROM flow_hitl_cursors WHERE feed = ?", (feed,)).fetchone()
        return None if row is None else str(row[0])

    # --- resuming ---

    def ready(self, class_names: Sequence[str]) -> list[list[Pause]]:
        """Return up to 100 fully decided groups of flows of these classes, longest decided first."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT group_id FROM flow_hitl_pauses AS one WHERE status = 'decided' "
                f"AND class_name IN ({_marks(class_names)}) "
                "AND NOT EXISTS (SELECT 1 FROM flow_hitl_pauses AS other WHERE other.group_id = one.group_id "
                "AND other.status IN ('stored', 'asked', 'refused', 'cancelled')) "
                "GROUP BY group_id ORDER BY MAX(changed_at) LIMIT 100",
                tuple(class_names),
            ).fetchall()
        return [self.group(row[0]) for row in rows]

    def strangers(self, class_names: Sequence[str]) -> list[str]:
        """Return up to 10 other classes whose flows are decided."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT DISTINCT flow_class FROM flow_hitl_pauses WHERE status = 'decided' "
                f"AND class_name NOT IN ({_marks(class_names)}) LIMIT 10",
                tuple(class_names),
            ).fetchall()
        return [row[0] for row in rows]

    def claim(self, flow_id: str, owner: str, seconds: float) -> bool:
        """Claim the flow, or extend the claim; false if another owner holds it."""
        now = time.time()
        with self._transaction() as database:
            database.execute(
                "INSERT INTO flow_hitl_claims VALUES (?, ?, ?) ON CONFLICT (flow_id) DO UPDATE "
                "SET owner = excluded.owner, until = excluded.until WHERE owner = excluded.owner OR until < ?",
                (flow_id, owner, now + seconds, now),
            )
            row = database.execute("SELECT owner FROM flow_hitl_claims WHERE flow_id = ?", (flow_id,)).fetchone()
        return bool(row[0] == owner)

    def release(self, flow_id: str, owner: str) -> None:
        """Release the flow."""
        with self._transaction() as database:
            database.execute("DELETE FROM flow_hitl_claims WHERE flow_id = ? AND owner = ?", (flow_id, owner))

    def replace(self, old: Pause, new: Pause, detail: str) -> None:
        """Replace a pause whose answer cannot be used; `detail` is reported for the old one."""
        now = time.time()
        with self._transaction() as database:
            # Its own group, so that it no longer holds up the others of its moment.
            database.execute(
                "UPDATE flow_hitl_pauses SET group_id = request_id, status = 'paused_again', report = 'paused_again', "
                "detail = ?, changed_at = ? WHERE request_id = ?",
                (detail, now, old.request_id),
            )
            database.execute("DELETE FROM flow_hitl_resumptions WHERE request_id = ?", (old.request_id,))
            self._insert(database, new, now)

    def resumption(self, request_id: str) -> str:
        """Return the name by which this file claims a request's resumption: the same until it fails."""
        with self._transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO flow_hitl_resumptions VALUES (?, ?)", (request_id, str(uuid.uuid4()))
            )
            row = database.execute(
                "SELECT name FROM flow_hitl_resumptions WHERE request_id = ?", (request_id,)
            ).fetchone()
        return str(row[0])

    def finish(self, pauses: Sequence[Pause], status: ResumeStatus, detail: str | None = None) -> None:
        """Note how the flow resumed from these pauses; `reports` has it until `reported`."""
        with self._transaction() as database:
            for pause in pauses:
                database.execute(
                    "UPDATE flow_hitl_pauses SET status = ?, detail = ?, report = ?, changed_at = ? "
                    "WHERE request_id = ?",
                    (status, detail, status, time.time(), pause.request_id),
                )
                # A failure releases the claim, and a resumed flow needs none.
                database.execute("DELETE FROM flow_hitl_resumptions WHERE request_id = ?", (pause.request_id,))

    def leave_to_others(self, pauses: Sequence[Pause], detail: str) -> None:
        """Note that another store claimed these pauses; `again` lets this one try again."""
        with self._transaction() as database:
            for pause in pauses:
                database.execute(
                    "UPDATE flow_hitl_pauses SET status = 'resume_failed', detail = ?, changed_at = ? "
                    "WHERE request_id = ?",
                    (detail, time.time(), pause.request_id),
                )

    def again(self, request_id: str) -> bool:
        """Let the flow resume again from this failed pause; false if it did not fail."""
        with self._transaction() as database:
            changed = database.execute(
                "UPDATE flow_hitl_pauses SET status = 'decided', changed_at = ? WHERE status = 'resume_failed' AND "
                "group_id = (SELECT group_id FROM flow_hitl_pauses WHERE request_id = ?)",
                (time.time(), request_id),
            )
            return changed.rowcount > 0

    def failed(self) -> list[Pause]:
        """Return up to 100 pauses from which the flow failed to resume, oldest first."""
        return self._pauses("WHERE status = 'resume_failed' ORDER BY changed_at LIMIT 100")

    def reports(self) -> list[Report]:
        """Return up to 100 reports that the server does not have yet."""
        with self._connection() as database:
            rows = database.execute(
                "SELECT request_id, report, detail FROM flow_hitl_pauses WHERE report IS NOT NULL LIMIT 100"
            ).fetchall()
        return [Report(*row) for row in rows]

    def reported(self, report: Report) -> None:
        """Forget a report, unless a newer one has replaced it."""
        with self._transaction() as database:
            database.execute(
                "UPDATE flow_hitl_pauses SET report = NULL WHERE request_id = ? AND report = ?",
                (report.request_id, report.status),
            )

    # --- looking ---

    def pause(self, request_id: str) -> Pause | None:
        """Return the pause of a request, or None."""
        return next(iter(self._pauses("WHERE request_id = ?", request_id)), None)

    def group(self, group_id: str) -> list[Pause]:
        """Return the pauses of one moment, in the flow's order."""
        return self._pauses("WHERE group_id = ? ORDER BY rowid", group_id)

    def open(self, flow_id: str | None = None) -> list[Pause]:
        """Return up to 1,000 pauses, of one flow or of all, that wait for a person, oldest first."""
        if flow_id is not None:
            return self._pauses("WHERE flow_id = ? AND status IN ('stored', 'asked') ORDER BY stored_at", flow_id)
        return self._pauses("WHERE status IN ('stored', 'asked') ORDER BY changed_at LIMIT 1000")

    def cancelled(self) -> list[Pause]:
        """Return up to 1,000 pauses whose request was cancelled, oldest first."""
        return self._pauses("WHERE status = 'cancelled' ORDER BY changed_at LIMIT 1000")

    def forget(self, before: float) -> None:
        """Delete pauses that ended before a moment, in Unix seconds, of flows that wait for nothing."""
        with self._transaction() as database:
            database.execute(
                "DELETE FROM flow_hitl_pauses AS old WHERE status IN ('resumed', 'paused_again', 'cancelled') "
                "AND report IS NULL AND changed_at < ? AND NOT EXISTS (SELECT 1 FROM flow_hitl_pauses AS one "
                "WHERE one.flow_id = old.flow_id AND one.status NOT IN ('resumed', 'paused_again', 'cancelled'))",
                (before,),
            )

    @staticmethod
    def _insert(database: sqlite3.Connection, pause: Pause, now: float) -> None:
        database.execute(
            "INSERT INTO flow_hitl_pauses (request_id, group_id, flow_id, flow_class, class_name, body, "
            "snapshot, status, stored_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, 'stored', ?, ?)",
            (
                pause.request_id,
                pause.group_id,
                pause.flow_id,
                pause.flow_class,
                pause.flow_class.rpartition(".")[2],
                json.dumps(pause.body),
                json.dumps(pause.snapshot),
                now,
                now,
            ),
        )

    def _after_asking(self, request_id: str, status: PauseStatus, detail: str | None) -> None:
        with self._transaction() as database:
            database.execute(
                "UPDATE flow_hitl_pauses SET status = ?, detail = ?, changed_at = ? "
                "WHERE request_id = ? AND status = 'stored'",
                (status, detail, time.time(), request_id),
            )

    def _pauses(self, where: str, *values: str) -> list[Pause]:
        with self._connection() as database:
            rows = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM flow_hitl_pauses {where}", values).fetchall()
        found = [dict(zip(_COLUMNS, row, strict=True)) for row in rows]
        return [Pause(**row | {name: json.loads(row[name] or "null") for name in _IN_JSON}) for row in found]

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            yield database
        finally:
            database.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connection() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
