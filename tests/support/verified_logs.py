"""A deployment whose log is verified as the service does it, with everything in memory, so that it takes no time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from flow_hitl.audit.chain import AuditEvent, EventKind, deployment_subject, request_subject
from flow_hitl.audit.index import IndexedEvent, Period
from flow_hitl.audit.read_audit import Range
from flow_hitl.contract.shapes import as_json
from flow_hitl.deployments.change_configuration import ChangeConfiguration, Configured
from flow_hitl.deployments.deployment import Deployment
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.seal import grown_by, make_digest, make_section
from flow_hitl.proof.verify_audit import LogFinding, Trust, event_hash, fingerprint, pem, sha256, trust
from flow_hitl.proof.verify_log import Verified, VerifyAuditLog
from flow_hitl.requests.bound import StoredRequest
from flow_hitl.requests.request import Change, Stamp, decide, note
from tests.support import examples
from tests.support.audit_logs import SIGNER, Event

DEPLOYMENT = 456
OWN = deployment_subject(DEPLOYMENT)
NOON = examples.NOON
MIDNIGHT = datetime(2026, 1, 15, tzinfo=UTC)
HOOK = f"wh_{'a' * 32}"


def request_id(number: int) -> str:
    return f"0192f0c1-7e11-7abc-8def-{number:012x}"


@dataclass
class Audit:
    """The log; `index` is what its index says, which may be something else."""

    chains: dict[str, list[Event]] = field(default_factory=dict)
    index: list[IndexedEvent] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)

    def add(self, event: AuditEvent) -> None:
        self.chains.setdefault(event.subject, []).append(as_json(event))
        self.index.append(IndexedEvent(DEPLOYMENT, event.subject, event.seq, event.at, event.hash))

    def chain(self, subject: str) -> Sequence[Event]:
        self.reads.append(subject)
        return list(self.chains.get(subject, []))

    def indexed(
        self, period: Period, deployment_id: int | None = None, after: IndexedEvent | None = None, ahead: int = 1000
    ) -> Iterator[IndexedEvent]:
        assert ahead > 0
        assert deployment_id == DEPLOYMENT
        passed = _place(after) if after is not None else ("", "", 0)
        rows = sorted((row for row in self.index if period.holds(row.at)), key=_place)
        return (row for row in rows if _place(row) > passed)

    def first_events(self, deployment_ids: Sequence[int]) -> Mapping[int, IndexedEvent]:
        assert deployment_ids == [DEPLOYMENT]
        found = next((one for one in self.chains.get(OWN, []) if one["seq"] == 1), None)
        if found is None:
            return {}
        return {DEPLOYMENT: IndexedEvent(DEPLOYMENT, OWN, 1, parse_rfc3339(found["at"]), found["hash"])}


def _place(row: IndexedEvent) -> tuple[str, str, int]:
    return rfc3339(row.at), row.subject, row.seq


@dataclass
class Seals:
    """The digests, the sections of this deployment, and the published keys."""

    digests: dict[str, dict[str, Any]] = field(default_factory=dict)
    sections: dict[str, bytes] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=lambda: {fingerprint(SIGNER.public): pem(SIGNER.public).encode()})
    listings: int = 0

    def ends(self, after: str = "") -> Iterator[str]:
        self.listings += 1
        return (until for until in sorted(self.digests) if until > after)

    def digest(self, until: str) -> Mapping[str, Any] | None:
        return self.digests.get(until)

    def section(self, deployment_id: int, until: str) -> bytes | None:
        assert deployment_id == DEPLOYMENT
        return self.sections.get(until)

    def public_key(self, name: str) -> bytes | None:
        return self.keys.get(name)

    def trusted(self) -> Trust:
        return trust(SIGNER.public)


@dataclass
class Requests:
    """Their records; `now_stored` is what stands there when they are read for the second time."""

    records: dict[str, StoredRequest] = field(default_factory=dict)
    now_stored: dict[str, StoredRequest] = field(default_factory=dict)
    opened: dict[str, datetime] = field(default_factory=dict)
    whole: list[bool] = field(default_factory=list)

    def opened_between(
        self, deployment_id: int, since: datetime, until: datetime, limit: int, cursor: str | None
    ) -> tuple[Sequence[str], str | None]:
        assert deployment_id == DEPLOYMENT
        found = sorted((one for one, at in self.opened.items() if since <= at < until), reverse=True)
        rest = [one for one in found if cursor is None or one < cursor]
        return rest[:limit], (rest[limit - 1] if len(rest) > limit else None)

    def stored(self, request_ids: Sequence[str], *, whole: bool = True) -> Mapping[str, StoredRequest]:
        self.whole.append(whole)
        found = {one: self.records.get(one, StoredRequest()) for one in request_ids}
        for one in request_ids:
            if one in self.now_stored and whole:
                self.records[one] = self.now_stored[one]
        return found if whole else {one: replace(kept, content=None, response=None) for one, kept in found.items()}


@dataclass
class Attachments:
    lost: set[str] = field(default_factory=set)

    def is_kept(self, _request_id: str, attachment: Any) -> bool:
        return attachment.sha256 not in self.lost


@dataclass
class Deployments:
    """The configuration; `said` is what is wrong with its record by itself."""

    audit: Audit
    found: Deployment | Exception = field(default_factory=examples.deployment)
    said: list[str] = field(default_factory=list)

    def load(self, deployment_id: int) -> Deployment:
        assert deployment_id == DEPLOYMENT
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def strange(self, _deployment_id: int) -> Sequence[str]:
        return self.said

    def create(self, deployment: Deployment, event: AuditEvent) -> None:
        self.found = deployment
        self.audit.add(event)

    def commit(self, deployment: Deployment, event: AuditEvent, **_others: Any) -> None:
        self.create(deployment, event)


@dataclass
class Webhooks:
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    def stored(self, deployment_id: int) -> Mapping[str, Mapping[str, Any]]:
        assert deployment_id == DEPLOYMENT
        return self.records


@dataclass
class Clock:
    moment: datetime = NOON

    def now(self) -> datetime:
        return self.moment

    def event_id(self) -> str:
        return "e"


@dataclass
class Place:
    """All of it, as it stands after `make_place` unless a test changes it."""

    audit: Audit = field(default_factory=Audit)
    seals: Seals = field(default_factory=Seals)
    requests: Requests = field(default_factory=Requests)
    attachments: Attachments = field(default_factory=Attachments)
    webhooks: Webhooks = field(default_factory=Webhooks)
    clock: Clock = field(default_factory=Clock)
    deployments: Deployments = field(init=False)

    def __post_init__(self) -> None:
        self.deployments = Deployments(self.audit)

    # --- what happens

    def change(self, kind: EventKind, before: Any, after: Any, record: Mapping[str, Any] | None = None) -> None:
        """Change the configuration, or a webhook whose record is given."""
        part = {"Put": {"Item": record}} if record else {"Delete": {}} if kind is EventKind.WEBHOOK_DELETED else None

        def step(found: Deployment) -> Configured:
            return Configured(replace(found, name=f"Named {found.version}"), before, after, cast("Any", part))

        self._changing(DEPLOYMENT, kind, "ann@example.com", step)

    def create(self) -> None:
        self._changing.create(examples.deployment(), "operator", {"name": "Content Review"})

    @property
    def _changing(self) -> ChangeConfiguration:
        parts: Any = self
        return ChangeConfiguration(parts.deployments, parts.clock, parts.clock, lambda _: None)

    def ask(self, number: int, **changes: Any) -> str:
        deployment = self.deployments.load(DEPLOYMENT)
        content = changes.pop("content", examples.CONTENT)
        self._keep(
            examples.opening(
                request_id=request_id(number),
                at=self.clock.moment,
                deployment=deployment,
                content=content,
                **changes,
            ),
            content=content,
        )
        self.requests.opened[request_id(number)] = self.clock.moment
        return request_id(number)

    def answer(self, number: int, **changes: Any) -> None:
        kept = self.requests.records[request_id(number)]
        assert kept.head is not None
        assert kept.content is not None
        self._keep(decide(kept.head, examples.answer(**changes), kept.content, stamp=self._stamp))

    def go_on(self, number: int, kind: EventKind = EventKind.NOTIFICATION_SENT, data: Any = None) -> None:
        head = self.requests.records[request_id(number)].head
        assert head is not None
        self._keep(note(head, kind, data or {"to": "a@example.com"}, stamp=self._stamp))

    @property
    def _stamp(self) -> Stamp:
        return Stamp("e", self.clock.moment, "flow")

    def _keep(self, change: Change, content: Any = None) -> None:
        self.audit.add(change.event)
        before = self.requests.records.get(change.after.request_id, StoredRequest(content=content))
        self.requests.records[change.after.request_id] = replace(
            before, head=change.after, response=change.response or before.response
        )

    def seal(self, since: datetime, until: datetime, **members: Any) -> None:
        """Seal a time as the index has it, after the digest before."""
        period = Period(since, until)
        events = [one for chain in self.audit.chains.values() for one in chain]
        grown = grown_by(one for one in events if period.holds(parse_rfc3339(one["at"])))
        content = make_section(DEPLOYMENT, period, grown) if grown else None
        previous = self.seals.digests[max(self.seals.digests)]["digest"] if self.seals.digests else None
        sections = {DEPLOYMENT: sha256(content)} if content else {}
        made = make_digest(period, previous, sections, key=fingerprint(SIGNER.public), sealed_at=until) | members
        self.seals.digests[rfc3339(until)] = SIGNER.sign(made)
        if content:
            self.seals.sections[rfc3339(until)] = content

    # --- what a forger does

    def events(self, number: int) -> list[Event]:
        return self.audit.chains[request_subject(request_id(number))]

    @property
    def own(self) -> list[Event]:
        return self.audit.chains[OWN]

    def hide(self, number: int) -> None:
        """Take a chain out of the index."""
        self.audit.index = [row for row in self.audit.index if row.subject != request_subject(request_id(number))]

    def head(self, number: int, **changes: Any) -> None:
        kept = self.requests.records[request_id(number)]
        self.requests.records[request_id(number)] = replace(kept, head=replace(cast("Any", kept.head), **changes))

    # --- what verification says

    def verifier(self) -> VerifyAuditLog:
        parts: Any = self
        return VerifyAuditLog(
            audit=parts.audit,
            seals=parts.seals,
            key=parts.seals,
            requests=parts.requests,
            attachments=lambda: parts.attachments,
            deployments=parts.deployments,
            webhooks=parts.webhooks,
            clock=parts.clock,
        )

    def verified(self, since: datetime | None = None, to: datetime | None = None) -> list[Verified]:
        """Verify all of it, or a part, and return what each call says."""
        verify = self.verifier()
        begin = since or verify.beginning(DEPLOYMENT)
        wanted = Range(begin, to or self.clock.moment + timedelta(seconds=1))
        said = [verify(DEPLOYMENT, wanted, None)]
        while said[-1].next_cursor is not None:
            assert len(said) < 100, "it comes to no end"
            said.append(verify(DEPLOYMENT, wanted, said[-1].next_cursor))
        return said

    def findings(self, **wanted: Any) -> list[tuple[str, str, str]]:
        """Return kind, record, and detail of each finding, sorted and each once: several calls may come to it."""
        answers = list(self.verified(**wanted))
        assert all(len(set(said.findings)) == len(said.findings) for said in answers), "said twice in one answer"
        found = (one for said in answers for one in said.findings)
        return sorted({(one.kind, _short(one), one.detail) for one in found})


def _short(finding: LogFinding) -> str:
    """Return a finding's record, with requests and the deployment named as these tests do."""
    return finding.record.replace("request#0192f0c1-7e11-7abc-8def-00000000000", "r").replace(OWN, "own")


def rehash(events: list[Event], first: int = 0) -> None:
    """Give events from this place on the hashes that fit, as a forger would."""
    for place in range(first, len(events)):
        if place:
            events[place]["prev_hash"] = events[place - 1]["hash"]
        events[place]["hash"] = event_hash(events[place])


def webhook_record(webhook_id: str = HOOK, url: str = "https://app.example.com/") -> dict[str, Any]:
    return {"pk": {"S": OWN}, "sk": {"S": f"webhook#{webhook_id}"}, "doc": {"S": url}}


def webhook_shown(webhook_id: str = HOOK, name: str = "Jira") -> dict[str, Any]:
    return {"id": webhook_id, "name": name}


def make_place() -> Place:
    """Return a place with two sealed days and an hour that is not sealed yet.

    Requests: 1 was answered on the first day and went on on the second, 2 was opened on the first, 3 on the second, and
    4 in the last hour.
    """
    place = Place()
    place.create()
    place.change(EventKind.SETTINGS_CHANGED, {"name": "a"}, {"name": "b"})
    place.webhooks.records[HOOK] = webhook_record()
    place.change(EventKind.WEBHOOK_CREATED, None, webhook_shown(), webhook_record())
    place.ask(1)
    place.ask(2)
    place.clock.moment = NOON + timedelta(hours=1)
    place.answer(1)
    place.clock.moment = NOON + timedelta(days=1)
    place.go_on(1)
    place.ask(3)
    place.seal(NOON.replace(hour=0), MIDNIGHT)
    place.seal(MIDNIGHT, MIDNIGHT + timedelta(days=1))
    place.clock.moment = MIDNIGHT + timedelta(days=1, minutes=30)
    place.ask(4)
    place.clock.moment = MIDNIGHT + timedelta(days=1, minutes=40)
    place.go_on(4)
    return place
