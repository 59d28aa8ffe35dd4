"""The audit log is sealed in time: where it is not, the seal is asked again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flow_hitl.platform.no_answer import Unknown
from flow_hitl.platform.records import dataclass
from flow_hitl.sweep.agenda import Matter, Topic
from flow_hitl.sweep.keep_agenda import Kept
from flow_hitl.sweep.ports import SealCalls, SealedTimes
from flow_hitl.sweep.unsealed import Unsealed

EVERY_DEPLOYMENT = 0


@dataclass(frozen=True)
class WatchSeal:
    sealed: Callable[[], SealedTimes]
    calls: SealCalls

    def __call__(self, unsealed: Unsealed, now: datetime) -> tuple[Kept, Unsealed | None]:
        """Look for the digest; return what came of it, and what is still to be sealed."""
        end = self.sealed().latest(unsealed.since)
        if isinstance(end, datetime):
            left = unsealed.sealed(end)
            return Kept(1), replace(left, looked_at=None, asked_at=None) if left else None
        # A bucket that does not answer is no reason to wait: neither may the seal have reached it.
        asked = unsealed.is_to_be_asked(now)
        if asked:
            self.calls.send("{}")
        why = f"audit log: {end.why}" if isinstance(end, Unknown) else "audit log"
        matter = Matter(Topic.SEAL, EVERY_DEPLOYMENT, why, unsealed.since)
        kept = Kept(1, found=(matter,)) if matter.is_late(now) else Kept(1, repaired=(matter,) if asked else ())
        return kept, replace(unsealed, looked_at=now, asked_at=now if asked else unsealed.asked_at)
