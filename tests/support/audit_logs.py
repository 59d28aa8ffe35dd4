"""A small audit log of three days, sealed day by day, that the verifier's tests then change in every way there is."""

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flow_hitl.audit.chain import CHAIN_START, AuditEvent, EventKind, deployment_subject, next_event, request_subject
from flow_hitl.audit.index import Period
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.times import parse_rfc3339
from flow_hitl.proof.seal import grown_by, make_digest, make_section
from flow_hitl.proof.verify_audit import LogFinding, Verifier, digest_message, event_hash, fingerprint, sha256

DEPLOYMENT = 456
DAY_ONE = datetime(2026, 1, 14, tzinfo=UTC)
Event = dict[str, Any]


@dataclass(frozen=True)
class Signer:
    """A key pair such as KMS keeps."""

    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    @property
    def public(self) -> bytes:
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return self.private.public_key().public_bytes(encoding, form)

    def sign(self, digest: Mapping[str, Any]) -> dict[str, Any]:
        signature = self.private.sign(digest_message(digest), ec.ECDSA(hashes.SHA256()))
        return {"digest": dict(digest), "signature": base64.b64encode(signature).decode()}


SIGNER = Signer()


@dataclass
class Log:
    """Events by their chains, the signed digests and this deployment's sections of them by their ends."""

    chains: dict[str, list[Event]]
    digests: list[dict[str, Any]]
    sections: dict[str, bytes]

    def copy(self) -> "Log":
        return copy.deepcopy(self)

    @property
    def events(self) -> list[Event]:
        return [event for chain in self.chains.values() for event in chain]

    def findings(
        self, *, heads: Mapping[str, tuple[int, str]] | None = None, keys: Sequence[bytes] = (SIGNER.public,)
    ) -> list[LogFinding]:
        """Return what the verifier finds, each chain read whole, and held against `heads` if there are any."""
        verifier = Verifier({fingerprint(key): key for key in keys}, whole=True)
        for signed in self.digests:
            verifier.digest(signed)
            digest = signed["digest"]
            verifier.seal(verifier.section(digest, DEPLOYMENT, self.sections.get(digest["until"])))
        for event in self.events:
            verifier.event(event)
        for subject, head in (heads or {}).items():
            verifier.head(subject, *head)
        return verifier.finish()

    def heads(self) -> dict[str, tuple[int, str]]:
        return {subject: (chain[-1]["seq"], chain[-1]["hash"]) for subject, chain in self.chains.items()}


def chain(subject: str, moments: Sequence[datetime]) -> list[Event]:
    """Return a chain with one event at each moment."""
    events: list[AuditEvent] = []
    for seq, at in enumerate(moments, 1):
        event = next_event(
            subject=subject,
            seq=seq,
            prev_hash=events[-1].hash if events else CHAIN_START,
            event_id=f"{subject}-{seq}",
            kind=EventKind.NOTIFICATION_SENT,
            at=at,
            actor="flow-hitl",
            data={"to": "a@example.com", "number": seq},
        )
        events.append(event)
    return [as_json(event) for event in events]


def make_log(days: int = 3) -> Log:
    """Return a log of which the last day is not sealed; one chain goes on through all days, others begin in each."""
    hours = [DAY_ONE + timedelta(hours=hour) for hour in range(1, 24 * days, 7)]
    subjects = {deployment_subject(DEPLOYMENT): hours[:2], request_subject("r0"): hours}
    for day in range(days):
        begin = DAY_ONE + timedelta(days=day, hours=3)
        subjects[request_subject(f"r{day + 1}")] = [begin + timedelta(minutes=minute) for minute in range(4)]
    chains = {subject: chain(subject, moments) for subject, moments in subjects.items()}
    log = Log(chains, [], {})
    seal(log, days - 1)
    return log


def seal(log: Log, days: int) -> None:
    """Seal so many days of a log, from its beginning."""
    previous = None
    for day in range(days):
        period = Period(DAY_ONE + timedelta(days=day), DAY_ONE + timedelta(days=day + 1))
        within = grown_by(event for event in log.events if period.holds(parse_rfc3339(event["at"])))
        content = make_section(DEPLOYMENT, period, within)
        sections = {DEPLOYMENT: sha256(content), 1: sha256(b"another deployment's")}
        previous = make_digest(period, previous, sections, key=fingerprint(SIGNER.public), sealed_at=period.until)
        log.digests.append(SIGNER.sign(previous))
        log.sections[previous["until"]] = content


def rehash(events: Sequence[Event], first: int, last: int | None = None) -> None:
    """Give the events at these places of a chain the hashes that fit them, as a forger would."""
    for place in range(first, len(events) if last is None else last + 1):
        event = events[place]
        event["prev_hash"] = events[place - 1]["hash"] if place else CHAIN_START
        event["hash"] = event_hash(event)
