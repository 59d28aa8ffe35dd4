"""Verify an audit log of Flow HITL. This file stands alone: it needs only Python 3.9 or later.

    python verify_audit.py EXPORT --public-key KEY …    verify an export: the .zip, or the directory it was unpacked to
        [--deployment ID] [--from TIME] [--to TIME]     and that it is of this deployment, and covers this time
    python verify_audit.py mail COPY.eml                print the hash of an email, as in a decision's `shown`
    python verify_audit.py payload COPY.json            print the hash of a webhook's `new_request` payload

The exit code is 0 if it is proven that nothing was changed, 1 if something was (each finding is printed), and 2 if that
cannot be told: the last lines say why. KEY is a file with the public key to trust, as `aws kms get-public-key` returns
it (DER, base64, or PEM), or with several, as `GET /v1/keys` does; --public-key may be given more than once. Get them
from the service's AWS account, not from the export: whoever forges an export puts their own key inside.

The service verifies with the same functions. The format they check is defined here and nowhere else:

- An event's hash is the SHA-256 of its canonical JSON without `hash`. `prev_hash` is the hash of the previous event, or
  64 zeros for the first. `seq` counts from 1.
- Each period has a signed digest. For each deployment with events in the period, it holds the SHA-256 of a section.
  For each chain that grew, the section has the first and last `seq` in the period, and the hash of the last.
- A digest begins when the previous one ends, and holds its hash. The signature is ECDSA over P-256 with SHA-256, of
  `digest_message`.
- Each hour with events is sealed soon after, and so is each day. An event older than `SEALED_WITHIN` that no digest
  covers was left out.
- `state_before` in an event's data begins the digest of the record that the event before left: its `head_sha256` or
  `configuration_sha256`.
- A receipt in an event is a compact JWS (RFC 7515, ES256) that says what the decision before it says.
- The manifest of an export holds what was exported, the SHA-256 of every other file, and how much is in them. It is
  signed like a digest: `manifest_message`.
"""

from __future__ import annotations

import argparse
import base64
import bisect
import csv
import email
import email.policy
import hashlib
import json
import os
import re
import stat
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import IO, Any

CHAIN_START = "0" * 64
DIGEST_FORMAT = "flow-hitl/audit-digest/2"
SECTION_FORMAT = "flow-hitl/audit-section/2"
EXPORT_FORMAT = "flow-hitl/audit-export/2"
RECEIPT_TYPE = "flow-hitl-receipt+jwt"
SEALED_WITHIN = timedelta(hours=3)
OVERDUE = "is missing and long overdue"

_HASHED = ("subject", "seq", "event_id", "kind", "at", "actor", "data", "prev_hash")
_TEXTS = ("subject", "event_id", "kind", "at", "actor", "prev_hash", "hash")
_HASH = re.compile(r"[0-9a-f]{64}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
# No chain has so many events, and Python refuses to read numbers with more digits than these.
_MOST_EVENTS = 10**9
_MOST_DIGITS = 4300
# How much of a digest `state_before` has.
_HALF = 32


@dataclass(frozen=True)
class LogFinding:
    """A record that was changed; "`record` `detail`" is a sentence.

    `kind` is edited, replaced, missing, inserted, out_of_order, or record_changed (a record is not, or was not, what
    the event written with it says) for an event (`subject` and `seq`), digest_missing or digest_invalid for a digest
    (named by the end of its period), and file_changed or wrong_scope for a file of an export. Where an event was
    replaced, those from `doubtful_from` on may be forged too.
    """

    kind: str
    detail: str
    subject: str | None = None
    seq: int | None = None
    doubtful_from: int | None = None
    digest: str | None = None
    file: str | None = None

    @property
    def record(self) -> str:
        """The name of the record."""
        if self.subject is not None:
            return f"{self.subject} event {self.seq}"
        return f"digest until {self.digest}" if self.digest is not None else f"file {self.file}"

    def to_dict(self) -> dict[str, Any]:
        """Return it as the API shows it."""
        return {**asdict(self), "record": self.record}


# --- events


def canonical_json(value: Any) -> str:
    """Return a value as JSON with sorted keys, no white space, and unescaped UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_json(text: str | bytes) -> Any:
    """Return what JSON says; raises ValueError for what is none, and for what others could read otherwise.

    That is text in another encoding than UTF-8, a member twice, a number that JSON does not know or that is too large,
    and what is nested too deeply.
    """
    text = text.decode() if isinstance(text, bytes) else text
    try:
        return json.loads(text, parse_int=_number, parse_constant=_no_number, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        raise ValueError("it has a member twice")
    return found


def _number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise ValueError("it has a number with too many digits")
    return int(digits)


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


def event_hash(event: Mapping[str, Any]) -> str:
    """Return the hash that an event from the timeline, the API, or an export must have."""
    return sha256(canonical_json({name: event[name] for name in _HASHED}))


def is_intact(event: Mapping[str, Any]) -> bool:
    """Tell whether an event matches its own hash; only its chain can tell whether it was replaced."""
    return _shape_problem(event) is None and _is_hashed(event)


def _is_hashed(event: Mapping[str, Any]) -> bool:
    try:
        return event_hash(event) == str(event["hash"])
    except (ValueError, TypeError, RecursionError):
        # It holds what no event can: half a character, no number, or no end of lists.
        return False


@dataclass(frozen=True)
class Trust:
    """Public keys (DER) to trust, by fingerprint; one in `retired` only for what is not later than this time."""

    keys: Mapping[str, bytes]
    retired: Mapping[str, str] = field(default_factory=dict)

    def and_(self, other: Trust) -> Trust:
        """Return what both trust."""
        return Trust({**self.keys, **other.keys}, {**self.retired, **other.retired})


def trust(*public_keys: bytes) -> Trust:
    """Return the trust in these keys, without an end."""
    return Trust({fingerprint(key): key for key in public_keys})


@dataclass(frozen=True)
class Claim:
    """What a digest says of one chain: its period has the events `first` to `seq`, and the last has this hash."""

    subject: str
    first: int
    seq: int
    hash: str
    since: str
    until: str


@dataclass
class _Chain:
    """How far a chain was read; `sealed` is the last event that a digest confirmed, `state` the record's digest."""

    first: int
    seq: int
    hash: str
    sealed: int
    opened: Mapping[str, Any] | None = None
    decision: Mapping[str, Any] | None = None
    decided: bool = False
    state: Any = None


@dataclass
class Verifier:
    """Reads digests, then the claims of their sections, then the events of each chain in order, and collects findings.

    With `whole`, each chain must be complete from its first event. Otherwise only events from `since` (included) to
    `to` (excluded) must be there. `unsealed` counts the events that no digest covers; before the time `overdue` there
    must be none. `erased` counts the contents that the log says were erased. No event may be dated `now` or later.
    `doubts` are sentences that say what cannot be told. For the keys, see Trust.
    """

    public_keys: Mapping[str, bytes]
    retired: Mapping[str, str] = field(default_factory=dict)
    whole: bool = False
    since: str = ""
    to: str = "~"
    overdue: str = ""
    now: str = "~"
    findings: list[LogFinding] = field(default_factory=list)
    digests: int = 0
    events: int = 0
    unsealed: int = 0
    erased: int = 0
    sealed_until: str | None = None
    doubts: list[str] = field(default_factory=list)
    _known: set[LogFinding] = field(default_factory=set)
    _previous: Mapping[str, Any] | None = None
    # Where each period begins, by where it ends; the ends also in order.
    _periods: dict[str, str] = field(default_factory=dict)
    _ends: list[str] = field(default_factory=list)
    _claims: dict[str, list[Claim]] = field(default_factory=dict)
    _chains: dict[str, _Chain] = field(default_factory=dict)

    @property
    def chains(self) -> int:
        return len(self._chains)

    @property
    def begins(self) -> str:
        """When the first digest begins that was read; "~", which is after all times, without one."""
        return self._periods[self._ends[0]] if self._ends else "~"

    def follow(self, signed: Mapping[str, Any]) -> None:
        """Take the digest that the next one must follow as valid."""
        self._previous = signed["digest"]

    def digest(self, signed: Mapping[str, Any], named: str | None = None) -> bool:
        """Check the next digest: its signature, that it follows the one before, and that it ends at `named`.

        Returns whether it can be read, so that its section can be checked.
        """
        try:
            digest, signature = signed["digest"], base64.b64decode(signed["signature"], validate=True)
            since, until = str(digest["from"]), str(digest["until"])
            known = digest["format"] == DIGEST_FORMAT and isinstance(digest["deployments"], dict)
            known = known and all(map(_MOMENT.fullmatch, (since, until))) and since < until
            known = known and named in (None, until)
            message = digest_message(digest)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            unread = signed.get("digest") if isinstance(signed, dict) else None
            end = unread.get("until") if isinstance(unread, dict) else None
            self._invalid(named or str(end or "?")[:20], "cannot be read")
            return False
        self.digests += 1
        if not known:
            self._invalid(named or until, "has an unknown format, or is named for another time")
            return False
        public_key = self.public_keys.get(str(digest.get("key")))
        if public_key is None:
            self._invalid(until, f"names the key {digest.get('key')}, which is not trusted")
        elif not verify_signature(public_key, signature, message):
            self._invalid(until, "has an invalid signature")
        elif until > self.retired.get(digest["key"], "~"):
            self._invalid(until, f"is later than its key, {digest['key']}, was used")
        self._follows(digest, since, until)
        self._previous = digest
        if until not in self._periods:
            bisect.insort(self._ends, until)
        self._periods[until] = since
        self.sealed_until = max(self.sealed_until or "", until)
        return True

    def _follows(self, digest: Mapping[str, Any], since: str, until: str) -> None:
        before = self._previous
        if before is None:
            return
        if since > before["until"]:
            self.miss(since, f"is missing: the digest until {until} follows it")
        elif since < before["until"]:
            self._invalid(until, f"overlaps the digest until {before['until']}")
        elif digest.get("previous") != digest_hash(before):
            self._invalid(since, f"is not the one that the digest until {until} was chained to")

    def section(self, digest: Mapping[str, Any], deployment_id: int, content: bytes | None) -> list[Claim]:
        """Return the claims of a deployment's section of a digest; `content` is the section, None if there is none."""
        wanted, until = digest["deployments"].get(str(deployment_id)), str(digest["until"])
        if wanted is None and content is None:
            return []
        if content is None:
            self.miss(until, "lists a section for this deployment, which is missing")
        elif wanted is None or sha256(content) != wanted:
            self._invalid(until, "does not match its section for this deployment")
        else:
            try:
                return list(_claims(content, deployment_id, digest))
            except (ValueError, TypeError, KeyError):
                self._invalid(until, "has a section for this deployment that cannot be read")
        # What it sealed is unknown.
        if self._periods.pop(until, None) is not None:
            self._ends.remove(until)
        return []

    def seal(self, claims: Iterable[Claim]) -> None:
        """Check the events to come against these claims."""
        for claim in claims:
            self._claims.setdefault(claim.subject, []).append(claim)

    def event(self, event: Mapping[str, Any]) -> None:
        """Check the next event of its chain."""
        self.events += 1
        problem = _shape_problem(event)
        if problem:
            self._about("edited", str(event.get("subject")), event.get("seq"), problem)
            return
        subject, seq = event["subject"], event["seq"]
        if not _is_hashed(event):
            self._about("edited", subject, seq, "does not match its hash")
        if event["at"] >= self.now:
            self._about("edited", subject, seq, f"is dated {event['at']}, in the future")
        chain = self._chains.get(subject)
        if chain is None:
            self._begins(event)
            chain = self._chains[subject] = _Chain(seq, seq, event["hash"], 0)
        elif seq <= chain.seq:
            if seq == chain.seq:
                self._about("inserted", subject, seq, "appears twice")
            else:
                self._about("out_of_order", subject, seq, f"appears after event {chain.seq}")
            return
        elif seq > chain.seq + 1:
            self._missing(subject, chain.seq + 1, seq - 1, f"event {seq} follows event {chain.seq}")
        elif event["prev_hash"] != chain.hash:
            self._about("replaced", subject, chain.seq, f"is not the one that event {seq} was chained to")
        elif not self._follows_on_state(event["data"], chain):
            self.changed(subject, seq, f"followed on another state of its record than event {chain.seq} left")
        chain.seq, chain.hash = seq, event["hash"]
        chain.state = event["data"].get("head_sha256", event["data"].get("configuration_sha256"))
        if event["kind"] == "request_created":
            chain.opened = event["data"]
        elif event["kind"] == "request_cancelled":
            chain.decided = True
        elif event["kind"] == "response_submitted":
            chain.decision, chain.decided = event["data"], True
        elif event["kind"] == "content_erased":
            self._check_erased(event, chain)
        elif event["kind"] == "receipt_issued":
            self._check_receipt(event, chain.decision)
        self._check_claims(event, chain)

    def head(self, subject: str, seq: int, last_hash: str) -> None:
        """Check the end of a chain against the last event that its request or deployment recorded."""
        chain = self._chains.get(subject)
        if chain is None or chain.seq < seq:
            first = chain.seq + 1 if chain else 1 if self.whole else seq
            self._missing(subject, first, seq, f"{subject} should have {seq} events")
        elif chain.seq > seq:
            self.strange(subject, seq + 1, f"should not exist: {subject} should have {seq} events")
        elif chain.hash != last_hash:
            self._replaced(subject, chain, f"is not the last event that {subject} recorded")

    def miss(self, until: str, why: str) -> None:
        """Note a missing digest."""
        self.findings.append(LogFinding("digest_missing", why, digest=until))

    def changed(self, subject: str, seq: int, detail: str) -> None:
        """Note a record that no longer is what the event written with it says."""
        self._about("record_changed", subject, seq, detail)

    def strange(self, subject: str, seq: int, detail: str) -> None:
        """Note an event that should not exist."""
        self._about("inserted", subject, seq, detail)

    def finish(self) -> list[LogFinding]:
        """Return all findings, including those about claims whose events never came."""
        for subject, claims in self._claims.items():
            chain = self._chains.get(subject)
            for claim in claims:
                self._miss_claimed(claim, chain)
        self._claims.clear()
        if self.overdue and self.sealed_until and end_of_day(self.sealed_until) <= min(self.to, self.overdue):
            # Each day has a digest, even if nothing happened.
            self._miss_digest(self.sealed_until)
        return self.findings

    def is_sealed(self, moment: str) -> bool:
        """Tell whether a digest covers a time."""
        return self._period_of(moment) is not None

    def _period_of(self, moment: str) -> str | None:
        """Return the end of the period of the digest that covers a time, None without one."""
        place = bisect.bisect_right(self._ends, moment)
        until = self._ends[place] if place < len(self._ends) else None
        return until if until is not None and self._periods[until] <= moment else None

    def _begins(self, event: Mapping[str, Any]) -> None:
        subject, seq = event["subject"], event["seq"]
        if seq == 1 and event["prev_hash"] != CHAIN_START:
            self._about("replaced", subject, 1, "does not start a chain")
        if seq > 1 and self.whole:
            self._missing(subject, 1, seq - 1, f"the chain starts with event {seq}")

    def _follows_on_state(self, data: Mapping[str, Any], chain: _Chain) -> bool:
        """Tell whether an event's writer found the record as the event before left it; events of before do not say."""
        said = data.get("state_before")
        return said is None or chain.state is None or said == str(chain.state)[:_HALF]

    def _check_claims(self, event: Mapping[str, Any], chain: _Chain) -> None:
        subject, seq, at = event["subject"], event["seq"], event["at"]
        claims = self._claims.get(subject, ())
        for claim in claims:
            if claim.seq == seq:
                if claim.hash == event["hash"]:
                    chain.sealed = seq
                else:
                    self._replaced(subject, chain, f"is not the one in the digest until {claim.until}")
        until = self._period_of(at)
        if until is None:
            self.unsealed += 1
            if at < self.overdue:
                self._miss_digest(at)
        elif not any(claim.until == until and claim.first <= seq <= claim.seq for claim in claims):
            self.strange(subject, seq, unlisted(at, until))

    def _check_erased(self, event: Mapping[str, Any], chain: _Chain) -> None:
        """Check that what was erased is what the request was opened with, and that it had been decided."""
        self.erased += 1
        subject, seq, was = event["subject"], event["seq"], event["data"].get("kept_sha256")
        if chain.first == 1 and not chain.decided:
            self._about("edited", subject, seq, "erased the content of a request that was pending")
        for said in (chain.opened, chain.decision):
            if said is not None and said.get("kept_sha256", was) != was:
                self._about("edited", subject, seq, "erased another content than the one that the request had")

    def _check_receipt(self, event: Mapping[str, Any], decision: Mapping[str, Any] | None) -> None:
        """Check the receipt of a decision: its signature, and that it says what the decision said, if that was read."""
        try:
            key, signed, numbers, claims = _read_receipt(event["data"]["receipt"])
            public_key = self.public_keys.get(key)
            wanted: dict[str, Any] = {"request_id": event["subject"].partition("#")[2]}
            if decision is not None:
                responder = decision["responder"] if decision["responder_verified"] else None
                wanted |= {name: decision[name] for name in ("outcome", "responded_at")} | {"responder": responder}
            wrong = [name for name, value in wanted.items() if claims[name] != value]
            late = str(claims["responded_at"]) > self.retired.get(key, "~")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            problem = "that cannot be read"
        else:
            if public_key is None:
                problem = f"by the key {key}, which is not trusted"
            elif not _is_signed_by(public_key, numbers, signed):
                problem = "with an invalid signature"
            elif late:
                problem = f"that is later than its key, {key}, was used"
            elif wrong:
                problem = f"that says something else than the decision: {', '.join(wrong)}"
            else:
                return
        self._about("edited", event["subject"], event["seq"], f"holds a receipt {problem}")

    def _miss_digest(self, at: str) -> None:
        """Note, once, that the overdue digest of a day is missing."""
        until = end_of_day(at)
        if all(finding.digest != until for finding in self.findings):
            self.miss(until, OVERDUE)

    def _miss_claimed(self, claim: Claim, chain: _Chain | None) -> None:
        """Note the missing events of a claim, except those that may lie outside the requested range."""
        from_its_first = self.whole or claim.since >= self.since
        to_its_last = self.whole or claim.until <= self.to
        says = f"the digest until {claim.until} lists events up to {claim.seq}"
        if chain is None:
            if from_its_first and to_its_last:
                self._missing(claim.subject, claim.first, claim.seq, says)
            else:
                self._doubt_edge(claim)
            return
        if chain.first > claim.first:
            if from_its_first:
                self._missing(claim.subject, claim.first, min(chain.first - 1, claim.seq), says)
            else:
                self._doubt_edge(claim)
        if chain.seq < claim.seq:
            if to_its_last:
                self._missing(claim.subject, max(chain.seq + 1, claim.first), claim.seq, says)
            else:
                self._doubt_edge(claim)

    def _doubt_edge(self, claim: Claim) -> None:
        """Note, once, that a digest goes beyond the time, with events that may lie within it or not."""
        doubt = (
            f"The digest from {claim.since} to {claim.until} goes beyond the exported time, so that it cannot be told "
            "whether events were left out of its part. Export from and to the end of a digest, such as these."
        )
        if doubt not in self.doubts:
            self.doubts.append(doubt)

    def _replaced(self, subject: str, chain: _Chain, why: str) -> None:
        self._about("replaced", subject, chain.seq, why, max(chain.sealed + 1, chain.first))

    def _missing(self, subject: str, first: int, last: int, why: str) -> None:
        which = f", like all from {first} to {last}" if last > first else ""
        # Each event is named, up to 100 of them.
        for seq in range(first, min(last, first + 99) + 1):
            self._about("missing", subject, seq, f"is missing{which}: {why}")

    def _about(self, kind: str, subject: str, seq: Any, detail: str, doubtful_from: int | None = None) -> None:
        place = seq if isinstance(seq, int) and abs(seq) < _MOST_EVENTS else None
        finding = LogFinding(kind, detail, subject, place, doubtful_from)
        if finding not in self._known:
            self._known.add(finding)
            self.findings.append(finding)

    def _invalid(self, until: str, detail: str) -> None:
        self.findings.append(LogFinding("digest_invalid", detail, digest=until))


def unlisted(at: str, until: str) -> str:
    """Return what is wrong with an event that the digest of its day does not list."""
    return f"is dated {at}, but the digest until {until} does not list it"


def _shape_problem(event: Mapping[str, Any]) -> str | None:
    if not all(isinstance(event.get(name), str) for name in _TEXTS) or not isinstance(event.get("data"), dict):
        return "lacks a required field"
    if type(event.get("seq")) is not int or not 0 < event["seq"] < _MOST_EVENTS:
        return "has an invalid seq"
    if not _MOMENT.fullmatch(event["at"]) or not _HASH.fullmatch(event["hash"]):
        return "has an invalid time or hash"
    return None


def end_of_day(moment: str) -> str:
    """Return the end of the day of a time; an impossible date is returned as it is."""
    try:
        return f"{date.fromisoformat(moment[:10]) + timedelta(days=1)}T00:00:00Z"
    except (ValueError, OverflowError):
        return moment


def _claims(content: bytes, deployment_id: int, digest: Mapping[str, Any]) -> Iterator[Claim]:
    """Yield the claims of a section; raises ValueError, TypeError, or KeyError for what is none."""
    header, *lines = map(read_json, content.splitlines() or [b"{}"])
    period = {"from": digest["from"], "until": digest["until"]}
    if header != {"format": SECTION_FORMAT, "deployment_id": deployment_id, **period}:
        raise ValueError("it is a section of something else")
    for claimed in lines:
        claim = Claim(**claimed, since=digest["from"], until=digest["until"])
        if set(map(type, (claim.first, claim.seq))) != {int} or set(map(type, (claim.subject, claim.hash))) != {str}:
            raise ValueError("it has no claim")
        if not 0 < claim.first <= claim.seq < _MOST_EVENTS:
            raise ValueError("it has an impossible claim")
        yield claim


# --- digests


def digest_hash(digest: Mapping[str, Any]) -> str:
    """Return the hash that the next digest holds of this one."""
    return sha256(canonical_json(digest))


def digest_message(digest: Mapping[str, Any]) -> bytes:
    """Return the bytes of a digest that are signed."""
    return f"{DIGEST_FORMAT} {digest_hash(digest)}".encode()


def manifest_message(manifest: Mapping[str, Any]) -> bytes:
    """Return the bytes of an export's manifest that are signed: all but its `signature`."""
    signed = {name: value for name, value in manifest.items() if name != "signature"}
    return f"{EXPORT_FORMAT} {sha256(canonical_json(signed))}".encode()


def _read_receipt(receipt: str) -> tuple[str, bytes, tuple[int, int], Mapping[str, Any]]:
    """Return a receipt's key, what was signed, the signature's numbers, and the claims.

    Raises ValueError, KeyError, or TypeError.
    """
    signed, _, signature = receipt.rpartition(".")
    header, claims = (read_json(_from_base64url(part)) for part in signed.split("."))
    raw = _from_base64url(signature)
    if (header["alg"], header["typ"]) != ("ES256", RECEIPT_TYPE) or len(header) != 3 or len(raw) != 64:
        raise ValueError("it is not a receipt")
    return (
        str(header["kid"]),
        signed.encode(),
        (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")),
        claims,
    )


def _from_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def fingerprint(public_key: bytes) -> str:
    """Return the SHA-256 of a public key (DER), which digests and manifests name it by."""
    return sha256(public_key)


# --- ECDSA over P-256 with SHA-256: FIPS 186-5, section 6.4.2; the curve's numbers are those of SP 800-186

_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
# SubjectPublicKeyInfo of an uncompressed point of P-256, up to its coordinates: RFC 5480.
_SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")

_Point = tuple[int, int, int]
"""A point in Jacobian coordinates; Z is 0 at infinity."""


def verify_signature(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether a DER signature of a message was made with the private key of a public key (DER)."""
    numbers = signature_numbers(signature)
    return numbers is not None and _is_signed_by(public_key, numbers, message)


def _is_signed_by(public_key: bytes, numbers: tuple[int, int], message: bytes) -> bool:
    point, (r, s) = _public_point(public_key), numbers
    if point is None or not (0 < r < _N and 0 < s < _N):
        return False
    inverse = pow(s, -1, _N)
    z = int.from_bytes(hashlib.sha256(message).digest(), "big")
    x, _, scale = _sum_of_multiples(z * inverse % _N, _G, r * inverse % _N, point)
    return scale != 0 and x * pow(scale, -2, _P) % _P % _N == r


def read_public_key(text: bytes) -> bytes:
    """Return a P-256 public key as DER from DER, PEM, or the base64 that AWS prints; raises ValueError."""
    key = text
    if not text.startswith(_SPKI):
        lines = [line.strip() for line in text.decode("ascii", "replace").splitlines() if not line.startswith("-----")]
        try:
            key = base64.b64decode("".join(lines), validate=True)
        except ValueError:
            key = b""
    if _public_point(key) is None:
        raise ValueError("it is not a P-256 public key in DER, PEM, or base64")
    return key


def read_public_keys(text: bytes) -> Trust:
    """Return the keys of a JSON Web Key Set such as `GET /v1/keys`, or the one that is no JSON; raises ValueError."""
    if not text.lstrip().startswith(b"{"):
        return trust(read_public_key(text))
    keys: dict[str, bytes] = {}
    retired: dict[str, str] = {}
    try:
        for one in read_json(text)["keys"]:
            x, y = _from_base64url(one["x"]), _from_base64url(one["y"])
            if (one["kty"], one["crv"], len(x), len(y)) != ("EC", "P-256", 32, 32):
                raise ValueError
            key = read_public_key(_SPKI + x + y)
            keys[fingerprint(key)] = key
            if one.get("retired_at") is not None:
                if not _is_moment(one["retired_at"]):
                    raise ValueError
                retired[fingerprint(key)] = one["retired_at"]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("it is not a JSON Web Key Set of P-256 keys") from None
    return Trust(keys, retired)


def pem(public_key: bytes) -> str:
    """Return a public key (DER) as PEM."""
    text = base64.b64encode(public_key).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])


def _public_point(public_key: bytes) -> tuple[int, int] | None:
    if len(public_key) != len(_SPKI) + 64 or not public_key.startswith(_SPKI):
        return None
    x, y = (int.from_bytes(public_key[at : at + 32], "big") for at in (len(_SPKI), len(_SPKI) + 32))
    on_curve = x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0
    return (x, y) if on_curve else None


def signature_numbers(signature: bytes) -> tuple[int, int] | None:
    """Return r and s of a DER signature, None unless its encoding is strictly DER."""
    if len(signature) < 8 or signature[0] != 0x30 or signature[1] != len(signature) - 2:
        return None
    numbers, rest = [], signature[2:]
    for _ in range(2):
        if len(rest) < 3 or rest[0] != 0x02 or not 0 < rest[1] <= len(rest) - 2:
            return None
        octets, rest = rest[2 : 2 + rest[1]], rest[2 + rest[1] :]
        negative, padded = octets[0] & 0x80, len(octets) > 1 and octets[0] == 0 and not octets[1] & 0x80
        if negative or padded:
            return None
        numbers.append(int.from_bytes(octets, "big"))
    return None if rest else (numbers[0], numbers[1])


def _sum_of_multiples(a: int, one: tuple[int, int], b: int, other: tuple[int, int]) -> _Point:
    """Return a·one + b·other, in one pass over the bits."""
    first, second = (*one, 1), (*other, 1)
    table: list[_Point] = [(1, 1, 0), first, second, _add(first, second)]
    total: _Point = (1, 1, 0)
    for bit in range(255, -1, -1):
        total = _double(total)
        chosen = (a >> bit & 1) + 2 * (b >> bit & 1)
        if chosen:
            total = _add(total, table[chosen])
    return total


def _double(point: _Point) -> _Point:
    x, y, z = point
    if z == 0 or y == 0:
        return 1, 1, 0
    square, z2 = y * y % _P, z * z % _P
    middle = 4 * x * square % _P
    slope = 3 * (x - z2) * (x + z2) % _P
    x3 = (slope * slope - 2 * middle) % _P
    return x3, (slope * (middle - x3) - 8 * square * square) % _P, 2 * y * z % _P


def _add(one: _Point, other: _Point) -> _Point:
    x1, y1, z1 = one
    x2, y2, z2 = other
    if z1 == 0:
        return other
    if z2 == 0:
        return one
    z1s, z2s = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * z2s % _P, x2 * z1s % _P
    s1, s2 = y1 * z2s * z2 % _P, y2 * z1s * z1 % _P
    if u1 == u2:
        return _double(one) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % _P
    h3, v = h * h2 % _P, u1 * h2 % _P
    x3 = (r * r - h3 - 2 * v) % _P
    return x3, (r * (v - x3) - s1 * h3) % _P, h * z1 * z2 % _P


# --- events as rows of a table

COLUMNS = (
    "at",
    "request_id",
    "kind",
    "actor",
    "outcome",
    "feedback",
    "comment",
    "responder",
    "responder_verified",
    "responded_via",
    "source",
    "response_seconds",
    "assigned_to_email",
    "subject",
    "seq",
    "event_id",
    "prev_hash",
    "hash",
    "data",
)
_FROM_DATA = COLUMNS[4:13]
_BEGIN_FORMULAS = "=+-@\u2212"


def row_of(event: Mapping[str, Any]) -> list[str]:
    """Return an event as a row under `COLUMNS`; `data` is complete, as JSON, and most other columns are for people.

    A cell that a spreadsheet could take for a formula, or that begins with an apostrophe, gets one more apostrophe in
    front. Null characters, which older Pythons cannot read, are in `data` alone.
    """
    values = {name: event["data"].get(name) for name in _FROM_DATA}
    request_id = event["subject"][8:] if event["subject"].startswith("request#") else ""
    values |= {**event, "request_id": request_id, "data": canonical_json(event["data"])}
    return [_cell(values[name]) for name in COLUMNS]


def event_of_row(row: Sequence[str]) -> dict[str, Any]:
    """Return the event that a row was made from; raises ValueError, also if the row contradicts itself."""
    if len(row) != len(COLUMNS):
        raise ValueError("it does not have the columns of an export")
    cells = dict(zip(COLUMNS, map(_text_of, row)))  # noqa: B905 - Python 3.9
    event = {**{name: cells[name] for name in _TEXTS}, "seq": _number(cells["seq"]), "data": read_json(cells["data"])}
    if not isinstance(event["data"], dict) or list(map(_text_of, row_of(event))) != list(cells.values()):
        raise ValueError("its columns contradict its data")
    return event


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else canonical_json(value)
    text = text.replace("\0", "")
    return f"'{text}" if _may_be_formula(text) else text


def _text_of(cell: str) -> str:
    return cell[1:] if cell.startswith("'") else cell


def _may_be_formula(text: str) -> bool:
    """Tell whether a spreadsheet could take a cell for a formula, or our apostrophe for its own.

    Some read a full-width sign as the plain one, and skip spaces and invisible characters before it.
    """
    if text[:1].isalnum():
        return False
    if text.startswith(("'", "\t", "\r", "\n")):
        return True
    seen = next((char for char in text if unicodedata.category(char)[0] not in "ZCM"), "")
    return unicodedata.normalize("NFKC", seen)[:1] in tuple(_BEGIN_FORMULAS)


# --- an export

MANIFEST = "manifest.json"
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\.[a-z]{1,9}")
_KINDS = ("seals", "events", "heads", "script")
_MANIFEST_BYTES = 1 << 24
_LINE_BYTES = 1 << 24
_SECTION_BYTES = 1 << 28
_KEY_BYTES = 1 << 16
# No export of ours becomes so many times smaller in a .zip, unless it is tiny.
_MOST_TIMES_SMALLER = 200
_TINY = 1 << 26
# Of a .zip: the most that its directory may take, the field for another name, and how a size says that it is large.
_DIRECTORY_BYTES = 1 << 22
_SECOND_NAME = 0x7075
_LARGE = 0xFFFFFFFF
_MOST_STRANGE = 100
_CONTRADICTS = "its end contradicts itself"
_BROKEN = (
    OSError,
    EOFError,
    RuntimeError,
    KeyError,
    ValueError,
    OverflowError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)


class Unusable(Exception):
    """Whether anything was changed cannot be told; the message says why."""


@dataclass(frozen=True)
class Scope:
    """What an export must be of, and the time that it must cover, as far as that is given."""

    deployment_id: int | None = None
    since: str | None = None
    to: str | None = None


class _File:
    """A file of an export, of which no more than `size` bytes are read."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def blocks(self) -> Iterator[bytes]:
        while block := self._file.read(min(self._left, 1 << 20)):
            self._left -= len(block)
            yield block

    def lines(self) -> Iterator[bytes]:
        """Yield the lines; raises ValueError for one that is too long."""
        # Out of a .zip, Python reads a line some bytes further than it may, and without any limit below zero.
        while self._left > 0 and (line := self._file.readline(min(self._left, _LINE_BYTES))[: self._left]):
            self._left -= len(line)
            if len(line) >= _LINE_BYTES and not line.endswith(b"\n"):
                raise ValueError("it has a line that is too long")
            yield line


class Export:
    """The files of an export, in a .zip or a directory."""

    def __init__(self, path: str) -> None:
        """Open the export; raises Unusable."""
        self._path, self._zip = path, None
        try:
            if os.path.isfile(path) and zipfile.is_zipfile(path):  # noqa: PTH113 - as few imports as can be
                directory = _zip_directory(path)
                self._zip = zipfile.ZipFile(path)
                _check_zip(path, self._zip.infolist(), directory)
            names = self._zip.namelist() if self._zip else sorted(os.listdir(path))  # noqa: PTH208 - as above
            with self.open(MANIFEST, _MANIFEST_BYTES) as file:
                manifest = read_json(b"".join(file.blocks()))
        except (*_BROKEN, Unusable) as error:
            raise Unusable(f"{path} is not an export: its {MANIFEST} cannot be read ({error}).") from None
        if not isinstance(manifest, dict) or manifest.get("format") != EXPORT_FORMAT:
            raise Unusable(
                f"{path} is not in the format {EXPORT_FORMAT}. Export again: since then, exports are signed."
            )
        problem = _manifest_problem(manifest)
        if problem:
            raise Unusable(f"The manifest is incomplete or malformed: {problem}.")
        self.manifest: dict[str, Any] = manifest
        if self._zip and sum(map(_size, manifest["files"])) > os.path.getsize(path) * _MOST_TIMES_SMALLER + _TINY:  # noqa: PTH202
            raise Unusable(f"{path} is not an export: it would become far too large when it is unpacked.")
        named = {MANIFEST, *(file["name"] for file in manifest["files"])}
        self.strange = [name for name in names if name not in named]
        self.doubled = [name for name, number in Counter(names).items() if number > 1]

    @contextmanager
    def open(self, name: str, size: int) -> Iterator[_File]:
        """Open a plain file for reading so many bytes; raises Unusable, also while it is read."""
        try:
            with self._opened(name) as file:
                yield _File(file, size)
        except KeyError:
            raise Unusable(f"The export's file {name} is missing.") from None
        except _BROKEN as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
            raise Unusable(f"The export's file {name} cannot be read: {reason}.") from None

    def _opened(self, name: str) -> IO[bytes]:
        if self._zip:
            entry = self._zip.getinfo(name)
            plain = not stat.S_ISLNK(entry.external_attr >> 16) and not entry.is_dir()
            if not plain or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is no plain file")
            return self._zip.open(entry)
        path = f"{self._path}/{name}"
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise ValueError("it is no plain file")
        return open(path, "rb")  # noqa: PTH123

    def of_kind(self, kind: str) -> list[Mapping[str, Any]]:
        """Return what the manifest says of the files of a kind: events, seals, or heads."""
        return [file for file in self.manifest["files"] if file["kind"] == kind]


def _zip_directory(path: str) -> tuple[int, int]:
    """Return where the directory of a .zip begins, and how many files it has; raises ValueError.

    Nothing may be around the .zip, and its directory must be small: it is read as a whole.
    """
    with open(path, "rb") as file:  # noqa: PTH123 - as in Export.open
        begin = file.read(4)
        end = file.seek(0, os.SEEK_END) - 22
        file.seek(end)
        mark, *disks, here, number, size, offset, comment = struct.unpack("<4s4H2LH", file.read(22))
        if begin != b"PK\3\4" or mark != b"PK\5\6" or comment:
            raise ValueError("there is more in the file than the .zip")
        file.seek(max(end - 20, 0))
        mark, _, place, _ = struct.unpack("<4sLQL", file.read(20))
        if mark == b"PK\6\7":
            if place + 56 > end - 20:
                raise ValueError(_CONTRADICTS)
            file.seek(place)
            mark, length, _, _, *disks, here, number, size, offset = struct.unpack("<4sQ2H2L4Q", file.read(56))
            if mark != b"PK\6\6" or place + 12 + length != end - 20:
                raise ValueError(_CONTRADICTS)
            end = place
    if size > _DIRECTORY_BYTES:
        raise ValueError("it has far too many files")
    if any(disks) or here != number or offset + size != end:
        raise ValueError(_CONTRADICTS)
    return offset, number


def _check_zip(path: str, entries: Sequence[zipfile.ZipInfo], directory: tuple[int, int]) -> None:
    """Raise ValueError if readers of a .zip could find other files in it than are listed, or others could be hidden."""
    end, number = directory
    if len(entries) != number:
        raise ValueError(f"its end says {number} files, and its directory lists {len(entries)}")
    place = 0
    by_place = sorted(entries, key=lambda entry: entry.header_offset)
    with open(path, "rb") as file:  # noqa: PTH123 - as in Export.open
        for entry, behind in zip(by_place, [*(one.header_offset for one in by_place[1:]), end]):  # noqa: B905 - 3.9
            name = entry.orig_filename
            if entry.filename.encode() != name.encode() or _SECOND_NAME in _extra_kinds(entry.extra):
                raise ValueError(f"its file {name} has two names")
            file.seek(entry.header_offset)
            mark, _, flags, method, _, crc, packed, size, *lengths = struct.unpack("<4s3HL3L2H", file.read(30))
            own = (entry.compress_type, entry.CRC, entry.compress_size, entry.file_size)
            follows = flags & 8
            # Large sizes are in the extra field.
            said = (method, *((own[1:]) if follows or _LARGE in (packed, size) else (crc, packed, size)))
            if mark != b"PK\3\4" or said != own:
                raise ValueError(f"its file {name} is described in two ways")
            left = behind - (entry.header_offset + 30 + sum(lengths) + entry.compress_size)
            if entry.header_offset != place or left not in ((12, 16, 20, 24) if follows else (0,)):
                raise ValueError(f"something is hidden around its file {name}")
            place = behind


def _extra_kinds(extra: bytes) -> Iterator[int]:
    while len(extra) >= 4:
        kind, size = struct.unpack("<2H", extra[:4])
        yield kind
        extra = extra[4 + size :]


def _size(file: Mapping[str, Any]) -> int:
    return int(file["bytes"])


def _manifest_problem(manifest: Mapping[str, Any]) -> str | None:
    """Return the member of a manifest that is not as it must be."""

    def is_count(value: Any) -> bool:
        return type(value) is int and 0 <= value < 1 << 60

    def is_file(file: Any) -> bool:
        return (
            isinstance(file, dict)
            and isinstance(file.get("name"), str)
            and bool(_FILE_NAME.fullmatch(file["name"]))
            and file["name"] != MANIFEST
            and file.get("kind") in _KINDS
            and is_count(file.get("bytes"))
            and is_count(file.get("events", 0))
            and isinstance(file.get("sha256"), str)
        )

    names = ("deployment_id", "events", "digests", "unsealed_events")
    wrong = [name for name in names if not is_count(manifest.get(name))]
    wrong += [name for name in ("from", "to", "requested_at") if not _is_moment(manifest.get(name))]
    wrong += [] if manifest.get("event_format") in ("csv", "jsonl") else ["event_format"]
    files = manifest.get("files")
    if not isinstance(files, list) or not all(map(is_file, files)) or len({one["name"] for one in files}) < len(files):
        wrong.append("files")
    return f"its {wrong[0]} is not valid" if wrong else None


def _is_moment(value: Any) -> bool:
    try:
        datetime.strptime(value, _TIME)  # noqa: DTZ007 - UTC
    except (ValueError, TypeError):
        return False
    # Hours before it there must still be a calendar.
    return bool(_MOMENT.fullmatch(value)) and value >= "0001-01-02"


_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass
class _Content:
    """What the files of an export hold, to be compared with its manifest."""

    first: Mapping[str, Any] | None = None
    last: Mapping[str, Any] | None = None
    first_digest: Mapping[str, Any] | None = None
    last_digest: Mapping[str, Any] | None = None
    from_the_first: bool = False
    place: str = ""


def verify_export(export: Export, trusted: Trust | None = None, scope: Scope | None = None) -> Verifier:
    """Return the verifier that has read an export; raises Unusable.

    Without trusted keys, its own tell whether it is consistent, which proves nothing: that is a doubt.
    """
    manifest, content, own = export.manifest, _Content(), trusted or _own_keys(export.manifest)
    verifier = Verifier(own.keys, own.retired, since=manifest["from"], to=manifest["to"], overdue=_overdue(manifest))
    if trusted is None:
        verifier.doubts.append(_untrusted(", ".join(own.keys)))
    verifier.findings += _about_manifest(export, own, scope or Scope())
    try:
        verifier.findings += _changed_files(export)
        for file in export.of_kind("seals"):
            _read_seals(export, file, content, verifier)
        for file, heads in zip(export.of_kind("events"), export.of_kind("heads")):  # noqa: B905 - Python 3.9
            tails = _read_events(export, file, content, verifier)
            _read_heads(export, heads, tails, verifier)
    except Unusable as error:
        verifier.doubts.append(str(error))
        return verifier
    verifier.finish()
    verifier.findings += _miscounted(manifest, content, verifier)
    verifier.doubts += _uncovered(manifest, verifier)
    return verifier


def exit_code(verifier: Verifier) -> int:
    """Return 0 if all is proven, 1 for findings, and 2 if it cannot be told."""
    return 1 if verifier.findings else 2 if verifier.doubts else 0


def conclusion(verifier: Verifier) -> list[str]:
    """Return what was found, and what that proves, in sentences for people."""
    lines = [f"{finding.kind.upper()}: {finding.record} {finding.detail}" for finding in verifier.findings]
    if verifier.findings:
        lines.append(CHANGED)
    elif verifier.doubts:
        lines.append("No change was found, but whether anything was changed cannot be told.")
    else:
        lines.append("Nothing was changed.")
    return [printable(line) for line in (*lines, *verifier.doubts)]


def printable(text: str) -> str:
    """Return a text in one line without anything that could act on a terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _untrusted(own: str) -> str:
    return (
        f"No trusted key was given, and the key inside the export (fingerprint {own}) proves nothing by itself: get "
        "the service's own with `aws kms get-public-key --key-id KEY --query PublicKey --output text > key.txt`, and "
        "add --public-key key.txt."
    )


def _own_keys(manifest: Mapping[str, Any]) -> Trust:
    earlier = manifest.get("earlier_keys")
    texts = [manifest.get("public_key"), *(earlier if isinstance(earlier, list) else [])]
    try:
        return trust(*(read_public_key(str(text).encode(errors="replace")) for text in texts))
    except ValueError as error:
        raise Unusable(f"No trusted key was given, and the export's own cannot be used: {error}.") from None


def _overdue(manifest: Mapping[str, Any]) -> str:
    """Return the time before which everything must have been sealed when the export was requested."""
    asked_at = datetime.strptime(manifest["requested_at"], _TIME)  # noqa: DTZ007 - UTC, both
    return f"{(asked_at - SEALED_WITHIN).isoformat()}Z"


def _about_manifest(export: Export, trusted: Trust, scope: Scope) -> Iterator[LogFinding]:
    """Yield what is wrong with the manifest: its signature, its scope, and the files that it names."""
    manifest = export.manifest

    def finding(detail: str, file: str = MANIFEST, kind: str = "file_changed") -> LogFinding:
        return LogFinding(kind, detail, file=file)

    if "signature" not in manifest:
        yield finding("is not signed")
    elif (key := trusted.keys.get(str(manifest.get("key")))) is None:
        yield finding(f"names the key {manifest.get('key')}, which is not trusted")
    elif not _is_signed(manifest, key):
        yield finding("has an invalid signature")
    elif manifest["requested_at"] > trusted.retired.get(fingerprint(key), "~"):
        yield finding(f"is later than its key, {fingerprint(key)}, was used")
    since, to = manifest["from"], manifest["to"]
    if since >= to:
        yield finding(f"covers no time: it ends at {to} and begins at {since}", kind="wrong_scope")
    if scope.deployment_id not in (None, manifest["deployment_id"]):
        detail = f"is of deployment {manifest['deployment_id']}, not {scope.deployment_id}"
        yield finding(detail, kind="wrong_scope")
    if scope.since is not None and since > scope.since:
        yield finding(f"begins at {since}, after {scope.since}", kind="wrong_scope")
    if scope.to is not None and to < scope.to:
        yield finding(f"ends at {to}, before {scope.to}", kind="wrong_scope")
    for detail, names in (
        ("is not named in the manifest", export.strange),
        ("is there more than once", export.doubled),
    ):
        for name in names[:_MOST_STRANGE]:
            yield finding(detail, name)
        if more := names[_MOST_STRANGE:]:
            yield finding(f"{detail}, and so for {len(more) - 1} more files", more[0])
    kinds = [[file["name"] for file in export.of_kind(kind)] for kind in _KINDS]
    endings = ("jsonl", manifest["event_format"], "jsonl")
    wanted = [
        [f"{kind}-{number:05d}.{ending}" for number in range(1, len(names) + 1)]
        for kind, ending, names in zip(_KINDS, endings, kinds)  # noqa: B905 - Python 3.9
    ]
    if kinds[:3] != wanted or not len(kinds[1]) == len(kinds[2]) > 0:
        yield finding("does not name the files of an export")


def _is_signed(manifest: Mapping[str, Any], public_key: bytes) -> bool:
    try:
        signature = base64.b64decode(manifest["signature"], validate=True)
        return verify_signature(public_key, signature, manifest_message(manifest))
    except (ValueError, TypeError, RecursionError):
        return False


def _changed_files(export: Export) -> Iterator[LogFinding]:
    for file in export.manifest["files"]:
        digest, size = hashlib.sha256(), 0
        with export.open(file["name"], file["bytes"] + 1) as content:
            for block in content.blocks():
                digest.update(block)
                size += len(block)
        if size != file["bytes"] or digest.hexdigest() != file["sha256"]:
            yield LogFinding("file_changed", "does not match its size and SHA-256 in the manifest", file=file["name"])


def _read_seals(export: Export, file: Mapping[str, Any], content: _Content, verifier: Verifier) -> None:
    """Read a file of digests, each followed by the lines of the deployment's section."""
    name, deployment_id = file["name"], export.manifest["deployment_id"]
    digest: Mapping[str, Any] | None = None
    section: list[bytes] = []
    size = 0

    def end() -> None:
        if digest is not None:
            verifier.seal(verifier.section(digest, deployment_id, b"".join(section) if section else None))
        elif section:
            verifier.findings.append(LogFinding("file_changed", "has lines that belong to no digest", file=name))

    with export.open(name, file["bytes"]) as lines:
        for number, line in enumerate(lines.lines(), 1):
            if not line.startswith(b'{"digest":'):
                section.append(line)
                size += len(line)
                if size > _SECTION_BYTES:
                    raise ValueError("it has a section that is too large")
                continue
            end()
            digest, section, size = None, [], 0
            try:
                signed = read_json(line)
            except ValueError:
                verifier.findings.append(LogFinding("file_changed", f"has no digest on line {number}", file=name))
                continue
            if verifier.digest(signed):
                digest = signed["digest"]
                _check_place(digest, content, verifier)
        end()


def _check_place(digest: Mapping[str, Any], content: _Content, verifier: Verifier) -> None:
    """Check that a digest belongs into the exported time, and that none is missing before the first."""
    until, last = digest["until"], content.last_digest
    content.last_digest = {"until": until, "sha256": digest_hash(digest)}
    content.first_digest = content.first_digest or content.last_digest
    if until <= verifier.since or (last is not None and last["until"] >= verifier.to):
        verifier.findings.append(LogFinding("digest_invalid", "is not of the exported time", digest=until))
    content.from_the_first = content.from_the_first or digest.get("previous") is None
    if last is None and digest["from"] > verifier.since and not content.from_the_first:
        verifier.miss(digest["from"], f"is missing: the digest until {until} is not the first")


def _read_events(export: Export, file: Mapping[str, Any], content: _Content, verifier: Verifier) -> dict[str, Any]:
    """Read a file of events, which continues after the one before; return the last of each chain in it."""
    name, own, before = file["name"], f"deployment#{export.manifest['deployment_id']}", verifier.events
    tails: dict[str, Any] = {}
    with export.open(name, file["bytes"]) as lines:
        for number, event in _events(lines, name, verifier):
            verifier.event(event)
            if _shape_problem(event) is not None:
                continue
            subject, seq, at = event["subject"], event["seq"], event["at"]
            place = f"{at}#{subject}#{seq:06d}"
            if place < content.place:
                detail = f"is on line {number} of {name}, after later events"
                verifier.findings.append(LogFinding("out_of_order", detail, subject, seq))
            content.place = max(content.place, place)
            if not verifier.since <= at < verifier.to:
                verifier.strange(subject, seq, f"is dated {at}, outside of the exported time")
            if content.from_the_first and at < verifier.begins:
                verifier.strange(subject, seq, f"is dated {at}, before the first digest of all")
            if subject.startswith("deployment#") and subject != own:
                verifier.strange(subject, seq, "is of another deployment")
            content.last = {member: event[member] for member in ("at", "subject", "seq", "hash")}
            content.first = content.first or content.last
            tails[subject] = seq, event["hash"]
    if verifier.events - before != file.get("events"):
        detail = f"holds {verifier.events - before} events, but the manifest says {file.get('events')}"
        verifier.findings.append(LogFinding("file_changed", detail, file=name))
    return tails


def _read_heads(export: Export, file: Mapping[str, Any], tails: dict[str, Any], verifier: Verifier) -> None:
    """Read the last event of each chain by the end of a file of events, which must be `tails`."""
    name, left = file["name"], dict(tails)
    with export.open(name, file["bytes"]) as lines:
        for number, line in enumerate(lines.lines(), 1):
            try:
                head = read_json(line)
                subject, seq, hashed = str(head["subject"]), head["seq"], str(head["hash"])
                if type(seq) is not int or not 0 < seq < _MOST_EVENTS:
                    raise ValueError
            except (ValueError, TypeError, KeyError):
                detail = f"does not name the last event of a chain on line {number}"
                verifier.findings.append(LogFinding("file_changed", detail, file=name))
                continue
            verifier.head(subject, seq, hashed)
            if left.pop(subject, None) != (seq, hashed):
                detail = f"does not name the last event of {subject} on line {number}"
                verifier.findings.append(LogFinding("file_changed", detail, file=name))
    for subject in left:
        verifier.findings.append(LogFinding("file_changed", f"does not name the last event of {subject}", file=name))


def _miscounted(manifest: Mapping[str, Any], content: _Content, verifier: Verifier) -> Iterator[LogFinding]:
    """Yield where the manifest says something else than the files hold."""
    held: dict[str, Any] = {"events": verifier.events, "digests": verifier.digests}
    if not verifier.findings:
        # Otherwise what is wrong there shows in these, too.
        held |= {name: getattr(content, name) for name in ("first", "last", "first_digest", "last_digest")}
        held |= {"unsealed_events": verifier.unsealed, "sealed_until": verifier.sealed_until}
    for name, value in held.items():
        if manifest.get(name) != value:
            detail = f"says {manifest.get(name)} for {name}, but the files hold {value}"
            yield LogFinding("file_changed", detail, file=MANIFEST)


def _uncovered(manifest: Mapping[str, Any], verifier: Verifier) -> Iterator[str]:
    """Yield why not all of the time is proven."""
    sealed_until = verifier.sealed_until
    if sealed_until is None or verifier.begins >= manifest["to"] or sealed_until <= manifest["from"]:
        yield f"No digest covers any of this time, so that nothing is proven. {_not_sealed(verifier.unsealed)}."
    elif sealed_until < manifest["to"]:
        yield (
            f"This is proven only until {sealed_until}: what came then is not sealed yet. "
            f"{_not_sealed(verifier.unsealed)}. Export until {sealed_until}, or again later."
        )


def _events(file: _File, name: str, verifier: Verifier) -> Iterator[tuple[int, dict[str, Any]]]:
    if name.endswith(".csv"):
        yield from _rows(file, name, verifier)
        return
    for number, line in enumerate(file.lines(), 1):
        try:
            event = read_json(line)
        except ValueError:
            event = None
        if isinstance(event, dict):
            yield number, event
        else:
            verifier.findings.append(LogFinding("file_changed", f"has no event on line {number}", file=name))


def _rows(file: _File, name: str, verifier: Verifier) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(_LINE_BYTES)
    rows = csv.reader(line.decode() for line in file.lines())
    try:
        if next(rows, None) != [f"\ufeff{COLUMNS[0]}", *COLUMNS[1:]]:
            detail = "does not start with the columns of an export"
            verifier.findings.append(LogFinding("file_changed", detail, file=name))
            return
        for row in rows:
            try:
                event = event_of_row(row)
            except (ValueError, TypeError, RecursionError) as error:
                verifier.events += 1
                verifier.findings.append(_unreadable(row, name, rows.line_num, str(error)))
            else:
                yield rows.line_num, event
    except (csv.Error, UnicodeDecodeError) as error:
        detail = f"cannot be read after line {rows.line_num}: {error}"
        verifier.findings.append(LogFinding("file_changed", detail, file=name))


def _unreadable(row: Sequence[str], name: str, line: int, problem: str) -> LogFinding:
    cells = dict(zip(COLUMNS, row))  # noqa: B905 - Python 3.9
    seq = cells.get("seq", "")
    detail = f"on line {line} of {name} cannot be read: {problem}"
    known = int(seq) if seq.isascii() and seq.isdigit() and len(seq) < 10 else None
    return LogFinding("edited", detail, cells.get("subject", "?"), known)


# --- copies of what someone saw


def mail_hash(raw: bytes) -> str:
    """Return the hash that a decision's `shown` has of an email, from a copy as it arrived."""
    message = email.message_from_bytes(raw, policy=email.policy.default)

    def part(kind: str) -> str:
        found = message.get_body((kind,))
        text = str(found.get_content()) if found is not None else ""
        return re.sub(r"\r\n?", "\n", text).rstrip("\n")

    subject = " ".join(str(message["Subject"] or "").split())
    return sha256(canonical_json({"subject": subject, "text": part("plain"), "html": part("html")}))


# How a request reads was added to payloads later, and the hash of its content stays what it was.
_BESIDE_CONTENT = frozenset({"response", "title", "options"})


def payload_hash(body: bytes) -> str:
    """Return the hash that the `shown` of a decision by API has of a webhook's payload; raises Unusable."""
    try:
        request = json.loads(body)["request"]
    except (ValueError, KeyError, TypeError):
        request = None
    if not isinstance(request, dict):
        raise Unusable("This is not a webhook payload.")
    if "content_url" in request:
        raise Unusable("This payload was sent without its content. Add what its content_url returned, and try again.")
    return sha256(canonical_json({name: value for name, value in request.items() if name not in _BESIDE_CONTENT}))


CHANGED = "These records were changed after they were written."


def untouched(*, sealed: bool, unsealed: int = 0) -> str:
    """Return the conclusion without findings; `sealed`: digests cover what was verified, but for `unsealed` events."""
    if sealed and not unsealed:
        return "Nothing was changed."
    if sealed:
        return f"Nothing was changed in what is sealed. {_not_sealed(unsealed)}: only the chain could be checked."
    return (
        "None of this has been sealed yet, so only the chain could be checked; it is unbroken. Anyone who can write to "
        "the tables could still replace all of it."
    )


def _not_sealed(events: int) -> str:
    return "1 event is not sealed yet" if events == 1 else f"{events} events are not sealed yet"


def main(arguments: Sequence[str]) -> int:
    """Run the command line, and return the exit code."""
    if arguments[:1] and arguments[0] in ("mail", "payload") and len(arguments) == 2:
        hash_of = mail_hash if arguments[0] == "mail" else payload_hash
        return _say(hash_of(_read(arguments[1])))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", metavar="EXPORT")
    parser.add_argument("--public-key", metavar="KEY", action="append", help="a file with public keys to trust")
    parser.add_argument("--deployment", metavar="ID", type=int, help="the deployment that it must be of")
    parser.add_argument("--from", dest="since", metavar="TIME", type=_moment, help="the time that it must cover: begin")
    parser.add_argument("--to", metavar="TIME", type=_moment, help="and end, such as 2027-01-31T00:00:00Z")
    options = parser.parse_args(arguments)
    export = Export(options.export)
    trusted = read_key_files(options.public_key or ())
    result = verify_export(export, trusted, Scope(options.deployment, options.since, options.to))
    _say(*_report(export.manifest, result, given=trusted is not None))
    return exit_code(result)


def read_key_files(paths: Sequence[str]) -> Trust | None:
    """Return the public keys in these files, None without any; raises Unusable."""
    found = Trust({})
    for path in paths:
        try:
            found = found.and_(read_public_keys(_read(path, _KEY_BYTES)))
        except ValueError as error:
            raise Unusable(f"{path} cannot be used: {error}.") from None
    return found if paths else None


def _moment(text: str) -> str:
    moment = f"{text}T00:00:00Z" if len(text) == 10 else text
    if not _is_moment(moment):
        raise argparse.ArgumentTypeError("it is not a time such as 2027-01-31T00:00:00Z")
    return moment


def _report(manifest: Mapping[str, Any], result: Verifier, *, given: bool) -> Iterator[str]:
    yield f"Deployment {manifest['deployment_id']}, from {manifest['from']} to {manifest['to']}"
    yield f"Export requested at {manifest['requested_at']}"
    yield f"Events: {result.events}, in {result.chains} chains; digests: {result.digests}"
    if result.erased:
        yield f"Contents erased since, of which the log keeps the digests: {result.erased}"
    if result.unsealed:
        yield f"Events not yet sealed by a digest: {result.unsealed}"
    for key in result.public_keys:
        yield f"Key: {key} ({'given' if given else 'from the export itself'})"
    yield from conclusion(result)


def _read(path: str, size: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as in Export.open
            return file.read(size)
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {error.strerror}.") from None


def _say(*lines: str) -> int:
    # Whatever a terminal cannot show must not stop it.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Unusable as error:
        sys.stderr.write(f"{printable(str(error))}\n")
    except Exception as error:
        # What nobody thought of is no proof, and no change either.
        sys.stderr.write(f"This cannot be verified: {printable(f'{type(error).__name__}: {error}')}.\n")
    sys.exit(2)
