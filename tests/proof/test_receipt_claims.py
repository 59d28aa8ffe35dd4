"""What a receipt says, and that a library that knows nothing of us can check it: the rule without a key store."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.jwk import KeySet

from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import digest
from flow_hitl.proof.receipt import claims_of, key_set, receipt_of, signing_input
from flow_hitl.proof.verify_audit import fingerprint, trust
from flow_hitl.requests.request import Request, Stamp, decide, request_shown
from tests.support import examples
from tests.support.audit_logs import Signer
from tests.support.examples import ASSIGNEE, CONTENT, NOON, REQUEST_ID

SIGNER = Signer(ec.derive_private_key(456, ec.SECP256R1()))
PROVEN = {"method": "reply_address"}


def said(head: dict[str, Any] | None = None, **answer: Any) -> dict[str, Any]:
    """Return the claims about an answer that came after 90 seconds."""
    before = examples.head(**(head or {}))
    change = decide(
        before,
        examples.answer(**{"verification": PROVEN, **answer}),
        CONTENT,
        stamp=Stamp("e2", NOON + timedelta(seconds=90), ASSIGNEE),
    )
    return claims_of(Request(change.after, CONTENT, change.response), change.event)


def test_it_says_what_was_approved_by_whom_and_when() -> None:
    shown = request_shown(Request(examples.head(), CONTENT))
    assert said() == {
        "request_id": REQUEST_ID,
        "deployment_id": 456,
        "content_sha256": digest(shown),
        "output_sha256": digest(CONTENT.output),
        "outcome": "approved",
        "data_sha256": None,
        "responder": ASSIGNEE,
        "verified_by": "reply_address",
        "responded_at": "2026-01-14T12:01:30Z",
    }


def test_an_approval_that_ends_says_when_in_unix_seconds() -> None:
    assert said({"approval_ttl_minutes": 60})["exp"] == int(NOON.timestamp()) + 90 + 3600


def test_nobody_is_named_who_is_only_said_to_have_answered() -> None:
    claims = said(responder_verified=False, outcome=None, verification={})
    assert (claims["responder"], claims["outcome"], claims["verified_by"]) == (None, None, None)


def test_there_is_none_of_what_is_not_decided() -> None:
    opening = examples.opening()
    with pytest.raises(ValueError, match=f"^request {REQUEST_ID} has no answer$"):
        claims_of(Request(opening.after, CONTENT), opening.event)


def test_an_event_of_before_receipts_says_nothing_of_how_the_responder_was_proven() -> None:
    change = decide(examples.head(), examples.answer(), CONTENT, stamp=Stamp("e2", NOON, ASSIGNEE))
    data = {name: value for name, value in change.event.data.items() if name != "verification"}
    request = Request(change.after, CONTENT, change.response)
    assert claims_of(request, replace(change.event, data=data))["verified_by"] is None


def signed(claims: dict[str, Any]) -> str:
    message = signing_input(claims, fingerprint(SIGNER.public))
    return receipt_of(message, SIGNER.private.sign(message, ec.ECDSA(hashes.SHA256())))


def test_any_jose_library_checks_it_with_the_published_keys() -> None:
    published = as_json(key_set(trust(SIGNER.public)))
    (key,) = published["keys"]
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
    for number in range(3):
        receipt = signed({"request_id": str(number), "responder": "ü@example.com"})
        checked = jws.deserialize_compact(receipt, KeySet.import_key_set(published), algorithms=["ES256"])
        assert checked.headers() == {"alg": "ES256", "kid": key["kid"], "typ": "flow-hitl-receipt+jwt"}
        assert json.loads(checked.payload or b"") == {"request_id": str(number), "responder": "ü@example.com"}
        assert "=" not in receipt


def test_numbers_that_begin_with_zeros_keep_their_places() -> None:
    signature = receipt_of(b"a.b", encode_dss_signature(1, 2)).rpartition(".")[2]
    assert signature == "A" * 42 + "E" + "A" * 41 + "Ag"


def test_what_is_no_signature_makes_no_receipt() -> None:
    with pytest.raises(ValueError, match=r"^the signature is not a DER signature$"):
        receipt_of(b"a.b", b"junk")
