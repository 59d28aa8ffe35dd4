"""ECDSA over P-256 as auditors' script checks it, beside a library that everybody trusts."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_hitl.proof.verify_audit import _N, _P, pem, read_public_key, verify_signature
from tests.support.audit_logs import Signer

MESSAGE = b"flow-hitl/audit-digest/1 0000"
# The same in every process: the tests below are named after its numbers and its length.
SIGNER = Signer(ec.derive_private_key(456, ec.SECP256R1()))
SIGNATURE = SIGNER.private.sign(MESSAGE, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
R, S = decode_dss_signature(SIGNATURE)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, _N - 1), st.binary(max_size=200))
def test_every_genuine_signature_is_taken_and_none_of_another_message_or_key(secret: int, message: bytes) -> None:
    signer = Signer(ec.derive_private_key(secret, ec.SECP256R1()))
    signature = signer.private.sign(message, ec.ECDSA(hashes.SHA256()))
    assert verify_signature(signer.public, signature, message)
    assert not verify_signature(signer.public, signature, message + b"!")
    assert not verify_signature(SIGNER.public, signature, message)


@pytest.mark.exhaustive(6)
@pytest.mark.parametrize("place", range(len(SIGNATURE)))
def test_a_signature_with_any_bit_changed_is_refused(place: int) -> None:
    for bit in range(8):
        altered = bytearray(SIGNATURE)
        altered[place] ^= 1 << bit
        assert not verify_signature(SIGNER.public, bytes(altered), MESSAGE)


@pytest.mark.parametrize(
    ("r", "s"), [(0, S), (R, 0), (0, 0), (_N, S), (R, _N), (R + _N, S), (R, S + _N), (1, 1), (_N - 1, _N - 1), (_P, S)]
)
def test_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    assert not verify_signature(SIGNER.public, encode_dss_signature(r, s), MESSAGE)


def test_a_signature_of_nothing_but_its_message_is_no_signature() -> None:
    # Whoever may choose r and s freely must not find a pair that fits: here the sum of multiples is infinity.
    z = int.from_bytes(hashlib.sha256(MESSAGE).digest(), "big")
    own = Signer(ec.derive_private_key(1, ec.SECP256R1()))
    assert not verify_signature(own.public, encode_dss_signature((_N - z) % _N, 5), MESSAGE)


@pytest.mark.parametrize(
    "spelled",
    [
        b"",
        b"\x30\x00",
        SIGNATURE + b"\x00",
        SIGNATURE[:-1],
        b"\x31" + SIGNATURE[1:],
        b"\x30\x81" + SIGNATURE[1:],
        bytes([0x30, len(SIGNATURE) - 1, 0x02, SIGNATURE[3] + 1, 0x00]) + SIGNATURE[4:],
        b"\x30\x06\x02\x01\x81\x02\x01\x01",
        b"\x30\x06\x02\x00\x02\x02\x01\x01",
        b"\x30\x08\x02\x7f\x01\x01\x02\x01\x01\x01",
    ],
)
def test_der_has_one_spelling(spelled: bytes) -> None:
    assert not verify_signature(SIGNER.public, spelled, MESSAGE)


def test_a_point_that_is_not_on_the_curve_is_no_key() -> None:
    altered = SIGNER.public[:-1] + bytes([SIGNER.public[-1] ^ 1])
    assert not verify_signature(altered, SIGNATURE, MESSAGE)
    assert not verify_signature(SIGNER.public[:-64] + bytes(64), SIGNATURE, MESSAGE)
    beyond = SIGNER.public[:-64] + _P.to_bytes(32, "big") + bytes(32)
    assert not verify_signature(beyond, SIGNATURE, MESSAGE)


def _der(key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def test_a_public_key_is_read_as_der_as_pem_and_as_aws_prints_it() -> None:
    for text in (SIGNER.public, pem(SIGNER.public).encode(), base64.b64encode(SIGNER.public) + b"\n"):
        assert read_public_key(text) == SIGNER.public
    loaded = serialization.load_pem_public_key(pem(SIGNER.public).encode())
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    assert _der(loaded) == SIGNER.public


def test_any_other_key_is_refused() -> None:
    other_curve = _der(ec.generate_private_key(ec.SECP384R1()).public_key())
    same_size = _der(ec.generate_private_key(ec.SECP256K1()).public_key())
    for text in (other_curve, same_size, b"", b"no key", pem(SIGNER.public[:-1]).encode()):
        with pytest.raises(ValueError, match="P-256"):
            read_public_key(text)
