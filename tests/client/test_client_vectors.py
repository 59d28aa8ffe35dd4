"""The committed vectors: our verifier, what the server signs, and the specification's own snippet agree on them."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flow_hitl.platform.webhook_signature import signature_headers
from flow_hitl_client import signature, webhooks

VECTORS = Path(__file__).parents[2] / "client/vectors"
CASES = json.loads((VECTORS / "webhook-signatures.json").read_text())["cases"]


def accepts(case: dict[str, Any]) -> bool:
    headers = case["headers"]
    try:
        signature.verify(
            case["secrets"],
            base64.b64decode(case["body_base64"]),
            signature=headers.get("X-Signature"),
            timestamp=headers.get("X-Timestamp"),
            tolerance_seconds=case["tolerance_seconds"],
            now=case["now"],
        )
    except signature.InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_verifier_accepts_exactly_the_valid_ones(case: dict[str, Any]) -> None:
    assert accepts(case) == case["valid"], case["why"]


@pytest.mark.parametrize("case", [case for case in CASES if case["valid"]], ids=lambda case: str(case["name"]))
def test_the_server_signs_just_so(case: dict[str, Any]) -> None:
    at = datetime.fromtimestamp(int(case["headers"]["X-Timestamp"]), UTC)
    body = base64.b64decode(case["body_base64"])
    assert case["headers"] in [signature_headers(secret, body, at) for secret in case["secrets"]]


def test_the_specifications_snippet_works_once_the_prefix_is_off() -> None:
    case = next(case for case in CASES if case["name"] == "genuine")
    headers, body, (signing_secret,) = case["headers"], base64.b64decode(case["body_base64"]), case["secrets"]
    readme = (VECTORS / "README.md").read_text()
    snippet = (
        readme.partition("## The specification")[2]
        .split("```python\n")[1]
        .split("```")[0]
        .replace("    ...  # Valid", "    valid = True  # Valid")
    )
    names: dict[str, Any] = {"headers": headers, "body": body, "signing_secret": signing_secret}
    exec(snippet, names)  # noqa: S102 - the documentation's own text
    assert names["valid"]
    whole = headers["X-Signature"]
    assert not hmac.compare_digest(hmac.new(b"k", b"", hashlib.sha256).hexdigest(), whole)
    assert whole == f"sha256={names['expected']}"


def test_a_webhook_is_read_whatever_the_case_of_its_headers() -> None:
    case = next(case for case in CASES if case["name"] == "genuine")
    headers = {name.lower(): value for name, value in case["headers"].items()}
    body = base64.b64decode(case["body_base64"])
    event = webhooks.receive(case["secrets"], headers, body, now=case["now"])
    assert event["event"] == "new_request"
    assert event["deployment"]["name"] == "Content Review Flow"
    with pytest.raises(signature.InvalidSignature, match="missing"):
        webhooks.receive(case["secrets"], {}, body, now=case["now"])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"event":"new_request"}', b"\xff"])
def test_signed_and_yet_no_event(body: bytes) -> None:
    headers = signature_headers("whsec_a", body, datetime.now(UTC))
    with pytest.raises(webhooks.NotAnEvent):
        webhooks.receive("whsec_a", headers, body)


@pytest.mark.parametrize("secret", ["", [], ["whsec_a", ""]])
def test_an_empty_secret_is_a_mistake_of_the_receiver(secret: Any) -> None:
    with pytest.raises(ValueError, match="secret"):
        signature.verify(secret, b"", signature="sha256=0", timestamp="1")
