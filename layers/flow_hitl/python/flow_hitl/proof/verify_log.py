"""Verifies a deployment's audit log against its hashes, its digests, and the records of its requests."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flow_hitl.audit.chain import deployment_subject, request_subject
from flow_hitl.audit.index import IndexedEvent, midnight, periods
from flow_hitl.audit.ports import AuditArchive
from flow_hitl.audit.read_audit import Range, event_place
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.cursors import decode_cursor, encode_cursor, foreign_cursor
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.ports import SealKey, SealStore
from flow_hitl.proof.verify_audit import OVERDUE, SEALED_WITHIN, LogFinding, Verifier, fingerprint, unlisted
from flow_hitl.requests.ports import RequestStore

# One call must fit well into API Gateway's timeout.
_CHAINS = 200
_DIGESTS = 40
_DAYS = 100
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Verified:
    """What one call has checked and found; `sealed`: this call or an earlier one has checked digests.

    `sealed_until` is when the last digest ends.
    """

    findings: Sequence[LogFinding]
    events: int
    chains: int
    digests: int
    sealed_until: str | None
    next_cursor: str | None
    sealed: bool


@dataclass(frozen=True)
class _Place:
    """Where a call continues.

    In the stage of digests: at the one that ends at `until`, with so many of its claims `done`. Later, `until` is the
    end of what is sealed, `after` the last event of the index, and `opened` the cursor of requests.
    """

    stage: str = "digests"
    until: str = ""
    done: int = 0
    after: tuple[str, str, int] | None = None
    opened: str | None = None


@dataclass(frozen=True)
class VerifyAuditLog:
    """Verifies all chains that grew in a time, whole.

    Sealed ones are found by their digests, so that deleting them does not hide them; the others by the index, and by
    the requests opened since.
    """

    audit: AuditArchive
    seals: SealStore
    key: SealKey
    requests: RequestStore
    deployments: DeploymentStore
    clock: Clock

    def __call__(self, deployment_id: int, wanted: Range, cursor: str | None) -> Verified:
        """Verify the next part; raises ValidationFailed for an invalid cursor."""
        return _Run(self, deployment_id, wanted).go_on(_place(cursor))


class _Run:
    """One call's work."""

    def __init__(self, parts: VerifyAuditLog, deployment_id: int, wanted: Range) -> None:
        self.parts, self.deployment_id, self.wanted = parts, deployment_id, wanted
        public_key = parts.key.public_key()
        self.keys = {fingerprint(public_key): public_key}
        self.first = parts.audit.first_events([deployment_id])[deployment_id]
        self.name = self.first.hash
        self.findings: list[LogFinding] = []
        self.events = self.chains = self.digests = 0
        self.sealed_until: str | None = None

    def go_on(self, place: _Place) -> Verified:
        left: _Place | None = place
        for stage, work in (("digests", self._digests), ("events", self._events), ("requests", self._requests)):
            if left is not None and left.stage == stage and not self._is_full:
                left = work(left)
        next_cursor = _cursor(left) if left is not None else None
        sealed = self.digests > 0 or bool(place.until)
        return Verified(
            self.findings, self.events, self.chains, self.digests, self.sealed_until, next_cursor, sealed=sealed
        )

    @property
    def _is_full(self) -> bool:
        return self.chains >= _CHAINS or self.digests >= _DIGESTS

    def _digests(self, place: _Place) -> _Place:
        """Verify the digests of the time, and their chains."""
        seals, since, to = self.parts.seals, rfc3339(self.wanted.since), rfc3339(self.wanted.to)
        sealed = place.until
        for until in seals.ends(after=_just_before(place.until) if place.until else since):
            done = place.done if until == place.until else 0
            if self._is_full:
                return _Place(until=until, done=done)
            signed = seals.digest(until) or {}
            verifier = self._digest(signed, quiet=done > 0)
            if not verifier.is_sealed(str(signed.get("digest", {}).get("from"))):
                # It is unusable.
                self.findings += verifier.finish()
                continue
            if signed["digest"]["from"] >= to:
                break
            left = self._section(verifier, signed["digest"], done)
            self.findings += verifier.finish()
            if left is not None:
                return _Place(until=until, done=left)
            self.sealed_until = sealed = until
        self._miss_the_next(sealed)
        return _Place("events", sealed)

    def _miss_the_next(self, sealed: str) -> None:
        """Note if no digest follows the last one: each day has one, even if nothing happened."""
        begin = max(self.wanted.since, midnight(self.first.at))
        last = midnight(parse_rfc3339(sealed) if sealed else begin)
        if min(self.wanted.to, self.parts.clock.now() - SEALED_WITHIN) - last >= _ONE_DAY:
            self._miss(rfc3339(last + _ONE_DAY))

    def _miss(self, until: str) -> None:
        if until not in {finding.digest for finding in self.findings}:
            self.findings.append(LogFinding("digest_missing", OVERDUE, digest=until))

    def _digest(self, signed: Mapping[str, Any], *, quiet: bool) -> Verifier:
        """Return a verifier that has checked a digest; `quiet`: an earlier call has reported its findings."""
        verifier = Verifier(self.keys, whole=True)
        digest = signed.get("digest")
        if isinstance(digest, Mapping) and digest.get("previous") is not None:
            begin = str(digest.get("from"))
            before = self.parts.seals.digest(begin)
            if before is None:
                verifier.miss(begin, f"is missing: the digest until {digest.get('until')} follows it")
            else:
                verifier.follow(before)
        verifier.digest(signed)
        if quiet:
            verifier.findings.clear()
        return verifier

    def _section(self, verifier: Verifier, digest: Mapping[str, Any], done: int) -> int | None:
        """Verify a digest's claims, as far as one call goes; return how many are done, None for all."""
        until = str(digest["until"])
        self.digests += 1
        claims = verifier.section(digest, self.name, self.parts.seals.section(self.name, until))
        part = claims[done : done + _CHAINS - self.chains]
        verifier.seal(part)
        self._read_chains(verifier, [claim.subject for claim in part])
        self.events += sum(claim.seq - claim.first + 1 for claim in part)
        if done + len(part) < len(claims):
            return done + len(part)
        # Without a valid section, nothing can be said.
        if verifier.is_sealed(digest["from"]):
            self._uncovered(verifier, digest, {claim.subject for claim in claims})
        return None

    def _uncovered(self, verifier: Verifier, digest: Mapping[str, Any], known: Set[str]) -> None:
        """Note the events of the index whose chains the digest should list and does not."""
        for period in periods(parse_rfc3339(digest["from"]), parse_rfc3339(digest["until"])):
            for event in self.parts.audit.indexed(period, self.deployment_id):
                if event.subject not in known:
                    verifier.strange(event.subject, event.seq, unlisted(rfc3339(event.at), digest["until"]))

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
        overdue = next((row for row in rows if row.at < self.parts.clock.now() - SEALED_WITHIN), None)
        if overdue:
            self._miss(rfc3339(midnight(overdue.at) + _ONE_DAY))
        firsts: dict[str, int] = {}
        for row in rows:
            firsts[row.subject] = min(row.seq, firsts.get(row.subject, row.seq))
        verifier = Verifier(self.keys, whole=True)
        self._read_chains(verifier, list(firsts), firsts, rfc3339(begin))
        self.events += len(rows)
        self.findings += verifier.finish()

    def _requests(self, place: _Place) -> _Place | None:
        """Check that each request opened since the last digest has a chain."""
        begin = self._unsealed_from(place)
        opened, cursor = self.parts.requests.opened_between(
            self.deployment_id, begin, self.wanted.to, _CHAINS, place.opened
        )
        heads = self.parts.requests.heads(opened)
        firsts = self.parts.audit.records(
            [IndexedEvent(self.deployment_id, request_subject(one), 1, begin, "") for one in heads]
        )
        there = {first["subject"] for first in firsts}
        verifier = Verifier(self.keys, whole=True)
        for request_id, head in heads.items():
            if request_subject(request_id) not in there:
                verifier.head(request_subject(request_id), head.seq, head.last_hash)
        self.findings += verifier.finish()
        return _Place("requests", place.until, opened=cursor) if cursor is not None else None

    def _read_chains(
        self,
        verifier: Verifier,
        subjects: Sequence[str],
        firsts: Mapping[str, int] | None = None,
        since: str = "",
    ) -> None:
        """Verify whole chains, and that they end as their requests or the deployment say.

        With `firsts`, chains with an earlier event since the time `since` are skipped: they were verified there.
        """
        heads = self._heads(subjects)
        for subject in subjects:
            chain = self.parts.audit.chain(subject)
            if firsts and any(since <= str(one["at"]) and one["seq"] < firsts[subject] for one in chain):
                continue
            self.chains += 1
            for record in chain:
                verifier.event(record)
            head = heads.get(subject)
            if head is None:
                if chain:
                    verifier.strange(subject, int(chain[0]["seq"]), "belongs to a request that does not exist")
                continue
            if chain and chain[-1]["seq"] > head[0]:
                # It may have grown since the heads were read.
                head = self._heads([subject])[subject]
            verifier.head(subject, *head)

    def _heads(self, subjects: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Return the last `seq` and hash of each chain, as recorded outside of the log."""
        own = deployment_subject(self.deployment_id)
        ids = [subject.removeprefix("request#") for subject in subjects if re.fullmatch("request#.+", subject)]
        heads = {
            request_subject(request_id): (head.seq, head.last_hash)
            for request_id, head in self.parts.requests.heads(ids).items()
            if head.deployment_id == self.deployment_id
        }
        if own in subjects:
            deployment = self.parts.deployments.load(self.deployment_id)
            heads[own] = deployment.audit_seq, deployment.audit_hash
        return heads


def _just_before(until: str) -> str:
    """Return the time right before the end of a digest."""
    return rfc3339(parse_rfc3339(until) - timedelta(seconds=1))


def _cursor(place: _Place) -> str:
    return encode_cursor([place.stage, place.until, place.done, place.after, place.opened])


def _place(cursor: str | None) -> _Place:
    if cursor is None:
        return _Place()
    try:
        match decode_cursor(cursor):
            case ["digests" | "events" | "requests" as stage, str(until), int(done), after, opened]:
                if until:
                    _just_before(until)
                place = (str(after[0]), *event_place(after[1], after[2])) if after is not None else None
                if place is not None:
                    parse_rfc3339(place[0])
                return _Place(stage, until, done, place, str(opened) if opened is not None else None)
    except (ValueError, OverflowError, TypeError, IndexError, KeyError):
        pass
    raise foreign_cursor()
