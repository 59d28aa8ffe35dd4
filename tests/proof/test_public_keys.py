"""The keys that a verifier is told to trust: a JSON Web Key Set as the service publishes it, or one key in a file."""

import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from flow_hitl.proof.verify_audit import Trust, fingerprint, pem, read_public_keys
from tests.support.audit_logs import SIGNER, Signer

OTHER = Signer()


def coordinate(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def as_jwk(public: bytes, **changes: Any) -> dict[str, Any]:
    x, y = public[-64:-32], public[-32:]
    whole = {"kty": "EC", "crv": "P-256", "x": coordinate(x), "y": coordinate(y), "kid": "any", "use": "sig"} | changes
    return {name: value for name, value in whole.items() if value != "left out"}


def key_set(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def test_a_key_set_holds_all_its_keys_by_their_fingerprint() -> None:
    found = read_public_keys(b" \n" + key_set(as_jwk(SIGNER.public), as_jwk(OTHER.public, retired_at=None)))
    assert found == Trust({fingerprint(SIGNER.public): SIGNER.public, fingerprint(OTHER.public): OTHER.public}, {})


def test_a_retired_key_is_kept_with_the_moment_from_which_it_signs_nothing() -> None:
    retired = as_jwk(OTHER.public, retired_at="2026-01-14T12:00:00Z")
    found = read_public_keys(key_set(as_jwk(SIGNER.public), retired))
    assert found.keys == {fingerprint(SIGNER.public): SIGNER.public, fingerprint(OTHER.public): OTHER.public}
    assert found.retired == {fingerprint(OTHER.public): "2026-01-14T12:00:00Z"}


def test_an_empty_key_set_trusts_nobody() -> None:
    assert read_public_keys(key_set()) == Trust({}, {})


@pytest.mark.parametrize("text", [pem(SIGNER.public).encode(), SIGNER.public], ids=["PEM", "DER"])
def test_a_file_of_one_key_holds_it(text: bytes) -> None:
    assert read_public_keys(text) == Trust({fingerprint(SIGNER.public): SIGNER.public}, {})


MISSING: dict[str, Any] = dict.fromkeys(("kty", "crv", "x", "y"), "left out")


@pytest.mark.parametrize(
    "changes",
    [
        *({name: value} for name, value in MISSING.items()),
        {"kty": "RSA"},
        {"kty": "ec"},
        {"crv": "P-384"},
        {"crv": "p-256"},
        {"x": coordinate(SIGNER.public[-64:-33])},
        {"x": coordinate(SIGNER.public[-65:-32])},
        {"y": coordinate(SIGNER.public[-32:-1])},
        {"y": coordinate(SIGNER.public[-33:])},
        # Not on the curve.
        {"x": coordinate(OTHER.public[-64:-32])},
        {"y": coordinate(OTHER.public[-32:])},
        {"x": "!" * 43},
        {"x": 1},
        {"x": None},
        {"retired_at": "yesterday"},
        {"retired_at": 1},
        {"retired_at": ""},
    ],
    # Keys are other ones in each run.
    ids=lambda changes: " ".join(changes),
)
def test_a_key_that_is_none_of_ours_is_refused_with_all_of_its_set(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"^it is not a JSON Web Key Set of P-256 keys$"):
        read_public_keys(key_set(as_jwk(SIGNER.public), as_jwk(SIGNER.public, **changes)))


@pytest.mark.parametrize("text", [b"{", b"{}", b'{"keys":1}', b'{"keys":[1]}', b'{"keys":[[]]}', b'{"keys":{"x":"y"}}'])
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is not a JSON Web Key Set of P-256 keys$"):
        read_public_keys(text)


@pytest.mark.parametrize(
    "text",
    [b"", b"[]", pem(SIGNER.public).encode()[:-40], SIGNER.public[:-1]],
    ids=["nothing", "a list", "half a PEM", "half a DER"],
)
def test_what_is_no_key_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is not a P-256 public key in DER, PEM, or base64$"):
        read_public_keys(text)
