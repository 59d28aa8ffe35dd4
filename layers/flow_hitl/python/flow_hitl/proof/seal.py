"""Digests of the audit log: what each chain had come to by the end of a period, to be signed and locked away.

What a digest and its sections look like, `verify_audit.py` says, which checks them without us.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flow_hitl.audit.index import Period
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.times import rfc3339
from flow_hitl.proof.verify_audit import DIGEST_FORMAT, SECTION_FORMAT, digest_hash


@dataclass(frozen=True)
class Grown:
    """What a chain grew by in a period: the places of its first and last event there, and the hash of the last."""

    first: int
    seq: int
    hash: str

    def and_(self, other: "Grown") -> "Grown":
        """Return what both say together."""
        last = max(self, other, key=lambda grown: grown.seq)
        return Grown(min(self.first, other.first), last.seq, last.hash)


def grown_by(events: Iterable[Mapping[str, Any]]) -> Mapping[str, Grown]:
    """Return each chain's growth by events of one period."""
    chains: dict[str, Grown] = {}
    for event in events:
        one = Grown(event["seq"], event["seq"], str(event["hash"]))
        chains[event["subject"]] = chains.get(event["subject"], one).and_(one)
    return chains


def make_section(deployment_id: int, period: Period, chains: Mapping[str, Grown]) -> bytes:
    """Return a deployment's section: each chain that grew in the period. The same chains give the same bytes."""
    header = {
        "format": SECTION_FORMAT,
        "deployment_id": deployment_id,
        "from": rfc3339(period.since),
        "until": rfc3339(period.until),
    }
    lines: list[dict[str, Any]] = [header]
    for subject, grown in sorted(chains.items()):
        lines.append({"subject": subject, "first": grown.first, "seq": grown.seq, "hash": grown.hash})
    return "".join(f"{canonical_json(line)}\n" for line in lines).encode()


def make_digest(
    period: Period,
    previous: Mapping[str, Any] | None,
    sections: Mapping[int, str],
    *,
    key: str,
    sealed_at: datetime,
) -> dict[str, Any]:
    """Return the digest of a period, still to be signed.

    `previous` is the digest before it, if there is one; `sections` are the SHA-256 of each, by the deployments' ids;
    `key` is the fingerprint of the key that will sign.
    """
    return {
        "format": DIGEST_FORMAT,
        "from": rfc3339(period.since),
        "until": rfc3339(period.until),
        "previous": digest_hash(previous) if previous is not None else None,
        "key": key,
        "sealed_at": rfc3339(sealed_at),
        "deployments": {str(deployment_id): sha256 for deployment_id, sha256 in sections.items()},
    }
