"""The signed local part of a reply-to address: nothing about it can be changed."""

import string
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_hitl.platform.errors import TokenExpired, TokenInvalid
from flow_hitl.requests.deciding import reply_address
from tests.support.examples import ASSIGNEE, NOON, REQUEST_ID
from tests.support.key_rings import FixedKeys

KEYS = FixedKeys()
UNTIL = NOON + timedelta(days=7)
TOKEN = reply_address.sign(KEYS, REQUEST_ID, ASSIGNEE, UNTIL)
BASE32 = string.ascii_lowercase + "234567"


def check(text: str, *, address: str = ASSIGNEE, now: datetime = NOON, keys: FixedKeys = KEYS) -> str:
    """Return the request that a local part is for; raises TokenInvalid or TokenExpired."""
    token = reply_address.parse(text)
    if token is None:
        raise TokenInvalid("no token")
    reply_address.verify(keys, token, address, now)
    return token.request_id


def test_it_fits_a_local_part_and_every_mail_client() -> None:
    assert len(TOKEN) == 56
    token = reply_address.sign(KEYS, REQUEST_ID, ASSIGNEE, UNTIL)
    assert token == TOKEN
    assert set(token) <= set(BASE32)
    assert check(token) == REQUEST_ID


def test_clients_that_change_case_do_no_harm() -> None:
    assert check(TOKEN.upper()) == check(TOKEN.title()) == REQUEST_ID


@pytest.mark.parametrize("position", range(56))
def test_every_altered_character_fails(position: int) -> None:
    for other in BASE32.replace(TOKEN[position], ""):
        with pytest.raises(TokenInvalid):
            check(TOKEN[:position] + other + TOKEN[position + 1 :])


@pytest.mark.parametrize(
    "text",
    [
        TOKEN[:-1],
        TOKEN[1:],
        TOKEN + "a",
        "",
        TOKEN + "=",
        " " + TOKEN,
        TOKEN[:-1] + "1",
        TOKEN[:-1] + "\u212a",
        "a" * 56,
    ],
)
def test_what_is_cut_lengthened_or_no_token_fails(text: str) -> None:
    with pytest.raises(TokenInvalid):
        check(text)


@pytest.mark.parametrize("address", ["b@example.com", "a@example.org", "", "a@example.com.", "aa@example.com"])
def test_it_is_worth_nothing_to_another_address(address: str) -> None:
    with pytest.raises(
        TokenInvalid, match=r"^The reply address was not issued to the person this request is assigned to\.$"
    ):
        check(TOKEN, address=address)


def test_the_case_of_the_address_does_not_matter() -> None:
    assert check(TOKEN, address=ASSIGNEE.upper()) == REQUEST_ID


def test_a_key_that_is_gone_proves_nothing() -> None:
    with pytest.raises(TokenInvalid):
        check(TOKEN, keys=FixedKeys(active="2", keys={"2": b"second key"}))
    with pytest.raises(TokenInvalid):
        check(TOKEN, keys=FixedKeys(keys={"1": b"another key"}))


def test_without_the_active_key_nothing_is_issued() -> None:
    with pytest.raises(LookupError, match="the active signing key 3 is not in the key ring"):
        reply_address.sign(FixedKeys(active="3"), REQUEST_ID, ASSIGNEE, UNTIL)


def test_a_key_that_is_no_longer_active_still_proves() -> None:
    assert check(TOKEN, keys=FixedKeys(active="2")) == REQUEST_ID


def test_it_holds_up_to_its_last_second() -> None:
    assert check(TOKEN, now=UNTIL) == REQUEST_ID
    with pytest.raises(TokenExpired, match=r"^The reply address has expired\.$") as raised:
        check(TOKEN, now=UNTIL + timedelta(seconds=1))
    assert raised.value.request_id == REQUEST_ID


def test_an_altered_token_is_invalid_not_expired() -> None:
    altered = TOKEN[:-1] + ("a" if TOKEN[-1] != "a" else "b")
    with pytest.raises(TokenInvalid):
        check(altered, now=UNTIL + timedelta(days=1))


requests = st.uuids().map(str)
addresses = st.from_regex(r"[a-z0-9.+-]{1,20}@[a-z0-9-]{1,10}\.[a-z]{2,5}", fullmatch=True)
times = st.integers(0, 2**32 - 2).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@settings(max_examples=50)
@given(requests, addresses, times)
def test_every_request_address_and_time_survives(request_id: str, address: str, until: datetime) -> None:
    token = reply_address.sign(KEYS, request_id, address, until)
    assert len(token) == 56
    assert check(token, address=address, now=until) == request_id
    with pytest.raises(TokenExpired):
        check(token, address=address, now=until + timedelta(seconds=1))


@settings(max_examples=200)
@given(st.binary(min_size=35, max_size=35))
def test_no_random_token_is_ever_genuine(octets: bytes) -> None:
    parsed = reply_address.ReplyToken(1, str(uuid.UUID(bytes=octets[1:17])), 2**32 - 1, octets[21:])
    with pytest.raises(TokenInvalid):
        reply_address.verify(KEYS, parsed, ASSIGNEE, NOON)
