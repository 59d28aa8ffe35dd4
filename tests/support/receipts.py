"""Mails on disk, each with its receipt: read from `tests/data/mail/<folder>`, put through the handlers, and judged.

A folder holds `<name>.eml` files and a `receipts.json` that says of each why it is there, what its receipt says
(`mail_from`, `recipients`, `verdicts`; by default Jane's mail to the reply address, all passed) and how it `ends`:
`decided` (with `outcome`, `feedback`, `comment` as far as they matter), `rejected: <reason>` or `discarded: <reason>`.
`%REPLY-TO%`, `%REPLY-TO-UPPER%`, `%TOKEN%` and `%TOKEN-CUT%` stand for the live reply address.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flow_hitl.audit.audit_log import data_text
from flow_hitl.audit.chain import request_subject
from flow_hitl.bootstrap import current
from flow_hitl.platform.dynamodb import values
from infra.local.hitl_fixture import AskedRequest, Hitl, Mail

MAILS = Path(__file__).parents[1] / "data" / "mail"
JANE = "jane@example.org"
OPTIONS = ("approved", "rejected")
INBOUND = "reply.hitl.test"


@dataclass(frozen=True)
class Case:
    """One mail on disk and what is expected of it."""

    path: Path
    entry: Mapping[str, Any]

    @property
    def ends(self) -> str:
        return str(self.entry["ends"])

    def raw(self, reply_to: str) -> bytes:
        """Return the mail as it came in, with the live address in it."""
        return _filled(self.path.read_bytes().decode("latin-1"), reply_to).encode("latin-1")

    def recipients(self, reply_to: str) -> list[str]:
        """Return the envelope's recipients."""
        return [_filled(recipient, reply_to) for recipient in self.entry.get("recipients", ["%REPLY-TO%"])]


def cases(folder: str) -> dict[str, Case]:
    """Return the mails of a folder by name; fails if a mail has no receipt or a receipt no mail."""
    entries = json.loads((MAILS / folder / "receipts.json").read_text("utf-8"))
    found = {name: Case(MAILS / folder / entry.get("file", f"{name}.eml"), entry) for name, entry in entries.items()}
    on_disk = set((MAILS / folder).glob("*.eml"))
    assert on_disk <= {case.path for case in found.values()}, "every mail needs a receipt"
    return found


def asked(hitl: Hitl, **fields: Any) -> AskedRequest:
    """Put a request to Jane, who is mailed about it."""
    return hitl.ask("Publish?", emit=OPTIONS, assigned_to_email=JANE, flow_name="ContentApprovalFlow", **fields)


@dataclass(frozen=True)
class Ending:
    """What became of a mail: `decided`, `rejected: …` or `discarded: …`, and what was recorded if it decided."""

    words: str
    response: Mapping[str, Any]


class Watch:
    """Looks at a request until a mail about it has come in."""

    def __init__(self, hitl: Hitl, request: AskedRequest) -> None:
        self._hitl, self._subject = hitl, request_subject(request.id)
        self._events, self._discards, self._mails = len(self._chain()), len(discards(hitl)), len(hitl.inbox)

    def receive(self, case: Case, notification: Mail) -> Ending:
        """Let a case's mail come in as an answer to a notification, and return how it ended."""
        reply_to = notification.reply_to
        assert reply_to
        self._hitl.receive(
            case.raw(reply_to),
            recipients=case.recipients(reply_to),
            mail_from=case.entry.get("mail_from", JANE),
            verdicts=case.entry.get("verdicts"),
        )
        return self.ending()

    def ending(self) -> Ending:
        """Return how the only mail since ended.

        Fails unless it left exactly one trace, and just the mails that belong to it: a confirmation, an error mail,
        none, to Jane alone.
        """
        events = self._chain()[self._events :]
        ends = [Ending(f"discarded: {reason}", {}) for reason in discards(self._hitl)[self._discards :]]
        for event in events:
            if event["kind"] == "response_submitted":
                ends.append(Ending("decided", event["data"]))
            elif event["kind"] == "reply_rejected":
                ends.append(Ending(f"rejected: {event['data']['reason']}", {}))
        assert len(ends) == 1, ends
        expected = {
            "decided": ["response_submitted", "confirmation_sent"],
            "rejected": ["reply_rejected", "error_mail_sent"],
            "discarded": [],
        }
        assert [event["kind"] for event in events] == expected[ends[0].words.partition(":")[0]]
        mails = self._hitl.inbox[self._mails :]
        assert len(mails) == (1 if events else 0)
        assert_automatic_and_only_to_jane(mails)
        return ends[0]

    def _chain(self) -> list[dict[str, Any]]:
        return [event for event in audit_events(self._hitl) if event["subject"] == self._subject]


def assert_automatic_and_only_to_jane(mails: Sequence[Mail]) -> None:
    """Fail unless each mail went to Jane alone, with the headers that keep programs from answering it."""
    for mail in mails:
        message = mail.message
        assert mail.to == JANE
        assert message["Cc"] is None
        assert message["Bcc"] is None
        assert message["Auto-Submitted"] in ("auto-generated", "auto-replied")
        assert message["X-Auto-Response-Suppress"] == "All"
        assert not message.defects
        assert all(len(message.get_all(name, [])) == 1 for name in message)
        assert all(character.isprintable() for name in message for character in str(message[name]))


def discards(hitl: Hitl) -> list[str]:
    """Return why today's mails were discarded, oldest first, as the operator can look it up."""
    return [found["reason"] for found in reversed(current().discards.on_day(hitl.clock.now().date()))]


def audit_events(hitl: Hitl) -> list[dict[str, Any]]:
    """Return `subject`, `kind` and `data` of every event, in the order of their chains."""
    rows = hitl._clients["dynamodb"].scan(TableName="audit")["Items"]
    rows.sort(key=lambda row: (row["subject"]["S"], int(row["seq"]["N"])))
    return [
        {"subject": row["subject"], "kind": row["kind"], "data": json.loads(data_text(row["data"]))}
        for row in map(values, rows)
    ]


def _filled(text: str, reply_to: str) -> str:
    token = reply_to.partition("@")[0]
    for mark, value in (
        ("%REPLY-TO%", reply_to),
        ("%REPLY-TO-UPPER%", reply_to.upper()),
        ("%TOKEN%", token),
        ("%TOKEN-CUT%", token[:-1]),
    ):
        text = text.replace(mark, value)
    return text
