"""Whatever a forger makes of a receipt, or of what comes with it, `ReceiptInvalid` is raised, and nothing else."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flow_hitl_client import ReceiptInvalid, verify_receipt

pytest.importorskip("joserfc", reason="the extra [receipts]")
from joserfc import jws
from joserfc.jwk import ECKey

KEY = ECKey.generate_key("P-256", {"kid": "ours"})
FORGERS = ECKey.generate_key("P-256", {"kid": "theirs"})
NOW = datetime(2026, 1, 14, 12, 30, tzinfo=UTC)
REQUEST_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"
CLAIMS: dict[str, Any] = {
    "request_id": REQUEST_ID,
    "deployment_id": 1,
    "content_sha256": "0" * 64,
    "output_sha256": hashlib.sha256(b'{"amount":4711}').hexdigest(),
    "outcome": "approved",
    "data_sha256": None,
    "responder": "alice@example.com",
    "verified_by": "reply_address",
    "responded_at": "2026-01-14T12:00:00Z",
    "exp": int(datetime(2026, 1, 14, 13, tzinfo=UTC).timestamp()),
}
HEADER = {"alg": "ES256", "kid": "ours", "typ": "flow-hitl-receipt+jwt"}


def b64(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(claims: Any = CLAIMS, key: ECKey = KEY, **header: Any) -> str:
    """Sign by ES256, whatever the header says."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    message = f"{b64({**HEADER, **header})}.{b64(claims)}"
    assert key.private_key is not None
    numbers = decode_dss_signature(key.private_key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{message}.{b64(b''.join(number.to_bytes(32, 'big') for number in numbers))}"


def published(*keys: Any) -> dict[str, Any]:
    return {"keys": [key.as_dict(private=False) for key in keys]}


def check(receipt: Any, keys: Any = None, **wanted: Any) -> Any:
    given = {"request_id": REQUEST_ID, "output": {"amount": 4711}, "outcome": "approved", "now": NOW, **wanted}
    return verify_receipt(receipt, keys or published(KEY), **given)


def hmac_signed(secret: bytes) -> str:
    message = f"{b64({**HEADER, 'alg': 'HS256'})}.{b64(CLAIMS)}"
    return f"{message}.{b64(hmac.new(secret, message.encode(), hashlib.sha256).digest())}"


def parts(**changed: str) -> str:
    head, payload, signature = signed().split(".")
    return ".".join({"head": head, "payload": payload, "signature": signature, **changed}.values())


def without(claim: str) -> dict[str, Any]:
    return {name: value for name, value in CLAIMS.items() if name != claim}


def der_signature() -> str:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    message = f"{b64(HEADER)}.{b64(CLAIMS)}"
    assert KEY.private_key is not None
    return f"{message}.{b64(KEY.private_key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))}"


PUBLIC_PEM = KEY.as_pem(private=False)
FORGERIES: dict[str, Callable[[], Any]] = {
    "alg none, no signature": lambda: f"{b64({**HEADER, 'alg': 'none'})}.{b64(CLAIMS)}.",
    "alg None, in capitals": lambda: f"{b64({**HEADER, 'alg': 'NONE'})}.{b64(CLAIMS)}.",
    "no signature": lambda: parts(signature=""),
    "HS256 with the public key": lambda: hmac_signed(PUBLIC_PEM),
    "HS256 with the public key's coordinates": lambda: hmac_signed(str(KEY.as_dict()["x"]).encode()),
    "ES256 by another key in our name": lambda: signed(key=FORGERS),
    "the name of another key": lambda: signed(kid="theirs"),
    "no name of a key": lambda: signed(kid=None),
    "a name that is a list": lambda: signed(kid=["ours"]),
    "its own key inside": lambda: signed(key=FORGERS, jwk=FORGERS.as_dict(private=False)),
    "its own key at a URL": lambda: signed(key=FORGERS, jku="https://evil.example/keys.json"),
    "its own certificate": lambda: signed(key=FORGERS, x5c=["MIIB"], x5u="https://evil.example/x.pem"),
    "an unknown critical header": lambda: signed(crit=["exp"], exp=1),
    "a payload that is not encoded": lambda: signed(crit=["b64"], b64=False),
    "another type": lambda: signed(typ="JWT"),
    "the type of an access token": lambda: signed(typ="at+jwt"),
    "no type": lambda: signed(typ=None),
    "another payload": lambda: parts(payload=b64({**CLAIMS, "outcome": "rejected"})),
    "another header": lambda: parts(head=b64({**HEADER, "x": 1})),
    "the signature cut": lambda: signed()[:-2],
    "zeros for a signature": lambda: parts(signature=b64(bytes(64))),
    "ones for a signature": lambda: parts(signature=b64(b"\xff" * 64)),
    "a DER signature": der_signature,
    "two signatures": lambda: f"{signed()}.{signed().split('.')[2]}",
    "a JSON serialization": lambda: json.dumps(
        dict(zip(("protected", "payload", "signature"), signed().split("."), strict=True))
    ),
    "expired": lambda: signed({**CLAIMS, "exp": int(NOW.timestamp())}),
    "an end as text": lambda: signed({**CLAIMS, "exp": "9999999999"}),
    "an end beyond the calendar": lambda: signed({**CLAIMS, "exp": 10**18}),
    "an end that is none": lambda: signed({**CLAIMS, "exp": float("nan")}),
    "an endless end": lambda: signed({**CLAIMS, "exp": float("inf")}),
    "another request": lambda: signed({**CLAIMS, "request_id": REQUEST_ID[:-1] + "c"}),
    "the request's id in capitals": lambda: signed({**CLAIMS, "request_id": REQUEST_ID.upper()}),
    "the request's id in wide digits": lambda: signed({**CLAIMS, "request_id": REQUEST_ID.replace("0", "\uff10")}),
    "another output": lambda: signed({**CLAIMS, "output_sha256": "f" * 64}),
    "an outcome that looks the same": lambda: signed({**CLAIMS, "outcome": "appr\u043eved"}),
    "no outcome": lambda: signed({**CLAIMS, "outcome": None}),
    "no claim of a request": lambda: signed(without("request_id")),
    "no time": lambda: signed(without("responded_at")),
    "a list of claims": lambda: signed([CLAIMS]),
    "no claims": lambda: signed({}),
    "claims that are text": lambda: signed("approved"),
    "claims that are no JSON": lambda: signed(b"approved"),
    "half a character": lambda: signed({**CLAIMS, "request_id": "\ud800"}),
    "empty": str,
    "no receipt": lambda: None,
    "a number": lambda: 5,
    "bytes": lambda: signed().encode(),
    "unicode": lambda: "\u00fc.\u00fc.\u00fc",
    "dots": lambda: "...",
    "spaces around": lambda: f" {signed()}\n",
    "deep": lambda: f"{b64(b'[' * 100_000)}.{b64(CLAIMS)}.{b64(bytes(64))}",
    "a digest of the audit log": lambda: signed(typ="flow-hitl/audit-digest/2"),
}


def test_a_genuine_receipt_passes() -> None:
    assert check(signed(), deployment_id=1).responder == "alice@example.com"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_receipt_is_refused(name: str) -> None:
    with pytest.raises(ReceiptInvalid):
        check(FORGERIES[name]())


def test_a_receipt_of_another_deployment_is_refused() -> None:
    with pytest.raises(ReceiptInvalid, match="another deployment: 2"):
        check(signed({**CLAIMS, "deployment_id": 2}), deployment_id=1)


@pytest.mark.parametrize(
    "output", [{"amount": 4712}, {"amount": 4711.0}, {"amount": "4711"}, None, "\ud800", float("nan")]
)
def test_what_looks_like_the_output_is_not_the_output(output: Any) -> None:
    with pytest.raises(ReceiptInvalid, match="another output"):
        check(signed(), output=output)


def test_a_replaced_key_verifies_what_it_signed_and_nothing_later() -> None:
    ours = KEY.as_dict(private=False)
    keys = {"keys": [FORGERS.as_dict(private=False), {**ours, "retired_at": "2026-01-14T12:00:00Z"}]}
    assert check(signed(), keys).outcome == "approved"
    with pytest.raises(ReceiptInvalid, match="later than its key"):
        check(signed({**CLAIMS, "responded_at": "2026-01-14T12:00:01Z"}), keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"keys": [{"kty": "oct", "kid": "ours", "k": b64(PUBLIC_PEM)}]},
        {"keys": [{"kty": "EC", "crv": "P-256", "kid": "ours"}]},
        {"keys": [None]},
        {"keys": "ours"},
        {"keys": {"ours": 1}},
        [],
        "ours",
    ],
    ids=lambda keys: json.dumps(keys)[:30],
)
def test_keys_that_are_none_prove_nothing(keys: Any) -> None:
    with pytest.raises(ReceiptInvalid):
        verify_receipt(signed(), keys, request_id=REQUEST_ID, now=NOW)
    with pytest.raises(ReceiptInvalid):
        verify_receipt(hmac_signed(PUBLIC_PEM), keys, request_id=REQUEST_ID, now=NOW)


def test_the_library_signs_what_we_check() -> None:
    receipt = jws.serialize_compact(HEADER, json.dumps(CLAIMS), KEY, algorithms=["ES256"])
    assert check(receipt).request_id == REQUEST_ID
