"""Seals the audit log hour by hour: signs how far every chain has come, and locks that away."""

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from flow_hitl.audit.chain import deployment_of, request_subject
from flow_hitl.audit.index import Period, midnight, periods
from flow_hitl.audit.ports import AuditArchive, AuditRecord
from flow_hitl.deployments.ports import DeploymentStore
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.ports import SealKey, SealStore
from flow_hitl.proof.seal import Grown, grown_by, make_digest, make_section
from flow_hitl.proof.verify_audit import Verifier, digest_message, fingerprint, sha256
from flow_hitl.requests.ports import RequestStore

# Longer than the life of any function that could still write an event of the past hour, and than the index lags.
SETTLED_AFTER = timedelta(minutes=10)
# The last digest is looked for among the latest, before it is looked for among all.
_LATEST = timedelta(days=90)
# Ids are counted from 1, and one that was never used is the trace of a creation that failed.
_FIRST_IDS = range(1, 101)
_WORK_FOR = timedelta(seconds=180)
_BATCH = 100

_Chains = dict[int, dict[str, Grown]]


@dataclass(frozen=True)
class SealAudit:
    """Adds the missing digests: one for each hour with events, and one at the end of each day.

    Existing digests stay: repeating it does no harm. The index and the requests' own records say which chains grew, the
    events themselves how far: an event hidden from the index is not hidden from the seal.
    """

    audit: AuditArchive
    seals: SealStore
    key: SealKey
    requests: RequestStore
    deployments: DeploymentStore
    clock: Clock

    def hourly(self) -> bool:
        """Seal all past hours; return False if time ran out before the work was done."""
        settled = self.clock.now() - SETTLED_AFTER
        return self(settled.replace(minute=0, second=0, microsecond=0), sparingly=True)

    def __call__(self, until: datetime, *, sparingly: bool = False) -> bool:
        """Seal what happened before a time (whole seconds, not in the future) that nothing writes to any more.

        With `sparingly`, hours without events wait for the next digest. Returns False if time ran out before the work
        was done, and it must be called again.
        """
        stop_at, until = self.clock.now() + _WORK_FOR, min(until, self.clock.now().replace(microsecond=0))
        previous = self._latest()
        since = parse_rfc3339(previous["until"]) if previous is not None else self._beginning()
        if since is None:
            return True
        for period in periods(since, until):
            if self.clock.now() >= stop_at:
                return False
            previous = self._seal(period, previous, sparingly=sparingly)
        return True

    def _seal(self, period: Period, previous: Mapping[str, Any] | None, *, sparingly: bool) -> Mapping[str, Any] | None:
        chains = self._grown(period)
        if sparingly and not chains and period.until != midnight(period.until):
            # The next digest begins where the last one ended: this hour is in it.
            return previous
        public_key, until = self.key.public_key(), rfc3339(period.until)
        key = fingerprint(public_key)
        if previous is None or previous["key"] != key:
            self.seals.add_public_key(public_key)
        sections = {}
        for deployment_id, grown in sorted(chains.items()):
            content = make_section(deployment_id, period, grown)
            # One that an earlier try left behind is the one that counts.
            sections[deployment_id] = sha256(self.seals.add_section(deployment_id, until, content))
        digest = make_digest(period, previous, sections, key=key, sealed_at=self.clock.now())
        signature = base64.b64encode(self.key.sign(digest_message(digest))).decode()
        stands = self.seals.add_digest({"digest": digest, "signature": signature})
        # What was put in its place is no digest: the next one follows ours.
        found: Mapping[str, Any] = stands.get("digest", digest)
        return found

    # --- which chains grew

    def _grown(self, period: Period) -> _Chains:
        chains: _Chains = {}
        rows = self.audit.indexed(period)
        while batch := list(islice(rows, _BATCH)):
            rows_of = {(row.subject, row.seq): row.deployment_id for row in batch}
            for record in self.audit.records(batch):
                # Whatever the index says, an event belongs to the deployment that it names.
                named = deployment_of(record)
                indexed = rows_of[record["subject"], record["seq"]]
                own = chains.setdefault(indexed if named is None else named, {})
                for subject, grown in grown_by([record]).items():
                    own[subject] = own.get(subject, grown).and_(grown)
        for deployment_id in self.deployments.list_ids():
            known = chains.get(deployment_id, {})
            for request_id in self._touched(deployment_id, period):
                subject = request_subject(request_id)
                if subject not in known:
                    chain = self.audit.chain(subject)
                    found = grown_by(event for event in chain if _is_within(event, period))
                    if found:
                        chains.setdefault(deployment_id, {}).update(found)
        return chains

    def _touched(self, deployment_id: int, period: Period) -> Iterator[str]:
        """Yield the requests opened or decided in a period, by their own records."""
        for page in (self.requests.opened_between, self.requests.decided_between):
            cursor = None
            while True:
                found, cursor = page(deployment_id, period.since, period.until, _BATCH, cursor)
                yield from found
                if cursor is None:
                    break

    # --- where to begin

    def _latest(self) -> Mapping[str, Any] | None:
        """Return the latest digest that is our own, whatever others have put beside or over it."""
        now = rfc3339(self.clock.now())
        for since in (rfc3339(self.clock.now() - _LATEST), ""):
            for until in reversed([end for end in self.seals.ends(after=since) if end <= now]):
                digest = self._own_digest(until)
                if digest is not None:
                    return digest
        return None

    def _own_digest(self, until: str) -> Mapping[str, Any] | None:
        trusted = self.key.trusted()
        verifier, signed = Verifier(trusted.keys, trusted.retired), self.seals.digest(until) or {}
        verifier.digest(signed, named=until)
        digest: Mapping[str, Any] | None = None if verifier.findings else signed["digest"]
        return digest

    def _beginning(self) -> datetime | None:
        """Return the day of the first event of all, a deployment's; None if there is none.

        A first event dated in the future is forged: the digests then begin the day before.
        """
        now, firsts = self.clock.now(), self.audit.first_events(_FIRST_IDS)
        if not firsts:
            return None
        return midnight(
            min((event.at for event in firsts.values() if event.at <= now), default=now - timedelta(days=1))
        )


def _is_within(event: AuditRecord, period: Period) -> bool:
    return rfc3339(period.since) <= str(event["at"]) < rfc3339(period.until)
