"""Verifies a deployment's audit log against its digests, its own hashes, and the records that it describes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any

from flow_hitl.audit.bound import HALF
from flow_hitl.audit.chain import EventKind, data_of, deployment_subject, request_subject
from flow_hitl.audit.index import IndexedEvent, midnight, periods
from flow_hitl.audit.ports import AuditArchive, AuditRecord
from flow_hitl.audit.read_audit import Range, event_place
from flow_hitl.deployments.deployment import Deployment, configuration_digest
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.platform.digests import digest
from flow_hitl.platform.errors import NotAsLogged, NotFound
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.known_actors import KnownActors
from flow_hitl.proof.ports import OVERLAID, SealKey, SealStore
from flow_hitl.proof.verify_audit import (
    OVERDUE,
    SEALED_WITHIN,
    Claim,
    LogFinding,
    Verifier,
    end_of_day,
    pem,
    printable,
    unlisted,
)
from flow_hitl.requests.bound import StoredRequest, mismatches
from flow_hitl.requests.ports import AttachmentStore, RequestStore
from flow_hitl.requests.request import Head
from flow_hitl.webhooks.ports import WebhookStore

# One call does as much as fits well into the time that API Gateway waits.
_CHAINS = 200
_DIGESTS = 40
_DAYS = 100
_LONGEST_NAME = 1000


@dataclass(frozen=True)
class Verified:
    """What one call has checked and found.

    `unsealed` counts the events that no digest covers yet, `erased` the contents that were erased. `sealed`: this call
    or an earlier one has checked digests.
    """

    findings: Sequence[LogFinding]
    events: int
    chains: int
    digests: int
    unsealed: int
    sealed_until: str | None
    next_cursor: str | None
    sealed: bool
    erased: int = 0


@dataclass(frozen=True)
class _Place:
    """Where a call continues.

    `until` is the end of what was found sealed. In stage "digests", it continues at the digest `at`, of whose claims
    `done` are checked; then after the event `after` of the index, then with the requests at the cursor `opened`.
    """

    stage: str = "begin"
    until: str = ""
    at: str = ""
    done: int = 0
    after: tuple[str, str, int] | None = None
    opened: str | None = None


@dataclass(frozen=True)
class VerifyAuditLog:
    """Verifies whole chains: those that grew in a time, and the deployment's own.

    The digests and the requests' own records say what is sealed, each checked against the other, so that nothing can
    hide by being deleted, or by being hidden from the index. The index finds only what is not sealed yet.
    """

    audit: AuditArchive
    seals: SealStore
    key: SealKey
    requests: RequestStore
    attachments: Callable[[], AttachmentStore]
    deployments: DeploymentStore
    webhooks: WebhookStore
    clock: Clock

    def beginning(self, deployment_id: int) -> datetime:
        """Return the first day of the log: that of its first digest or of the deployment's first event.

        The event alone proves nothing: a forged date would leave less to verify.
        """
        first = self.audit.first_events([deployment_id]).get(deployment_id)
        moments = [first.at] if first is not None and first.at <= self.clock.now() else []
        end = next(self.seals.ends(), None)
        digest = (self.seals.digest(end) or {}).get("digest") if end is not None else None
        with suppress(KeyError, TypeError, ValueError):
            moments += [parse_rfc3339(digest["from"])] if digest else []
        return midnight(min(moments, default=self.clock.now() - timedelta(days=1)))

    def __call__(self, deployment_id: int, wanted: Range, cursor: str | None) -> Verified:
        """Verify the next part; raises ValidationFailed for an invalid cursor."""
        run = _Run(self, deployment_id, wanted)
        return run.go_on(_place(cursor))


class _Run:
    """One call's work."""

    def __init__(self, parts: VerifyAuditLog, deployment_id: int, wanted: Range) -> None:
        self.parts, self.deployment_id, self.wanted = parts, deployment_id, wanted
        self.trusted = parts.key.trusted()
        self.now = parts.clock.now()
        self.own = deployment_subject(deployment_id)
        self.findings: list[LogFinding] = []
        self.events = self.chains = self.digests = self.unsealed = 0
        self.erased: set[str] = set()
        self.sealed_until: str | None = None
        self.sections: dict[str, tuple[str, Mapping[str, Claim]]] = {}
        self.read: set[str] = set()
        self.not_sealed_from = "~"
        self.published: set[str] = set()
        self.unsigned: set[str] = set()

    def go_on(self, place: _Place) -> Verified:
        left: _Place | None = place
        stages = (
            ("begin", self._configuration),
            ("digests", self._digests),
            ("events", self._events),
            ("requests", self._requests),
        )
        for stage, work in stages:
            if left is not None and left.stage == stage and not self._is_full:
                left = work(left)
        return Verified(
            # A chain is read once for each digest that lists it.
            list(dict.fromkeys(self.findings)),
            self.events,
            self.chains,
            self.digests,
            self.unsealed,
            self.sealed_until,
            _cursor(left) if left is not None else None,
            sealed=self.digests > 0 or bool(place.until),
            erased=len(self.erased),
        )

    @property
    def _is_full(self) -> bool:
        return self.chains >= _CHAINS or self.digests >= _DIGESTS

    def _verifier(self) -> Verifier:
        keys = self.trusted
        return Verifier(keys.keys, keys.retired, whole=True, now=rfc3339(self.now + timedelta(seconds=1)))

    # --- the deployment itself

    @cached_property
    def _own_chain(self) -> Sequence[AuditRecord]:
        return self.parts.audit.chain(self.own)

    @cached_property
    def _deployment(self) -> Deployment | None:
        try:
            return self.parts.deployments.load(self.deployment_id)
        except (NotAsLogged, NotFound):
            return None

    def _configuration(self, _: _Place) -> _Place:
        """Check the deployment's configuration and webhooks against its own chain, whatever the time."""
        verifier, chain, deployment = self._verifier(), self._own_chain, self._deployment
        _check_events(verifier, self.own, chain)
        if deployment is not None:
            verifier.head(self.own, deployment.audit_seq, deployment.audit_hash)
        if chain:
            bound = data_of(chain[-1]).get("configuration_sha256")
            if deployment is None:
                verifier.changed(
                    self.own, chain[-1]["seq"], "describes a configuration that is missing or cannot be read"
                )
            elif chain[-1]["seq"] == deployment.audit_seq and (
                bound not in (None, configuration_digest(deployment))
                or (deployment.audit_at is not None and rfc3339(deployment.audit_at) != chain[-1]["at"])
            ):
                detail = "does not match the stored configuration"
                verifier.changed(self.own, chain[-1]["seq"], detail)
            for seq, detail in self._changed_webhooks():
                verifier.changed(self.own, seq, detail)
            for detail in self.parts.deployments.strange(self.deployment_id):
                verifier.changed(self.own, chain[-1]["seq"], detail)
        self.findings += verifier.finish()
        return _Place("digests")

    def _changed_webhooks(self) -> Iterator[tuple[int, str]]:
        """Yield the events that do not match a stored webhook, or the event before, by position, with what is wrong."""
        said: dict[str, tuple[int, str]] = {}
        left: dict[str, Mapping[str, Any]] = {}
        for event in self._own_chain:
            data = data_of(event)
            named = data.get("after") or data.get("before")
            if str(event.get("kind")) in _WEBHOOK_EVENTS and isinstance(named, Mapping):
                bound = data.get("record_sha256", _UNBOUND) if data.get("after") else _NONE
                webhook_id, before, after = str(named.get("id")), data.get("before"), data.get("after")
                said[webhook_id] = event["seq"], bound
                if isinstance(before, Mapping) and _contradicts(before, left.get(webhook_id, before)):
                    yield event["seq"], f"followed on another state of the webhook {webhook_id} than was left before"
                left[webhook_id] = after if isinstance(after, Mapping) else {}
        stored = self.parts.webhooks.stored(self.deployment_id)
        for webhook_id in sorted({*said, *stored}):
            seq, bound = said.get(webhook_id, (self._own_chain[-1]["seq"], _NONE))
            there = _digest_of(stored[webhook_id]) if webhook_id in stored else _NONE
            if bound not in (there, _UNBOUND):
                yield seq, f"does not match the stored webhook {webhook_id}"

    # --- what is sealed

    def _digests(self, place: _Place) -> _Place:
        """Verify the digests of the time, and their chains."""
        seals, since, to = self.parts.seals, rfc3339(self.wanted.since), rfc3339(self.wanted.to)
        sealed = place.until
        for until in seals.ends(after=_just_before(place.at) if place.at else since):
            done = place.done if until == place.at else 0
            if self._is_full:
                return _Place("digests", sealed, until, done)
            signed = seals.digest(until) or {}
            verifier = self._digest(until, signed, quiet=done > 0)
            digest = signed.get("digest")
            if not (isinstance(digest, Mapping) and verifier.is_sealed(str(digest.get("from")))):
                # It is none, or was changed beyond use.
                self.findings += verifier.finish()
                continue
            if digest["from"] >= to:
                break
            left = self._section(verifier, digest, done)
            self.findings += verifier.finish()
            if left is not None:
                return _Place("digests", sealed, until, left)
            # One that ends at no time has its finding, and seals nothing.
            with suppress(ValueError):
                parse_rfc3339(until)
                self.sealed_until = sealed = until
        self._miss_the_next(sealed)
        return _Place("events", sealed)

    def _miss_the_next(self, sealed: str) -> None:
        """Note if no digest follows the last one: each day has one, even if nothing happened."""
        begin = sealed or rfc3339(max(self.wanted.since, self.parts.beginning(self.deployment_id)))
        until = end_of_day(begin)
        if until <= rfc3339(min(self.wanted.to, self.now - SEALED_WITHIN)):
            self._miss(until)

    def _miss(self, until: str) -> None:
        if until not in {finding.digest for finding in self.findings}:
            self.findings.append(LogFinding("digest_missing", OVERDUE, digest=until))

    def _digest(self, until: str, signed: Mapping[str, Any], *, quiet: bool) -> Verifier:
        """Return a verifier that has checked a digest; `quiet`: an earlier call has reported its findings."""
        verifier = self._verifier()
        digest = signed.get("digest")
        if isinstance(digest, Mapping) and digest.get("previous") is not None:
            begin = str(digest.get("from"))
            before = (self.parts.seals.digest(begin) if _is_moment(begin) else None) or {}
            if self._verifier().digest(before, named=begin):
                verifier.follow(before)
            else:
                verifier.miss(begin, f"is missing: the digest until {until} follows it")
        elif isinstance(digest, Mapping) and until != next(self.parts.seals.ends(), until):
            verifier.miss(str(digest.get("from")), f"is missing: the digest until {until} is not the first")
        verifier.digest(signed, named=until)
        if any(finding.digest == until and finding.kind == "digest_invalid" for finding in verifier.findings):
            # Its period may be any, such as the last two thousand years.
            self.unsigned.add(until)
        if signed.get(OVERLAID):
            detail = "was deleted, or others were laid over it: the first one is verified here"
            verifier.findings.append(LogFinding("digest_invalid", detail, digest=until))
        if quiet:
            verifier.findings.clear()
        elif isinstance(digest, Mapping):
            self._check_published(verifier, str(digest.get("key")))
        return verifier

    def _check_published(self, verifier: Verifier, name: str) -> None:
        """Check, once, that the key that is published next to the digests is the one that they name."""
        if name in self.trusted.keys and name not in self.published:
            self.published.add(name)
            if self.parts.seals.public_key(name) != pem(self.trusted.keys[name]).encode():
                detail = "is missing, or is not the key that signed the digests"
                verifier.findings.append(LogFinding("file_changed", detail, file=f"keys/{name}.pem"))

    def _section(self, verifier: Verifier, digest: Mapping[str, Any], done: int) -> int | None:
        """Verify a digest's claims, as far as one call goes; return how many are done, None for all."""
        until = str(digest["until"])
        self.digests += 1
        content = self.parts.seals.section(self.deployment_id, until)
        claims = verifier.section(digest, self.deployment_id, content)
        part = claims[done : done + _CHAINS - self.chains]
        verifier.seal(part)
        self._read_chains(verifier, [claim.subject for claim in part])
        self.events += sum(claim.seq - claim.first + 1 for claim in part)
        if done + len(part) < len(claims):
            return done + len(part)
        if until not in self.unsigned and verifier.is_sealed(digest["from"]):
            self._uncovered(verifier, digest, {claim.subject for claim in claims})
        return None

    def _uncovered(self, verifier: Verifier, digest: Mapping[str, Any], known: Set[str]) -> None:
        """Note the events of the index whose chains the digest should list and does not."""
        for period in periods(parse_rfc3339(digest["from"]), parse_rfc3339(digest["until"])):
            for event in self.parts.audit.indexed(period, self.deployment_id):
                if event.subject not in known:
                    verifier.strange(event.subject, event.seq, unlisted(rfc3339(event.at), digest["until"]))

    # --- what is not sealed yet

    def _events(self, place: _Place) -> _Place:
        """Verify the chains that grew since the last digest."""
        begin = self._unsealed_from(place)
        since, after = begin, None
        if place.after is not None:
            at, subject, seq = place.after
            since = max(begin, parse_rfc3339(at))
            after = IndexedEvent(self.deployment_id, subject, seq, parse_rfc3339(at), "")
        for number, period in enumerate(periods(since, self.wanted.to)):
            if number == _DAYS:
                return _Place("events", place.until, after=(rfc3339(period.since), "", 0))
            indexed = self.parts.audit.indexed(period, self.deployment_id, after, ahead=_CHAINS)
            while rows := list(islice(indexed, _CHAINS)):
                self._grown(rows, begin)
                if self._is_full:
                    last = rows[-1]
                    return _Place("events", place.until, after=(rfc3339(last.at), last.subject, last.seq))
            after = None
        return _Place("requests", place.until)

    def _unsealed_from(self, place: _Place) -> datetime:
        return max(self.wanted.since, parse_rfc3339(place.until)) if place.until else self.wanted.since

    def _grown(self, rows: Sequence[IndexedEvent], begin: datetime) -> None:
        """Verify the chains of these rows, each once: at its first event since the last digest."""
        overdue = next((row for row in rows if row.at < self.now - SEALED_WITHIN), None)
        if overdue:
            self._miss(end_of_day(rfc3339(overdue.at)))
        firsts: dict[str, int] = {}
        for row in rows:
            firsts[row.subject] = min(row.seq, firsts.get(row.subject, row.seq))
        verifier = self._verifier()
        self._read_chains(verifier, list(firsts), firsts, rfc3339(begin))
        self.events += len(rows)
        self.unsealed += len(rows)
        self.findings += verifier.finish()

    # --- what the requests' own records say

    def _requests(self, place: _Place) -> _Place | None:
        """Check each request opened in the time against the digests: they must list its chain."""
        opened, cursor = self.parts.requests.opened_between(
            self.deployment_id, self.wanted.since, self.wanted.to, _CHAINS, place.opened
        )
        verifier, fresh = self._verifier(), []
        # The oldest first: where it is not sealed, none of the others is looked up.
        for request_id, stored in self.parts.requests.stored(opened[::-1], whole=False).items():
            subject, head = request_subject(request_id), stored.head
            if head is None:
                verifier.changed(subject, 1, "belongs to a request whose record cannot be read")
            elif not self._is_claimed(verifier, subject, head) and subject not in self.read:
                fresh.append(subject)
        self._read_chains(verifier, fresh)
        self.findings += [one for one in verifier.finish() if one not in self.findings]
        return _Place("requests", place.until, opened=cursor) if cursor is not None else None

    def _is_claimed(self, verifier: Verifier, subject: str, head: Head) -> bool:
        """Check a request's record against the digests of its first and last event; return whether they cover it."""
        last_at = head.last_event_at or head.created_at
        for moment, seq, last_hash in ((head.created_at, 1, None), (last_at, head.seq, head.last_hash)):
            until, claims = self._sealed(rfc3339(moment))
            if until is None:
                return False
            claim = claims.get(subject)
            if claim is None or not claim.first <= seq <= claim.seq:
                verifier.strange(subject, seq, unlisted(rfc3339(moment), until))
            elif last_hash is not None and (claim.seq, claim.hash) != (seq, last_hash):
                verifier.changed(subject, seq, f"is not the last event that the digest until {until} lists")
        return True

    def _sealed(self, moment: str) -> tuple[str | None, Mapping[str, Claim]]:
        """Return the end of the digest that covers a time, and its claims by chain; None if none does."""
        for until, (since, claims) in self.sections.items():
            if since <= moment < until:
                return until, claims
        if moment >= self.not_sealed_from:
            return None, {}
        until = next(self.parts.seals.ends(after=moment), "")
        if not until:
            # Nor is anything later, which spares a listing for each request.
            self.not_sealed_from = moment
        signed = self.parts.seals.digest(until) if until else None
        if signed is None:
            return None, {}
        verifier = self._digest(until, signed, quiet=True)
        if not verifier.is_sealed(moment):
            return None, {}
        content = self.parts.seals.section(self.deployment_id, until)
        claims = {claim.subject: claim for claim in verifier.section(signed["digest"], self.deployment_id, content)}
        self.sections[until] = signed["digest"]["from"], claims
        return until, claims

    # --- chains

    def _read_chains(
        self,
        verifier: Verifier,
        subjects: Sequence[str],
        firsts: Mapping[str, int] | None = None,
        since: str = "",
    ) -> None:
        """Verify whole chains, and that the records of their requests match them.

        With `firsts`, a chain with an earlier event since `since` is skipped: it was verified there.
        """
        stored = self.parts.requests.stored([_request_id(one) for one in subjects if _request_id(one)])
        for subject in subjects:
            chain = self._own_chain if subject == self.own else self.parts.audit.chain(subject)
            if firsts and any(since <= str(one["at"]) and one["seq"] < firsts[subject] for one in chain):
                continue
            self.chains += 1
            self.read.add(subject)
            if any(one.get("kind") == EventKind.CONTENT_ERASED.value for one in chain):
                self.erased.add(subject)
            _check_events(verifier, subject, chain)
            if subject != self.own:
                self._hold_against_records(verifier, subject, chain, stored.get(_request_id(subject)))
            elif self._deployment is not None:
                verifier.head(subject, self._deployment.audit_seq, self._deployment.audit_hash)

    def _hold_against_records(
        self, verifier: Verifier, subject: str, chain: Sequence[AuditRecord], stored: StoredRequest | None
    ) -> None:
        if stored and stored.head and chain and chain[-1]["seq"] > stored.head.seq:
            # Something may have happened since the records were read.
            stored = self.parts.requests.stored([_request_id(subject)])[_request_id(subject)]
        if stored is None or (stored.head is None and not stored.unreadable):
            if chain:
                verifier.strange(subject, int(chain[0]["seq"]), "belongs to a request that does not exist")
            return
        head = stored.head
        if head is not None and head.deployment_id == self.deployment_id:
            verifier.head(subject, head.seq, head.last_hash)
        elif head is not None and chain:
            verifier.strange(subject, int(chain[0]["seq"]), f"belongs to a request of deployment {head.deployment_id}")
        if not chain:
            return
        for found in mismatches(stored, chain):
            verifier.changed(subject, found.seq, found.detail)
        for event in chain:
            if not self._could(event):
                detail = f"was done by {printable(str(event['actor']))}, who by the log could not do it then"
                verifier.changed(subject, int(event["seq"]), detail)
        for one in stored.content.attachments if stored.content else ():
            if not self.parts.attachments().is_kept(_request_id(subject), one):
                detail = f"is of a request whose attachment {one.sha256} is missing, or was changed"
                verifier.changed(subject, int(chain[0]["seq"]), detail)
        said = data_of(chain[0]).get("configuration")
        if isinstance(said, Mapping) and not self._was_configured(said):
            verifier.changed(subject, int(chain[0]["seq"]), "names a configuration that the deployment never had")

    @cached_property
    def _known_actors(self) -> KnownActors:
        return KnownActors(self._own_chain, self._creator)

    @cached_property
    def _known_now(self) -> KnownActors:
        return KnownActors(self.parts.audit.chain(self.own), self._creator)

    @property
    def _creator(self) -> str | None:
        return self._deployment.creator_email if self._deployment else None

    def _could(self, event: AuditRecord) -> bool:
        # They may have got the right since the chain was read.
        return self._known_actors.may(event) or self._known_now.may(event)

    def _was_configured(self, said: Mapping[str, Any]) -> bool:
        def is_named(event: AuditRecord) -> bool:
            left, found = data_of(event).get("configuration_sha256"), said.get("state")
            # Events of before do not say what they left, or found.
            is_found = left is None or found is None or str(left)[:HALF] == found
            return is_found and (event["seq"], event["hash"]) == (said.get("seq"), said.get("hash"))

        if said.get("seq") == 0 or any(map(is_named, self._own_chain)):
            return True
        # It may have changed since the chain was read.
        return any(map(is_named, self.parts.audit.chain(self.own)))


# For a webhook that does not exist, for an event from before webhooks were bound, and for what no JSON holds.
_NONE, _UNBOUND, _UNREADABLE = "", "?", "!"
_WEBHOOK_EVENTS = frozenset(
    kind.value
    for kind in (
        EventKind.WEBHOOK_CREATED,
        EventKind.WEBHOOK_CHANGED,
        EventKind.WEBHOOK_SECRET_ROTATED,
        EventKind.WEBHOOK_DELETED,
    )
)


def _contradicts(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return any(one[name] != other[name] for name in one.keys() & other.keys())


def _digest_of(record: Mapping[str, Any]) -> str:
    try:
        return digest(record)
    except (ValueError, TypeError):
        return _UNREADABLE


def _check_events(verifier: Verifier, subject: str, chain: Sequence[AuditRecord]) -> None:
    for record in chain:
        verifier.event(record)
        for detail in record.get("misfiled", ()):
            verifier.changed(subject, record["seq"], detail)


def _request_id(subject: str) -> str:
    return subject.removeprefix("request#") if re.fullmatch("request#.+", subject) else ""


def _is_moment(text: str) -> bool:
    """Tell whether a digest may be named so: S3 refuses to look for other names, such as one with half a character."""
    with suppress(ValueError, OverflowError):
        return rfc3339(parse_rfc3339(text)) == text
    return False


def _just_before(until: str) -> str:
    """Return what `until`, also one that is no time, comes right behind among the names of digests."""
    try:
        return rfc3339(parse_rfc3339(until) - timedelta(seconds=1))
    except (ValueError, OverflowError):
        return until[:-1]


def _cursor(place: _Place) -> str:
    return encode_cursor([place.stage, place.until, place.at, place.done, place.after, place.opened])


def _place(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place()
    try:
        match decode_cursor(cursor):
            case ["digests" | "events" | "requests" as stage, str(until), str(at), int(done), after, opened]:
                if until:
                    parse_rfc3339(until)
                # As long as S3 takes a name, and such as it takes.
                if len(at.encode()) > _LONGEST_NAME or not at.isprintable():
                    raise foreign_cursor()
                place = (str(after[0]), *event_place(after[1], after[2])) if after is not None else None
                if place is not None:
                    parse_rfc3339(place[0])
                return _Place(stage, until, at, done, place, str(opened) if opened is not None else None)
    except (ValueError, OverflowError, TypeError, IndexError, KeyError):
        pass
    raise foreign_cursor()
