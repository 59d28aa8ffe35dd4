"""A warm process and a rotation: a newer key is looked for, and forged ids cost no call each."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from flow_hitl.platform.errors import TokenInvalid
from flow_hitl.platform.secret_key_ring import SecretKeyRing
from flow_hitl.requests.deciding import reply_address, web_tokens

START = datetime(2026, 1, 14, 12, 0, tzinfo=UTC)
REQUEST_ID = "0192f0c1-7e11-7abc-8def-0123456789ab"


class Clock:
    def __init__(self) -> None:
        self.at = START

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Secret:
    """One secret, as Secrets Manager keeps it, and how often it was read."""

    def __init__(self) -> None:
        self.text = json.dumps({"active": "1", "1": "first"})
        self.reads = 0

    def get_secret_value(self, SecretId: str) -> Mapping[str, Any]:  # noqa: ARG002, N803
        self.reads += 1
        return {"SecretString": self.text}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: ARG002, N803
        self.text = SecretString


class Forger(Secret):
    """What a stranger signs with, who names a key that there is not."""

    def __init__(self) -> None:
        super().__init__()
        self.text = json.dumps({"active": "77", "77": "forged"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def secret() -> Secret:
    return Secret()


@pytest.fixture
def warm(secret: Secret, clock: Clock) -> SecretKeyRing:
    """A process that has read the keys a moment ago."""
    ring = SecretKeyRing(lambda: secret, "keys", clock)
    ring.active_id()
    return ring


@pytest.fixture
def rotated(secret: Secret, clock: Clock) -> SecretKeyRing:
    """Another process, which has rotated since."""
    ring = SecretKeyRing(lambda: secret, "keys", clock)
    ring.write(active="2", added="2")
    return ring


def test_a_reply_address_of_a_newer_key_is_good_at_once(
    warm: SecretKeyRing, rotated: SecretKeyRing, clock: Clock
) -> None:
    token = reply_address.parse(reply_address.sign(rotated, REQUEST_ID, "ann@example.com", START + timedelta(days=1)))
    assert token
    reply_address.verify(warm, token, "ann@example.com", clock.now())


def test_links_callbacks_and_pages_of_a_newer_key_are_good_at_once(
    warm: SecretKeyRing, rotated: SecretKeyRing, secret: Secret
) -> None:
    assert web_tokens.read_callback(warm, web_tokens.sign_callback(rotated, REQUEST_ID)).request_id == REQUEST_ID
    rotated.write(active="3", added="3")
    link = web_tokens.sign_review_link(rotated, REQUEST_ID, "ann@example.com", START)
    assert web_tokens.read_review_link(warm, link).request_id == REQUEST_ID


def test_two_rotations_in_a_row_are_both_noticed(warm: SecretKeyRing, rotated: SecretKeyRing) -> None:
    assert warm.key("2")
    rotated.write(active="3", added="3")
    assert warm.key("3")


def test_what_is_known_costs_no_call(warm: SecretKeyRing, secret: Secret) -> None:
    before = secret.reads
    for _ in range(100):
        assert warm.key("1")
    assert secret.reads == before


def test_forged_ids_cost_few_calls(warm: SecretKeyRing, secret: Secret, clock: Clock) -> None:
    before = secret.reads
    for number in range(100):
        assert warm.key(str(100 + number)) is None
    assert secret.reads - before <= 3
    before = secret.reads
    for number in range(60):
        clock.sleep(1)
        assert warm.key(str(100 + number)) is None
    assert secret.reads - before <= 12


def test_the_same_forged_id_costs_one(warm: SecretKeyRing, secret: Secret) -> None:
    before = secret.reads
    for _ in range(100):
        assert warm.key("99") is None
    assert secret.reads == before + 1


def test_an_altered_link_costs_no_call_and_a_flood_of_forged_ones_few(warm: SecretKeyRing, secret: Secret) -> None:
    link = web_tokens.sign_callback(warm, REQUEST_ID)
    before = secret.reads
    for altered in (link[:-1], f"{link}x", f"x{link}", "x", ""):
        with pytest.raises(TokenInvalid):
            web_tokens.read_callback(warm, altered)
    assert secret.reads == before
    forged = SecretKeyRing(Forger, "keys", Clock())
    for _ in range(50):
        with pytest.raises(TokenInvalid):
            web_tokens.read_callback(warm, web_tokens.sign_callback(forged, REQUEST_ID))
    assert secret.reads - before <= 3


def test_after_a_flood_a_newer_key_is_noticed_within_seconds(
    warm: SecretKeyRing, rotated: SecretKeyRing, clock: Clock
) -> None:
    for number in range(100, 120):
        warm.key(str(number))
    rotated.write(active="3", added="3")
    assert warm.key("3") is None
    assert not warm.read_since(clock.now() + timedelta(seconds=1)), "so that a reply is tried again, not thrown away"
    clock.sleep(6)
    assert warm.key("3")
