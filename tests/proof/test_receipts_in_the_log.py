"""A receipt that the log holds is the one that the sealing key signed, and says what the decision said."""

import base64
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from flow_hitl.audit.chain import EventKind, next_event
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.times import rfc3339
from flow_hitl.proof.receipt import receipt_of, signing_input
from flow_hitl.proof.verify_audit import CHAIN_START, RECEIPT_TYPE, Verifier, fingerprint
from tests.support.audit_logs import SIGNER, Signer
from tests.support.examples import ASSIGNEE, NOON, REQUEST_ID

SUBJECT = f"request#{REQUEST_ID}"
ANSWERED_AT = rfc3339(NOON)
CLAIMS = {"request_id": REQUEST_ID, "outcome": "approved", "responded_at": ANSWERED_AT, "responder": ASSIGNEE}
DECISION = {"outcome": "approved", "responded_at": ANSWERED_AT, "responder": ASSIGNEE, "responder_verified": True}
KEY = fingerprint(SIGNER.public)
HEADER = {"alg": "ES256", "kid": KEY, "typ": RECEIPT_TYPE}
UNREADABLE = "holds a receipt that cannot be read"


def base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def signed_as(signed: bytes, signer: Signer = SIGNER) -> str:
    return receipt_of(signed, signer.private.sign(signed, ec.ECDSA(hashes.SHA256())))


def receipt(signer: Signer = SIGNER, header: object = None, claims: object = None, **changed: Any) -> str:
    """Return a receipt; `changed` are claims of it that are others, `header` and `claims` replace all of theirs."""
    parts = HEADER if header is None else header, {**CLAIMS, **changed} if claims is None else claims
    return signed_as(".".join(base64url(canonical_json(part).encode()) for part in parts).encode(), signer)


def findings(
    held: object, decision: dict[str, Any] | None = None, retired: dict[str, str] | None = None, *, alone: bool = False
) -> list[tuple[str, str | None, int | None, str]]:
    """Return what is found in a log with a decision, unless the receipt stands `alone`, and then a receipt."""
    verifier = Verifier({KEY: SIGNER.public}, retired or {}, whole=False)
    kinds = [(EventKind.RESPONSE_SUBMITTED, {**DECISION, **(decision or {})}), (EventKind.RECEIPT_ISSUED, held)]
    before = CHAIN_START
    for seq, (kind, data) in enumerate(kinds, 1):
        event = next_event(
            subject=SUBJECT,
            seq=seq,
            prev_hash=before,
            event_id=f"e{seq}",
            kind=kind,
            at=NOON + timedelta(seconds=seq),
            actor=ASSIGNEE,
            data=data if isinstance(data, dict) else {"receipt": data},
        )
        before = event.hash
        if seq == 2 or not alone:
            verifier.event(as_json(event))
    found = [one for one in verifier.findings if "receipt" in one.detail]
    return [(one.kind, one.subject, one.seq, one.detail) for one in found]


def test_a_receipt_of_the_decision_by_the_sealing_key_is_right() -> None:
    assert findings(signed_as(signing_input(CLAIMS, KEY))) == []
    assert findings(receipt()) == []
    assert findings(receipt(responder=None), {"responder_verified": False}) == []
    assert findings(receipt(more="than we know")) == []


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("request_id", REQUEST_ID[:-1]),
        ("outcome", "rejected"),
        ("responded_at", rfc3339(NOON + timedelta(seconds=1))),
        ("responder", "mallory@example.com"),
        ("responder", None),
    ],
)
def test_a_receipt_that_says_something_else_than_the_decision_is_named(claim: str, value: Any) -> None:
    said = f"holds a receipt that says something else than the decision: {claim}"
    changed: dict[str, Any] = {claim: value}
    assert findings(receipt(**changed)) == [("edited", SUBJECT, 2, said)]


def test_every_claim_that_differs_is_listed() -> None:
    ((_, _, _, detail),) = findings(receipt(request_id="another", outcome="rejected", responder=None))
    assert detail.endswith(": request_id, outcome, responder")


def test_a_receipt_names_nobody_who_is_only_claimed_to_have_answered() -> None:
    ((_, _, _, detail),) = findings(receipt(), {"responder_verified": False})
    assert detail.endswith(": responder")


def test_without_its_decision_a_receipt_is_held_against_its_request_alone() -> None:
    assert findings(receipt(outcome="rejected", responder="mallory@example.com"), alone=True) == []
    ((_, _, _, detail),) = findings(receipt(request_id="another"), alone=True)
    assert detail.endswith(": request_id")


def test_a_receipt_that_somebody_else_signed_is_named() -> None:
    stranger = Signer()
    assert findings(receipt(stranger)) == [("edited", SUBJECT, 2, "holds a receipt with an invalid signature")]
    key = fingerprint(stranger.public)
    by = receipt(stranger, header={**HEADER, "kid": key})
    assert findings(by) == [("edited", SUBJECT, 2, f"holds a receipt by the key {key}, which is not trusted")]


def test_a_receipt_from_after_its_key_was_replaced_is_named() -> None:
    assert findings(receipt(), retired={KEY: ANSWERED_AT}) == []
    assert findings(receipt(), retired={"another": "2000-01-01T00:00:00Z"}) == []
    before = rfc3339(NOON - timedelta(seconds=1))
    said = f"holds a receipt that is later than its key, {KEY}, was used"
    assert findings(receipt(), retired={KEY: before}) == [("edited", SUBJECT, 2, said)]


@pytest.mark.parametrize("junk", ["!", "\n", " ", "\u00e4"])
def test_a_receipt_with_something_between_its_letters_is_named(junk: str) -> None:
    made = receipt()
    for place in (-10, -86, 10):
        assert findings(made[:place] + junk + made[place:]) == [("edited", SUBJECT, 2, UNREADABLE)]


SIGNED, SIGNATURE = receipt().rsplit(".", 1)
FORGED: dict[str, Callable[[], object]] = {
    "no receipt": dict,
    "no text": lambda: 1,
    "empty": str,
    "one part": lambda: "a",
    "two parts": lambda: SIGNED,
    "four parts": lambda: f"a.{SIGNED}.{SIGNATURE}",
    "no base64": lambda: f"{SIGNED}.!{SIGNATURE[1:]}",
    "a short signature": lambda: f"{SIGNED}.{base64url(bytes(63))}",
    "a long signature": lambda: f"{SIGNED}.{base64url(bytes(65))}",
    "another algorithm": lambda: receipt(header={**HEADER, "alg": "none"}),
    "another type": lambda: receipt(header={**HEADER, "typ": "JWT"}),
    "a header with more": lambda: receipt(header={**HEADER, "crit": ["exp"]}),
    "a header without a key": lambda: receipt(header={"alg": "ES256", "typ": RECEIPT_TYPE, "key": KEY}),
    "a header that is a list": lambda: receipt(header=[HEADER]),
    "claims that are a list": lambda: receipt(claims=[CLAIMS]),
    "claims without the time": lambda: receipt(claims={"request_id": REQUEST_ID}),
}


@pytest.mark.parametrize("name", FORGED)
def test_what_is_no_receipt_is_named_and_stops_nothing(name: str) -> None:
    assert findings(FORGED[name]()) == [("edited", SUBJECT, 2, UNREADABLE)]


def test_each_changed_character_of_a_receipt_is_named() -> None:
    held = receipt()
    # Half of the last character is padding.
    for place in range(0, len(held) - 1, 7):
        other = "A" if held[place] != "A" else "B"
        assert findings(held[:place] + other + held[place + 1 :]), place
