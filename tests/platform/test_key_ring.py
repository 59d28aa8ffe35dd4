"""A warm process and a rotation: a newer key is looked for, and forged ids cost no call each."""

import base64
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

    def get_secret_value(self, SecretId: str) -> Mapping[str, Any]:  # noqa: N803
        assert SecretId == "keys"
        self.reads += 1
        return {"SecretString": self.text}

    def put_secret_value(self, SecretId: str, SecretString: str) -> None:  # noqa: N803
        assert SecretId == "keys"
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


def test_a_rotation_adds_a_key_of_256_bits_and_the_last_step_takes_the_old_one_away(
    rotated: SecretKeyRing, secret: Secret
) -> None:
    stored = json.loads(secret.text)
    assert (stored["active"], stored["1"]) == ("2", "first")
    assert len(base64.urlsafe_b64decode(stored["2"] + "=")) == 32
    rotated.write(active="2", removed="1")
    assert json.loads(secret.text) == {"active": "2", "2": stored["2"]}
    assert (rotated.active_id(), rotated.key("1"), list(rotated.all_keys())) == ("2", None, ["2"])


def test_the_name_of_the_active_key_is_no_key(warm: SecretKeyRing) -> None:
    assert warm.key("active") is None


def test_a_process_knows_what_was_signed_up_to_when_it_read_the_keys(secret: Secret, clock: Clock) -> None:
    ring = SecretKeyRing(lambda: secret, "keys", clock)
    assert not ring.read_since(START)
    ring.active_id()
    assert ring.read_since(START)
    assert not ring.read_since(START + timedelta(microseconds=1))


def test_keys_are_looked_at_again_as_soon_as_they_are_five_seconds_old(
    warm: SecretKeyRing, secret: Secret, clock: Clock
) -> None:
    clock.sleep(4.9)
    assert (warm.refresh(), secret.reads) == (False, 1)
    clock.sleep(0.1)
    assert (warm.refresh(), secret.reads) == (True, 2)


def test_a_flood_gets_three_looks_and_then_one_each_five_seconds(
    warm: SecretKeyRing, secret: Secret, clock: Clock
) -> None:
    for number in range(100, 110):
        warm.key(str(number))
    assert secret.reads == 1 + 3
    clock.sleep(5)
    for number in range(200, 210):
        warm.key(str(number))
    assert secret.reads == 1 + 3 + 1


def test_an_id_that_was_not_there_is_looked_for_again_after_five_seconds(
    warm: SecretKeyRing, secret: Secret, clock: Clock
) -> None:
    assert warm.key("2") is None
    clock.sleep(5)
    assert warm.key("2") is None
    assert secret.reads == 1 + 2


def test_an_id_that_no_look_was_left_for_is_looked_for_as_soon_as_there_is_one(
    warm: SecretKeyRing, rotated: SecretKeyRing, clock: Clock
) -> None:
    for number in range(100, 103):
        warm.key(str(number))
    rotated.write(active="3", added="3")
    clock.sleep(4)
    assert warm.key("3") is None
    clock.sleep(1)
    assert warm.key("3")
