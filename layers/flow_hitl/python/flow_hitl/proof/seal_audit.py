"""The audit log is sealed, day by day: what every chain had come to is signed and put where nobody can change it."""

import base64
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from flow_hitl.audit.index import Period, midnight, periods
from flow_hitl.audit.ports import AuditArchive
from flow_hitl.platform.ports import Clock
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.ports import SealKey, SealStore
from flow_hitl.proof.seal import make_digest, make_section
from flow_hitl.proof.verify_audit import digest_message, fingerprint, sha256

# Longer than any function lives that could still write an event of the day before, and than the index is late.
SETTLED_AFTER = timedelta(minutes=30)
# The last digest is looked for among the latest, before it is looked for among all.
_LATEST = timedelta(days=90)
# Ids are counted from 1, and one that was never used is the trace of a creation that failed.
_FIRST_IDS = range(1, 101)
_WORK_FOR = timedelta(seconds=180)


@dataclass(frozen=True)
class SealAudit:
    """Add the digests that are missing, one for each day. What is there already stays: to do it again does no harm."""

    audit: AuditArchive
    seals: SealStore
    key: SealKey
    clock: Clock

    def daily(self) -> bool:
        """Seal all days that are over; return False if time ran out before that, and it must be called again."""
        return self(midnight(self.clock.now() - SETTLED_AFTER))

    def __call__(self, until: datetime) -> bool:
        """Seal what happened before a moment (whole seconds, not to come), of which nothing is still being written.

        Returns False if time ran out before that, and it must be called again.
        """
        stop_at, until = self.clock.now() + _WORK_FOR, min(until, self.clock.now().replace(microsecond=0))
        previous = self._latest()
        since = parse_rfc3339(previous["until"]) if previous is not None else self._beginning()
        if since is None:
            return True
        for period in periods(since, until):
            if self.clock.now() >= stop_at:
                return False
            previous = self._seal(period, previous)
        return True

    def _seal(self, period: Period, previous: Mapping[str, Any] | None) -> Mapping[str, Any]:
        public_key, until = self.key.public_key(), rfc3339(period.until)
        key = fingerprint(public_key)
        if previous is None or previous["key"] != key:
            self.seals.add_public_key(public_key)
        sections = {}
        for deployment_id, events in groupby(self.audit.indexed(period), key=lambda event: event.deployment_id):
            name = self.audit.first_events([deployment_id])[deployment_id].hash
            content = make_section(deployment_id, name, period, events)
            # One that an earlier try left behind is the one that counts.
            sections[name] = sha256(self.seals.add_section(name, until, content))
        digest = make_digest(period, previous, sections, key=key, sealed_at=self.clock.now())
        signature = base64.b64encode(self.key.sign(digest_message(digest))).decode()
        stands: Mapping[str, Any] = self.seals.add_digest({"digest": digest, "signature": signature})["digest"]
        return stands

    def _latest(self) -> Mapping[str, Any] | None:
        last = _last(self.seals.ends(after=rfc3339(self.clock.now() - _LATEST))) or _last(self.seals.ends())
        signed = self.seals.digest(last) if last is not None else None
        digest: Mapping[str, Any] | None = signed["digest"] if signed is not None else None
        return digest

    def _beginning(self) -> datetime | None:
        """Return the day of the first event of all, which is a deployment's; None where there is none."""
        firsts = self.audit.first_events(_FIRST_IDS)
        return midnight(min(event.at for event in firsts.values())) if firsts else None


def _last(ends: Iterator[str]) -> str | None:
    return next(iter(deque(ends, maxlen=1)), None)
