"""Exporting all that a team owns of its deployments, in open formats, on an operator's command.

Requests are read before the audit log, so that the log explains each of them. Nothing is held in memory but a batch of
requests, one file, or a month of figures.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flow_hitl.audit.chain import data_of
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.answers import key_facts, rules_shown
from flow_hitl.deployments.deployment import OPERATOR, Deployment
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.mails.ports import SuppressionList
from flow_hitl.metrics.answers import FiguresShown, figures_shown
from flow_hitl.metrics.metrics import Bucket, Dimension, Tallies, figures
from flow_hitl.metrics.read_analytics import ReadAnalytics
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.proof.export import AuditExport, ExportState
from flow_hitl.proof.export_audit import ExportWish, ManageExports
from flow_hitl.replies.ports import DiscardLog
from flow_hitl.replies.rejections import DISCARDS_KEPT
from flow_hitl.requests.bound import StoredRequest
from flow_hitl.requests.ports import AttachmentStore, RequestStore
from flow_hitl.requests.request import Attachment, Request
from flow_hitl.retention.keep_retention import emails_in
from flow_hitl.retention.marks import EMAILS_LIVE
from flow_hitl.retention.ports import ExportFolder, StoredObjects
from flow_hitl.webhooks.answers import delivery_shown, webhook_shown
from flow_hitl.webhooks.ports import DeliveryLog, WebhookStore

FORMAT = "flow-hitl-export/1"
NOT_INCLUDED = (
    ("API keys, webhook secrets, resume secrets, and signing keys", "they are secrets; names and permissions are here"),
    ("reply addresses, links, callback URLs, and `resume_url`", "whoever has them can act on a request or a flow"),
    ("sessions and sign-in emails", "they let people in, and end after days"),
    ("emails that were sent", "they are not stored; the audit log has what was sent to whom"),
    ("emails as they were received, once their days are over", "they were removed; the audit log has what they did"),
    ("received emails that belong to no request", "they belong to no deployment"),
    ("content that was erased", "it is gone; the audit log has its digest"),
    ("indexes, queues, leases, counters of quotas, and marks of the sweep", "they are made anew from what is here"),
)
"""What no export has, and why."""

_AT_ONCE = 20
_DELIVERIES_AT_ONCE = 100
_DISCARDS_AT_ONCE = 100
_LOOK_AGAIN_SECONDS = 1.0
# The indexes lag by up to a second.
_SETTLED_SECONDS = 1.0


class ExportFailed(Exception):
    """The export of an audit log came to nothing; the text says why."""


@dataclass(frozen=True)
class Exported:
    """What an export has of a deployment: numbers by name, and how far its log is proven."""

    deployment: Deployment
    counts: Mapping[str, int]
    sealed_until: str | None

    @property
    def shown(self) -> Mapping[str, Any]:
        one = self.deployment
        return {"id": one.deployment_id, "name": one.name, **self.counts, "sealed_until": self.sealed_until}


@dataclass
class _Of:
    """A deployment that is being exported; `told` hears a count whenever it has grown."""

    deployment: Deployment
    folder: ExportFolder
    told: Callable[[int, str, int], None]
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def deployment_id(self) -> int:
        return self.deployment.deployment_id

    def name(self, file: str) -> str:
        return f"deployment-{self.deployment_id}/{file}"

    def count(self, what: str, number: int = 1) -> None:
        self.counts[what] += number
        if number:
            self.told(self.deployment_id, what, self.counts[what])

    def write_lines(self, file: str, what: str, documents: Iterable[Any]) -> None:
        """Write one document a line, and count them."""

        def lines() -> Iterator[bytes]:
            self.count(what, 0)
            for document in documents:
                yield _line(document)
                self.count(what)

        self.folder.write(self.name(file), lines())


@dataclass(frozen=True)
class ExportEverything:
    deployments: DeploymentStore
    requests: RequestStore
    attachments: AttachmentStore
    discards: DiscardLog
    webhooks: WebhookStore
    deliveries: DeliveryLog
    suppressed: SuppressionList
    read_analytics: ReadAnalytics
    audit_exports: ManageExports
    objects: StoredObjects
    clock: Clock

    def __call__(
        self, deployment_id: int, folder: ExportFolder, told: Callable[[int, str, int], None] = lambda *_: None
    ) -> Exported:
        """Write all of a deployment below `deployment-<id>/`, and return what there is.

        `told` hears the deployment, what is counted, and the number so far. Raises NotFound and ExportFailed.
        """
        deployment, now = self.deployments.load(deployment_id), self.clock.now()
        of = _Of(deployment, folder, told)
        folder.write(of.name("deployment.json"), [_page(_configuration(deployment))])
        webhooks = self.webhooks.list(deployment_id)
        of.write_lines("webhooks.jsonl", "webhooks", (as_json(webhook_shown(one)) for one in webhooks))
        ids = [one.webhook_id for one in webhooks]
        of.write_lines("deliveries.jsonl", "deliveries", self._deliveries(ids, now))
        theirs = (one for one in self.suppressed.entries() if one["deployment_id"] == deployment_id)
        of.write_lines("suppressed.jsonl", "suppressed_addresses", theirs)
        since = self.audit_exports.beginning(deployment_id)
        of.write_lines("requests.jsonl", "requests", self._requests(of, since, now))
        months = self.read_analytics.months(deployment_id, since.date(), now.date())
        of.write_lines("figures.jsonl", "figures", (line for month in months for line in _figure_lines(month)))
        of.write_lines("discarded-emails.jsonl", "discarded_emails", self._discarded(of, now))
        self.clock.sleep(_SETTLED_SECONDS)
        export = self._audit_log(of)
        of.write_lines("emails.jsonl", "emails", self._emails(of, export, now))
        return Exported(deployment, dict(of.counts), export.sealed_until)

    def of_all(self, folder: ExportFolder) -> int:
        """Write what belongs to no single deployment, and return how many addresses are suppressed for all of them."""
        entries = [one for one in self.suppressed.entries() if one["deployment_id"] is None]
        folder.write("suppressed.jsonl", map(_line, entries))
        return len(entries)

    def _deliveries(self, webhook_ids: Sequence[str], now: datetime) -> Iterator[Any]:
        for webhook_id in webhook_ids:
            cursor = None
            while True:
                page = self.deliveries.page(webhook_id, _DELIVERIES_AT_ONCE, cursor)
                yield from (as_json(delivery_shown(one, now)) for one in page.deliveries)
                cursor = page.next_cursor
                if cursor is None:
                    break

    def _requests(self, of: _Of, since: datetime, until: datetime) -> Iterator[Any]:
        cursor = None
        while True:
            # A request of this very second counts.
            end = until + timedelta(seconds=1)
            ids, cursor = self.requests.opened_between(of.deployment_id, since, end, _AT_ONCE, cursor)
            for request_id, stored in self.requests.stored(ids).items():
                yield self._request(of, request_id, stored)
            if cursor is None:
                return

    def _request(self, of: _Of, request_id: str, stored: StoredRequest) -> Any:
        if stored.unreadable:
            of.count("doubtful_requests")
        doubts = {"doubts": list(stored.unreadable)} if stored.unreadable else {}
        if stored.head is None or stored.content is None:
            return {"id": request_id, **doubts}
        document = as_json(Request(stored.head, stored.content, stored.response).shown)
        of.count("erased_contents", int(stored.head.content_erased_at is not None))
        for number, attachment in enumerate(stored.content.attachments):
            document["attachments"][number]["file"] = self._attachment(of, request_id, number + 1, attachment)
        return document | doubts

    def _attachment(self, of: _Of, request_id: str, number: int, attachment: Attachment) -> str | None:
        """Write the bytes of an attachment and return the name of their file, None if they are gone or were changed."""
        if not self.attachments.is_kept(request_id, attachment):
            of.count("missing_attachments")
            return None
        file = f"attachments/{request_id}/{number}-{_plain(attachment.name)}"
        of.folder.write(of.name(file), [self.attachments.read(request_id, attachment)])
        of.count("attachments")
        return file

    def _discarded(self, of: _Of, now: datetime) -> Iterator[Any]:
        day, last = (now - DISCARDS_KEPT).date(), now.date()
        while day <= last:
            discards = self.discards.of_day(day)
            while some := list(islice(discards, _DISCARDS_AT_ONCE)):
                ids = list(dict.fromkeys(one.request_id for one in some if one.request_id))
                heads = self.requests.heads(ids) if ids else {}
                for one in some:
                    head = heads.get(one.request_id or "")
                    if head is not None and head.deployment_id == of.deployment_id:
                        yield {**as_json(one), "file": self._email(of, one.message_id)}
            day += timedelta(days=1)

    def _emails(self, of: _Of, export: AuditExport, now: datetime) -> Iterator[Any]:
        """Yield the received emails that the log names; older ones than the bucket keeps are not looked for."""
        oldest = rfc3339(now - EMAILS_LIVE - timedelta(days=1))
        for file in export.of_kind("events"):
            for event in of.folder.documents(of.name(f"audit/{file.name}")):
                if str(event["at"]) < oldest:
                    continue
                for email in emails_in(data_of(event)):
                    if not of.folder.has(of.name(_email_file(email))) and (name := self._email(of, email)):
                        yield {"email": email, "subject": event["subject"], "at": event["at"], "file": name}

    def _email(self, of: _Of, email: str) -> str | None:
        raw, file = self.objects.read_email(email), _email_file(email)
        if raw is None:
            return None
        of.folder.write(of.name(file), [raw])
        return file

    def _audit_log(self, of: _Of) -> AuditExport:
        """Have the log exported as for an auditor, and write its files."""
        exports, wish = self.audit_exports.exports, ExportWish()
        export = self.audit_exports.start(of.deployment_id, wish, actor=OPERATOR)
        while export.state in (ExportState.PENDING, ExportState.RUNNING):
            self.clock.sleep(_LOOK_AGAIN_SECONDS)
            export = exports.load(of.deployment_id, export.export_id)
            of.told(of.deployment_id, "events", export.events)
        if export.state is not ExportState.DONE:
            raise ExportFailed(export.reason or "the audit log was not exported")
        for file in export.files:
            content = self.audit_exports.files.read(export.prefix + file.name)
            if of.folder.write(of.name(f"audit/{file.name}"), content) != file.sha256:
                raise ExportFailed(f"The file {file.name} of the audit log is not what was written.")
        of.count("events", export.events)
        of.count("unsealed_events", export.unsealed)
        return export


def manifest(exported: Sequence[Exported], *, suppressed: int | None, at: datetime, version: str) -> dict[str, Any]:
    """Return what the export says about itself; `suppressed` is None if it is not of all deployments."""
    everywhere = {} if suppressed is None else {"suppressed_addresses": suppressed}
    return {
        "format": FORMAT,
        "exported_at": rfc3339(at),
        "exported_by": f"flow-hitl {version}",
        "deployments": [one.shown for one in exported],
        **everywhere,
        "not_included": [{"what": what, "why": why} for what, why in NOT_INCLUDED],
    }


def _configuration(deployment: Deployment) -> Mapping[str, Any]:
    return {
        "id": deployment.deployment_id,
        "name": deployment.name,
        "organization_id": deployment.organization_id,
        "creator_email": deployment.creator_email,
        "version": deployment.version,
        "quotas": asdict(deployment.quotas),
        "settings": as_json(deployment.settings),
        **as_json(rules_shown(deployment.rules)),
        "members": as_json(deployment.members),
        "api_keys": key_facts(deployment),
    }


def _figure_lines(month: Tallies) -> Iterator[Any]:
    outcomes: dict[Bucket, Counter[str]] = {}
    for bucket, tally in month.items():
        if bucket.outcome is None:
            outcomes.setdefault(bucket, Counter())
            continue
        of = Bucket(bucket.dimension, bucket.period, bucket.value)
        # Every answer has a method: their outcomes are those of the total, which has none of its own.
        total = [Bucket(Dimension.TOTAL, bucket.period)] if bucket.dimension is Dimension.METHOD else []
        for one in (of, *total):
            outcomes.setdefault(one, Counter())[bucket.outcome] += sum(tally.values())
    for bucket in sorted(outcomes, key=lambda one: (one.period, one.dimension, one.value)):
        found = figures_shown(figures(month.get(bucket, {}), outcomes[bucket]))
        names = {"period": bucket.period, "by": bucket.dimension.value, "name": bucket.value or None}
        yield names | as_json(found, FiguresShown)


def _email_file(email: str) -> str:
    return f"emails/{_plain(email)}.eml"


def _plain(name: str) -> str:
    """Return a name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".")[-100:] or "_"


def _line(document: Any) -> bytes:
    # Half of a character is escaped, as JSON may.
    return f"{json.dumps(document, ensure_ascii=False)}\n".encode(errors="backslashreplace")


def _page(document: Any) -> bytes:
    return f"{json.dumps(document, ensure_ascii=False, indent=1)}\n".encode(errors="backslashreplace")
