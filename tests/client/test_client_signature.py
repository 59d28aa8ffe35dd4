"""The signature check, against an independent computation by the specification's own snippet."""

import hashlib
import hmac
from datetime import UTC, datetime

import pytest

from flow_hitl.platform.webhook_signature import signature_headers
from flow_hitl_client import signature

SECRET = "whsec_abc"
BODY = '{"event":"new_request","text":"grün"}'.encode()
NOW = 1_768_392_000


def signed(body: bytes = BODY, timestamp: object = NOW, secret: str = SECRET) -> str:
    payload = body.decode()
    return "sha256=" + hmac.new(secret.encode(), f"{timestamp}.{payload}".encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("age", [-300, 0, 300])
def test_genuine_and_fresh(age: int) -> None:
    signature.verify(SECRET, BODY, signature=signed(), timestamp=str(NOW), now=NOW + age)


@pytest.mark.parametrize(
    ("header", "timestamp", "body"),
    [
        (signed(), str(NOW), BODY + b" "),
        (signed(), str(NOW + 1), BODY),
        (signed(secret="whsec_other"), str(NOW), BODY),
        (signed().removeprefix("sha256="), str(NOW), BODY),
        (signed() + "é", str(NOW), BODY),
        (signed(), "now", BODY),
        (None, str(NOW), BODY),
        (signed(), None, BODY),
        ("", "", BODY),
    ],
)
def test_altered_or_missing(header: str | None, timestamp: str | None, body: bytes) -> None:
    with pytest.raises(signature.InvalidSignature):
        signature.verify(SECRET, body, signature=header, timestamp=timestamp, now=NOW)


@pytest.mark.parametrize("age", [-301, 301])
def test_replayed_or_from_the_future(age: int) -> None:
    with pytest.raises(signature.InvalidSignature, match="seconds old"):
        signature.verify(SECRET, BODY, signature=signed(), timestamp=str(NOW), now=NOW + age)
    signature.verify(SECRET, BODY, signature=signed(), timestamp=str(NOW), now=NOW + age, tolerance_seconds=400)


def test_the_clock_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(NOW))
    signature.verify(SECRET, BODY, signature=signed(), timestamp=str(NOW))


def test_what_the_server_signs() -> None:
    headers = signature_headers(SECRET, BODY, datetime.fromtimestamp(NOW, UTC))
    signature.verify(SECRET, BODY, signature=headers["X-Signature"], timestamp=headers["X-Timestamp"], now=NOW + 1)
