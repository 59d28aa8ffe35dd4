"""Whoever executes an approved action checks its receipt offline, with the published keys."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flow_hitl_client import ReceiptInvalid, verify_receipt
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback

pytest.importorskip("joserfc", reason="the extra [receipts]")
NOW = datetime(2026, 1, 14, 12, 30, tzinfo=UTC)
OUTPUT = {"amount": 4711, "grüße": [1, 2.5, None]}


@pytest.fixture
def given(hitl: Hitl) -> dict[str, Any]:
    """Return an approved request, its receipt, and the keys, as arguments of `verify_receipt`."""
    asked = hitl.ask(emit=EMIT, receipt=True, approval_ttl_minutes=60, output=OUTPUT)
    callback(hitl, asked)
    request = asked.now()
    keys = hitl.api("GET", "/v1/keys", key=None).json
    return {"receipt": request["response"]["receipt"], "keys": keys, "request_id": asked.id, "request": request}


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def changed(receipt: str, part: int, **members: Any) -> str:
    parts = receipt.split(".")
    before = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    parts[part] = encoded({**before, **members})
    return ".".join(parts)


def test_a_genuine_receipt_says_what_was_approved(given: dict[str, Any]) -> None:
    said = verify_receipt(**given, output=OUTPUT, outcome="approved", now=NOW)
    assert (said.request_id, said.outcome, said.verified_by) == (given["request_id"], "approved", "callback_url")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"request_id": "another"}, "another request"),
        ({"output": {"amount": 4712}}, "another output"),
        ({"outcome": "rejected"}, "outcome was"),
        ({"now": NOW + timedelta(minutes=30)}, "valid until 2026-01-14T13:00:00Z"),
        ({"keys": {"keys": []}}, "key"),
        ({"keys": {}}, "not a key set"),
        ({"receipt": "no.receipt.at all"}, "not a receipt"),
    ],
)
def test_what_it_does_not_prove_is_refused(given: dict[str, Any], arguments: dict[str, Any], why: str) -> None:
    with pytest.raises(ReceiptInvalid, match=why):
        verify_receipt(**{**given, "now": NOW, **arguments})


def test_other_content_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ReceiptInvalid, match="other content"):
        verify_receipt(**{**given, "request": {**given["request"], "message": "Harmless"}}, now=NOW)


@pytest.mark.parametrize("members", [{"outcome": "rejected"}, {"responder": "boss@example.com"}, {"exp": 9999999999}])
def test_a_changed_claim_is_refused(given: dict[str, Any], members: dict[str, Any]) -> None:
    with pytest.raises(ReceiptInvalid, match="signature is wrong"):
        verify_receipt(**{**given, "receipt": changed(given["receipt"], 1, **members)}, now=NOW)


@pytest.mark.parametrize("members", [{"alg": "none"}, {"alg": "HS256"}, {"kid": "0" * 64}, {"crit": ["x"], "x": 1}])
def test_another_header_is_refused(given: dict[str, Any], members: dict[str, Any]) -> None:
    with pytest.raises(ReceiptInvalid):
        verify_receipt(**{**given, "receipt": changed(given["receipt"], 0, **members)}, now=NOW)


def test_another_key_under_the_same_name_is_refused(given: dict[str, Any]) -> None:
    from joserfc.jwk import ECKey

    other = ECKey.generate_key("P-256", private=False).as_dict(private=False)
    keys = {"keys": [{**other, "kid": given["keys"]["keys"][0]["kid"]}]}
    with pytest.raises(ReceiptInvalid, match="signature is wrong"):
        verify_receipt(**{**given, "keys": keys}, now=NOW)
