"""A receipt proves to whoever executes an approved action what was approved, by whom, and until when."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from flow_hitl.bootstrap import current
from flow_hitl.platform.digests import digest
from flow_hitl.requests.request import request_shown
from infra.local.hitl_fixture import AskedRequest, Hitl, hitl_on_moto
from tests.proof.test_audit_seal import by_schedule, named
from tests.support.asserts import EMIT, assert_invalid, callback
from tests.support.aws_calls import NO_DEATH, When, crashing, watched
from tests.support.outages import kms_away
from tests.support.receiver import receiving

CONTENT: dict[str, Any] = {
    "output": {"amount": 4711, "iban": "DE02"},
    "state": {"grüße": [1, 2.5, None]},
    "metadata": {"run": 7},
}


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def number(part: str) -> int:
    return int.from_bytes(decoded(part), "big")


def claims(hitl: Hitl, request: AskedRequest) -> dict[str, Any]:
    """Check a receipt's signature with the published key, and return its claims."""
    head, payload, signature = request.response["receipt"].split(".")
    header = json.loads(decoded(head))
    assert (header["alg"], set(header)) == ("ES256", {"alg", "kid", "typ"})
    (key,) = (one for one in hitl.api("GET", "/v1/keys", key=None).json["keys"] if one["kid"] == header["kid"])
    raw = decoded(signature)
    assert len(raw) == 64
    public = ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), ec.SECP256R1()).public_key()
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(der, f"{head}.{payload}".encode(), ec.ECDSA(hashes.SHA256()))
    said: dict[str, Any] = json.loads(decoded(payload))
    return said


def test_a_receipt_says_what_was_approved_by_whom_and_until_when(hitl: Hitl) -> None:
    request = hitl.ask(
        emit=EMIT, receipt=True, approval_ttl_minutes=60, assigned_to_email="alice@example.com", **CONTENT
    )
    assert request.now()["receipt"] is True
    hitl.reply("approved", sender="alice@example.com")
    loaded = current().read_requests.requests.load(request.id)
    assert claims(hitl, request) == {
        "request_id": request.id,
        "deployment_id": hitl.deployment_id,
        "content_sha256": digest(request_shown(loaded)),
        "output_sha256": digest(CONTENT["output"]),
        "outcome": "approved",
        "data_sha256": None,
        "responder": "alice@example.com",
        "verified_by": "reply_address",
        "responded_at": "2026-01-14T12:00:00Z",
        "exp": 1768395600,
    }
    assert request.response["valid_until"] == "2026-01-14T13:00:00Z"


def test_a_receipt_without_an_end_has_no_expiry(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    assert request.now()["response"] is None
    callback(hitl, request)
    assert "exp" not in claims(hitl, request)


def by_email(hitl: Hitl, _: AskedRequest) -> None:
    hitl.reply("approved")


def by_review_link(hitl: Hitl, _: AskedRequest) -> None:
    assert hitl.page("POST", hitl.review_url(), {"outcome": "approved"}).status == 200


def on_the_dashboard(hitl: Hitl, request: AskedRequest) -> None:
    page = f"/d/{hitl.deployment_id}/requests/{request.id}"
    browser = hitl.signed_in("creator@example.com")
    assert browser.get(page).status == 200
    assert browser.post(page, {"outcome": "approved"}).status == 303


@pytest.mark.parametrize(
    ("answer", "proven_by"),
    [(by_email, "reply_address"), (by_review_link, "review_link"), (on_the_dashboard, "session")],
)
def test_a_receipt_says_how_the_responder_was_proven(
    hitl: Hitl, answer: Callable[[Hitl, AskedRequest], None], proven_by: str
) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    answer(hitl, request)
    said = claims(hitl, request)
    assert (said["outcome"], said["responder"]) == ("approved", "creator@example.com")
    assert said["verified_by"] == proven_by


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_receipt_is_signed_once_at_whatever_call_the_function_dies(when: When) -> None:
    with hitl_on_moto() as hitl, receiving() as flow:
        request = hitl.ask(emit=EMIT, receipt=True, resume_url=flow.url)
        as_it_was = hitl.checkpoint()
        with crashing(hitl, NO_DEATH, when) as calls:
            callback(hitl, request)
        signing = [number for number, call in enumerate(calls.begun) if call.function == "sign_receipt"]
        assert len(signing) > 4
        for number in signing:
            as_it_was()
            flow.received = []
            with crashing(hitl, number, when) as calls:
                callback(hitl, request)
            assert calls.died_at is not None
            hitl.advance(minutes=10)
            assert len(flow.received) == 1, calls.died_at
            assert request.kinds.count("receipt_issued") == 1, calls.died_at
            assert claims(hitl, request)["outcome"] == "approved"


def test_a_program_that_answers_for_someone_proves_no_one(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    callback(hitl, request, responder="boss@example.com")
    said = claims(hitl, request)
    assert (said["responder"], said["verified_by"]) == (None, "callback_url")


def test_the_clock_signs_too(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, receipt=True, auto_response={"timeout_minutes": 5, "default_outcome": "rejected"})
    hitl.advance(minutes=6)
    said = claims(hitl, request)
    assert (said["outcome"], said["responder"], said["verified_by"]) == ("rejected", None, "clock")


def test_the_flow_is_told_once_and_with_the_receipt(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, receipt=True, resume_url=flow.url)
        callback(hitl, request)
        (told,) = [json.loads(call.body) for call in flow.received]
    assert told["request"]["response"]["receipt"] == request.response["receipt"]
    assert claims(hitl, request)["outcome"] == "approved"
    assert request.now()["resume"]["status"] == "delivered"


def test_where_kms_is_away_the_decision_stands_and_the_receipt_follows(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, receipt=True, resume_url=flow.url)
        with kms_away(hitl):
            assert callback(hitl, request).status == 200
            assert (request.outcome, request.response["receipt"]) == ("approved", None)
            hitl.advance(minutes=180)
            assert flow.received == [], "the flow is not told without its receipt"
        hitl.advance(minutes=120)
        assert len(flow.received) == 1
    assert claims(hitl, request)["responded_at"] == "2026-01-14T12:00:00Z"
    assert request.kinds.count("receipt_issued") == 1


def test_the_receipt_stays_the_same_when_its_message_comes_again(hitl: Hitl) -> None:
    from flow_hitl.audit.effects import Effect, EffectKind

    request = hitl.ask(emit=EMIT, receipt=True)
    callback(hitl, request)
    receipt = request.response["receipt"]
    seq = next(event["seq"] for event in request.timeline if event["kind"] == "response_submitted")
    for target in ("", "another worker"):
        current().issue_receipt(Effect(EffectKind.RECEIPT, request.id, seq, target))
    assert request.response["receipt"] == receipt
    assert request.kinds.count("receipt_issued") == 1


def test_the_log_holds_the_receipt_and_verifies(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, receipt=True)
    callback(hitl, request)
    event = next(event for event in request.timeline if event["kind"] == "receipt_issued")
    assert event["data"]["receipt"] == request.response["receipt"]
    hitl.advance(days=1)
    by_schedule(hitl)
    assert named(hitl) == set()


def test_without_a_wish_there_is_no_receipt_and_no_call_for_one(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    with watched(hitl) as calls:
        callback(hitl, request)
    assert request.now()["receipt"] is False
    assert request.response["receipt"] is None
    assert "sign_receipt" not in {call.function for call in calls.begun}
    assert "receipt_issued" not in request.kinds


def test_only_true_and_false_ask_for_a_receipt(hitl: Hitl) -> None:
    body = {"flow_id": "f", "method_name": "m", "message": "?", "receipt": "yes"}
    assert_invalid(hitl.api("POST", "/v1/requests", body), "/receipt")


def test_the_keys_are_public_and_may_be_cached(hitl: Hitl) -> None:
    answer = hitl.api("GET", "/v1/keys", key=None)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "public, max-age=3600"
    (key,) = answer.json["keys"]
    assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")
