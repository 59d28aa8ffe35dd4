"""The signed tokens in URLs."""

import string
from collections.abc import Callable
from datetime import timedelta

import pytest

from flow_hitl.platform.errors import TokenExpired, TokenInvalid
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.requests.deciding import web_tokens
from flow_hitl.requests.deciding.web_tokens import CallbackLink, WebhookName
from tests.support.examples import ASSIGNEE, NOON, REQUEST_ID
from tests.support.key_rings import FixedKeys

KEYS = FixedKeys()
UNTIL = NOON + timedelta(days=7)
LINK = web_tokens.sign_review_link(KEYS, REQUEST_ID, ASSIGNEE, UNTIL)
CALLBACK = web_tokens.sign_callback(KEYS, REQUEST_ID)
WEBHOOK = WebhookName(456, "wh_1")
CONTENT = web_tokens.sign_content_link(KEYS, REQUEST_ID, WEBHOOK, UNTIL)
URL_SAFE = string.ascii_letters + string.digits + "-_"


def test_a_review_link_names_its_request_its_reader_and_its_end() -> None:
    link = web_tokens.read_review_link(KEYS, LINK)
    assert link.request_id == REQUEST_ID
    assert link.issued_to(ASSIGNEE.upper())
    assert not link.issued_to("b@example.com")
    link.require_unexpired(UNTIL)
    with pytest.raises(TokenExpired, match=r"^This link has expired\.$") as expired:
        link.require_unexpired(UNTIL + timedelta(seconds=1))
    assert expired.value.request_id == REQUEST_ID


def test_a_review_link_does_not_show_the_address() -> None:
    assert "example" not in LINK


def test_a_callback_names_its_request() -> None:
    assert web_tokens.read_callback(KEYS, CALLBACK) == CallbackLink(REQUEST_ID, webhook=None)


def test_a_webhooks_callback_names_the_webhook_too() -> None:
    token = web_tokens.sign_callback(KEYS, REQUEST_ID, WEBHOOK)
    assert web_tokens.read_callback(KEYS, token) == CallbackLink(REQUEST_ID, WEBHOOK)


def test_a_content_link_names_its_request_its_webhook_and_its_end() -> None:
    link = web_tokens.read_content_link(KEYS, web_tokens.sign_content_link(KEYS, REQUEST_ID, WEBHOOK, UNTIL))
    assert (link.request_id, link.webhook, link.expires_at) == (REQUEST_ID, WEBHOOK, UNTIL)
    link.require_unexpired(UNTIL)
    with pytest.raises(TokenExpired, match=r"^This link has expired\. Ask for a redelivery\.$") as expired:
        link.require_unexpired(UNTIL + timedelta(seconds=1))
    assert expired.value.request_id == REQUEST_ID


def test_a_page_that_was_shown_is_known_again_for_its_request_and_its_reader_alone() -> None:
    token = web_tokens.sign_shown(KEYS, REQUEST_ID, ASSIGNEE, "ab12")
    assert web_tokens.read_shown(KEYS, token, REQUEST_ID, ASSIGNEE.upper()) == "ab12"
    for request_id, address in ((WEBHOOK.webhook_id, ASSIGNEE), (REQUEST_ID, "b@example.com")):
        with pytest.raises(TokenInvalid, match="altered or is incomplete"):
            web_tokens.read_shown(KEYS, token, request_id, address)
    with pytest.raises(TokenInvalid, match="altered or is incomplete"):
        web_tokens.read_shown(KEYS, CALLBACK, REQUEST_ID, ASSIGNEE)


@pytest.mark.parametrize("token", [CALLBACK + "A", CALLBACK + "=", "x" + CALLBACK, ""])
@pytest.mark.parametrize("read", [web_tokens.read_callback, web_tokens.read_review_link, web_tokens.read_content_link])
def test_whoever_has_an_altered_link_is_told_to_open_it_again(
    token: str, read: Callable[[KeyRing, str], object]
) -> None:
    with pytest.raises(
        TokenInvalid, match=r"^This link was altered or is incomplete\. Open it again from the email\.$"
    ):
        read(KEYS, token)


def test_tokens_need_no_escaping_in_a_url() -> None:
    assert set(LINK + CALLBACK) <= set(URL_SAFE + ".")


@pytest.mark.parametrize("position", range(len(CALLBACK)))
def test_every_altered_character_fails(position: int) -> None:
    for other in (URL_SAFE + ".=").replace(CALLBACK[position], ""):
        with pytest.raises(TokenInvalid):
            web_tokens.read_callback(KEYS, CALLBACK[:position] + other + CALLBACK[position + 1 :])


@pytest.mark.parametrize(
    "token", ["", ".", "..", CALLBACK[:-1], CALLBACK + "A", CALLBACK + "=", CALLBACK.upper(), "\u00e9", "." + CALLBACK]
)
def test_what_is_no_token_fails(token: str) -> None:
    with pytest.raises(TokenInvalid):
        web_tokens.read_callback(KEYS, token)


def test_one_kind_is_not_the_other() -> None:
    with pytest.raises(TokenInvalid):
        web_tokens.read_callback(KEYS, LINK)
    with pytest.raises(TokenInvalid):
        web_tokens.read_review_link(KEYS, CALLBACK)
    for other in (LINK, CALLBACK):
        with pytest.raises(TokenInvalid):
            web_tokens.read_content_link(KEYS, other)
    with pytest.raises(TokenInvalid):
        web_tokens.read_callback(KEYS, CONTENT)


def test_an_older_key_still_proves_and_a_lost_one_does_not() -> None:
    assert web_tokens.read_callback(FixedKeys(active="2"), CALLBACK).request_id == REQUEST_ID
    with pytest.raises(TokenInvalid):
        web_tokens.read_callback(FixedKeys(active="2", keys={"2": b"second key"}), CALLBACK)


class Rotated(FixedKeys):
    """A key ring that learns of a newer key only when it looks again."""

    def refresh(self) -> bool:
        first_look = "3" not in self.keys
        self.keys = {**self.keys, "3": b"third key"}
        return first_look


def test_a_key_that_is_newer_than_this_process_is_looked_for_once() -> None:
    token = web_tokens.sign_callback(FixedKeys(active="3", keys={"3": b"third key"}), REQUEST_ID)
    assert web_tokens.read_callback(Rotated(), token).request_id == REQUEST_ID
    with pytest.raises(TokenInvalid, match="altered or is incomplete"):
        web_tokens.read_callback(Rotated(), token + "A")


def test_what_another_key_signed_is_told_so_after_the_look_too() -> None:
    forged = web_tokens.sign_callback(FixedKeys(active="3", keys={"3": b"a stranger's key"}), REQUEST_ID)
    with pytest.raises(TokenInvalid, match="altered or is incomplete"):
        web_tokens.read_callback(Rotated(), forged)


def test_the_active_key_signs() -> None:
    for active, key in FixedKeys().keys.items():
        token = web_tokens.sign_callback(FixedKeys(active=active), REQUEST_ID)
        assert web_tokens.read_callback(FixedKeys(active=active, keys={active: key}), token).request_id == REQUEST_ID
