"""The signature of what we POST, checked by the snippet that the spec gives its readers."""

import hashlib
import hmac
from datetime import timedelta

from flow_hitl.deployments.resume_secret import resume_signing_secret
from flow_hitl.platform.webhook_signature import signature_headers
from tests.support.examples import NOON

SECRET = "whsec_0123456789abcdef"
BODY = '{"event":"response_submitted","text":"grüße"}'.encode()


def expected(signing_secret: str, timestamp: str, payload: str) -> str:
    """The spec's "Verification", word for word."""
    return hmac.new(signing_secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()


def test_the_specs_snippet_verifies_it() -> None:
    headers = signature_headers(SECRET, BODY, NOON + timedelta(milliseconds=900))
    assert headers["X-Timestamp"] == str(int(NOON.timestamp()))
    assert headers["X-Signature"] == "sha256=" + expected(SECRET, headers["X-Timestamp"], BODY.decode())


def test_body_time_and_secret_all_count() -> None:
    signature = signature_headers(SECRET, BODY, NOON)["X-Signature"]
    assert signature_headers(SECRET, BODY + b" ", NOON)["X-Signature"] != signature
    assert signature_headers(SECRET, BODY, NOON + timedelta(seconds=1))["X-Signature"] != signature
    assert signature_headers(SECRET.removeprefix("whsec_"), BODY, NOON)["X-Signature"] != signature


def test_every_deployment_has_a_resume_secret_of_its_own() -> None:
    one, other = resume_signing_secret(b"key", 1), resume_signing_secret(b"key", 2)
    assert one.startswith("whsec_")
    assert len({one, other, resume_signing_secret(b"another key", 1)}) == 3
    assert resume_signing_secret(b"key", 1) == one
