"""Digests of the audit log: each chain's events by the end of a period, in the format that `verify_audit.py` has."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flow_hitl.audit.index import IndexedEvent, Period
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.times import rfc3339
from flow_hitl.proof.verify_audit import DIGEST_FORMAT, SECTION_FORMAT, digest_hash


def make_section(deployment_id: int, name: str, period: Period, events: Iterable[IndexedEvent]) -> bytes:
    """Return a deployment's section: the first and last event of each chain that grew in the period.

    `name` is the hash of the first event of the deployment's own chain. The same events give the same bytes.
    """
    first: dict[str, int] = {}
    last: dict[str, IndexedEvent] = {}
    for event in events:
        first[event.subject] = min(event.seq, first.get(event.subject, event.seq))
        if event.subject not in last or event.seq > last[event.subject].seq:
            last[event.subject] = event
    header = {
        "format": SECTION_FORMAT,
        "deployment_id": deployment_id,
        "deployment": name,
        "from": rfc3339(period.since),
        "until": rfc3339(period.until),
    }
    lines: list[dict[str, Any]] = [header]
    for subject, event in sorted(last.items()):
        lines.append({"subject": subject, "first": first[subject], "seq": event.seq, "hash": event.hash})
    return "".join(f"{canonical_json(line)}\n" for line in lines).encode()


def make_digest(
    period: Period,
    previous: Mapping[str, Any] | None,
    sections: Mapping[str, str],
    *,
    key: str,
    sealed_at: datetime,
) -> dict[str, Any]:
    """Return the digest of a period, to be signed with the key of this fingerprint.

    `sections` has the SHA-256 of each section, by the deployment's name.
    """
    return {
        "format": DIGEST_FORMAT,
        "from": rfc3339(period.since),
        "until": rfc3339(period.until),
        "previous": digest_hash(previous) if previous is not None else None,
        "key": key,
        "sealed_at": rfc3339(sealed_at),
        "deployments": dict(sections),
    }
