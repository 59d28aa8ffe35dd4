"""Seals the audit log day by day: digests of all chains are signed and stored where no one can change them."""

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

# Longer than any function that may still write an event of the previous day runs, and than the index lags.
SETTLED_AFTER = timedelta(minutes=30)
# The last digest is searched here first, then among all.
_LATEST = timedelta(days=90)
# Ids count from 1, with gaps where a creation failed.
_FIRST_IDS = range(1, 101)
_WORK_FOR = timedelta(seconds=180)


@dataclass(frozen=True)
class SealAudit:
    """Adds the missing digests, one for each day, and never changes an existing one."""

    audit: AuditArchive
    seals: SealStore
    key: SealKey
    clock: Clock

    def daily(self) -> bool:
        """Seal all past days; return False if it must be called again because time ran out."""
        return self(midnight(self.clock.now() - SETTLED_AFTER))

    def __call__(self, until: datetime) -> bool:
        """Seal what happened before a past time (whole seconds), of which nothing may still be being written.

        Returns False if it must be called again because time ran out.
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
            # One that an earlier attempt left behind counts.
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
        """Return the day of the first event of all, which is a deployment's; None without events."""
        firsts = self.audit.first_events(_FIRST_IDS)
        return midnight(min(event.at for event in firsts.values())) if firsts else None


def _last(ends: Iterator[str]) -> str | None:
    return next(iter(deque(ends, maxlen=1)), None)
