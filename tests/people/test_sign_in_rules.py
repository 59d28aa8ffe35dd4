"""Tries to sign in and sessions, as plain values: what ends them, and what never counts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from flow_hitl.deployments.deployment import Member, Permission
from flow_hitl.people import sign_in_tokens as sign_in
from flow_hitl.people.sign_in_rules import (
    MAIL_PAUSE,
    MAILS_AT_ONCE,
    MOST_GUESSES,
    MOST_SESSIONS,
    SESSION_LASTS,
    TRY_LASTS,
    SentMails,
    Session,
    Sessions,
    SignInRefusal,
    SignInRefused,
    SignInTry,
    SignInWay,
    browser_digest,
    guessed,
    is_code,
    known_page,
    require_guesses,
    require_open,
    shown_code,
)
from flow_hitl.people.sign_in_tokens import BrowserCookie, SessionCookie
from flow_hitl.platform.errors import TokenInvalid
from tests.support import examples
from tests.support.examples import NOON
from tests.support.key_rings import FixedKeys

KEYS = FixedKeys()
HERE = browser_digest("secret")
TRY = SignInTry("t1", "a@example.com", HERE, "1", "/d", NOON + TRY_LASTS)


def refusal(found: SignInTry | None, browser: str | None = HERE, seconds: float = 0) -> SignInRefusal:
    with pytest.raises(SignInRefused) as refused:
        require_open(found, browser, NOON + timedelta(seconds=seconds))
    return refused.value.reason


def test_a_try_is_good_for_its_time_in_its_browser_once() -> None:
    assert require_open(TRY, HERE, NOON + TRY_LASTS - timedelta(microseconds=1)) is TRY
    assert refusal(TRY, seconds=TRY_LASTS.total_seconds()) is SignInRefusal.EXPIRED
    assert refusal(None) is SignInRefusal.EXPIRED
    assert refusal(replace(TRY, used=True)) is SignInRefusal.USED
    for other in (None, "", browser_digest("other"), "secret"):
        assert refusal(TRY, other) is SignInRefusal.OTHER_BROWSER
        # Another browser does not learn that it was used.
        assert refusal(replace(TRY, used=True), other) is SignInRefusal.OTHER_BROWSER


@pytest.mark.parametrize("typed", ["12345678", "1234 5678", " 1234-5678\n", "Code: 1234 5678.", "１２３４５６７８"])
def test_the_right_code_is_known_however_it_is_typed(typed: str) -> None:
    assert is_code(typed, "12345678")


@pytest.mark.parametrize("typed", ["", "1234567", "123456789", "87654321", "12345678" * 2, "٤٥٦٧٨٩٠١", "é", "\ud800"])
def test_a_wrong_code_is_none(typed: str) -> None:
    assert not is_code(typed, "12345678")


def test_a_wrong_code_is_a_guess_less() -> None:
    assert (guessed(TRY).used, guessed(TRY).guesses, guessed(TRY).version) == (False, 1, TRY.version + 1)


def test_after_five_guesses_there_are_none_left() -> None:
    require_guesses(replace(TRY, guesses=MOST_GUESSES - 1))
    for ask in (require_guesses, guessed):
        with pytest.raises(SignInRefused, match=r"^This does not sign you in\.$") as refused:
            ask(replace(TRY, guesses=MOST_GUESSES))
        assert refused.value.reason is SignInRefusal.NO_MORE_GUESSES


def mailed(minutes: int, sent: SentMails, name: str = "") -> SentMails | None:
    now = NOON + timedelta(minutes=minutes)
    return sent.add(replace(TRY, try_id=name or f"t{minutes}", expires_at=now + TRY_LASTS), now)


def test_an_address_gets_few_mails_and_has_one_that_is_good_at_every_moment() -> None:
    """However often it is asked for: for a whole day, each minute."""
    sent, count = SentMails("a@example.com"), 0
    for minute in range(24 * 60):
        more = mailed(minute, sent)
        count += more is not None
        sent = more or sent
        good = sent.open(NOON + timedelta(minutes=minute))
        assert good
        assert good[-1].expires_at - (NOON + timedelta(minutes=minute)) >= TRY_LASTS - MAIL_PAUSE
    assert count <= 24 * 6 + MAILS_AT_ONCE
    assert len(sent.mails) < 10


def test_a_mail_that_signed_somebody_in_is_not_counted_and_not_good() -> None:
    sent = SentMails("a@example.com")
    for number in range(20):
        sent = mailed(0, sent, f"m{number}") or pytest.fail("no mail")
        sent = sent.without(f"m{number}")
        assert sent.find(f"m{number}", NOON) is None
    for number in range(MAILS_AT_ONCE):
        sent = mailed(0, sent, str(number)) or pytest.fail("no mail")
    assert mailed(0, sent, "one more") is None
    assert sent.find("0", NOON + TRY_LASTS) is None


def test_of_several_mails_each_is_found_by_its_own_try_and_the_changes_are_counted() -> None:
    one = mailed(0, SentMails("a@example.com"), "one") or pytest.fail("no mail")
    both = mailed(1, one, "two") or pytest.fail("no mail")
    found = both.find("two", NOON)
    assert found is not None
    assert (found.try_id, found.key_id, found.sent_at) == ("two", "1", NOON + timedelta(minutes=1))
    assert found.expires_at == NOON + timedelta(minutes=1) + TRY_LASTS
    assert both.find("three", NOON) is None
    assert (one.version, both.version, both.without("two").version) == (1, 2, 3)
    assert both.without("two").mails == one.mails


def test_a_mail_counts_for_an_hour_and_the_next_one_comes_ten_minutes_after_the_last() -> None:
    sent = SentMails("a@example.com")
    for minutes in (0, 1, 2):
        sent = mailed(minutes, sent) or pytest.fail("no mail")
    assert mailed(11, sent) is None
    again = mailed(12, sent)
    assert again is not None
    assert [one.try_id for one in again.mails] == ["t0", "t1", "t2", "t12"]
    # After an hour there are mails at once again.
    much_later = mailed(60, sent)
    assert much_later is not None
    assert [one.try_id for one in much_later.mails] == ["t1", "t2", "t60"]


def test_a_session_that_is_ended_stays_ended_at_its_earlier_end() -> None:
    one = Sessions("a@example.com").begin(session("one"), NOON)
    ended = one.end("one", NOON + timedelta(minutes=1))
    assert ended.end(None, NOON + timedelta(minutes=2)).sessions == ended.sessions
    assert one.end("one", NOON + 2 * SESSION_LASTS).sessions == one.sessions
    # At its very end it is over, and forgotten.
    assert ended.begin(session("two"), NOON + timedelta(minutes=1)).sessions == (session("two"),)


def test_a_code_is_shown_in_two_groups() -> None:
    assert shown_code("12345678") == "1234 5678"


def session(name: str, minutes: int = 0) -> Session:
    began = NOON + timedelta(minutes=minutes)
    return Session(name, SignInWay.CODE, began, began + SESSION_LASTS)


def test_sessions_begin_and_end_by_themselves_and_by_hand() -> None:
    both = Sessions("a@example.com").begin(session("one"), NOON).begin(session("two"), NOON)
    assert both.version == 2
    ended = both.end("one", NOON)
    assert ended.find("one", NOON) is None
    assert ended.find("two", NOON) is not None
    assert both.end(None, NOON).find("two", NOON) is None
    assert both.find("two", NOON + SESSION_LASTS) is None
    assert both.find("three", NOON) is None
    # What is over is forgotten with the next one.
    later = ended.begin(session("three", minutes=1), NOON + timedelta(minutes=1))
    assert [one.session_id for one in later.sessions] == ["two", "three"]


def test_somebody_has_twenty_sessions_at_most() -> None:
    many = Sessions("a@example.com")
    for number in range(MOST_SESSIONS + 3):
        many = many.begin(session(str(number)), NOON)
    assert [one.session_id for one in many.sessions] == [str(number) for number in range(3, MOST_SESSIONS + 3)]


def test_a_session_remembers_where_it_was_noted() -> None:
    entered = Sessions("a@example.com").begin(session("one"), NOON).begin(session("two"), NOON).enter("one", 456)
    assert [one.entered for one in entered.sessions] == [(456,), ()]
    assert entered.enter("one", 7).sessions[0].entered == (456, 7)


@pytest.mark.parametrize(
    "page",
    [
        "/d",
        "/d/1/requests",
        "/d/1/requests/0192f0c1-7e11-7abc-8def-0123456789ab",
        "/d/12/settings/api-keys",
        "/d/1/requests?tab=history&q=a%2Fb",
    ],
)
def test_our_pages_are_known(page: str) -> None:
    assert known_page(page) == page


@pytest.mark.parametrize(
    "page",
    [
        None,
        "",
        "/",
        "//x.example",
        "/d//x.example",
        "/d/1//x.example",
        "/d/1/../../x",
        "/d/1/requests#x",
        "/d/1/requests?next=//x",
        "/d/1/requests\n",
        "/d\\x",
        "https://x.example/d",
        "/d/1/requests?" + "x" * 501,
        "/dx",
        "/D",
    ],
)
def test_what_is_none_of_our_pages_leads_to_the_first_one(page: str | None) -> None:
    assert known_page(page) == "/d"


# --- what proves it


def test_a_code_is_eight_digits_of_its_try_and_key_alone() -> None:
    codes = {sign_in.code_of(KEYS, "1", f"t{number}") for number in range(200)}
    assert len(codes) == 200
    assert all(len(code) == 8 and code.isdigit() for code in codes)
    assert sign_in.code_of(KEYS, "1", "t1") == sign_in.code_of(KEYS, "1", "t1")
    with pytest.raises(TokenInvalid, match=r"^This code is no longer valid\.$"):
        sign_in.code_of(KEYS, "9", "t1")


def test_a_code_that_was_sent_is_good_after_an_upgrade_too() -> None:
    assert sign_in.code_of(KEYS, "1", "t1") == "81784918"


def test_cookies_and_links_say_what_was_put_into_them() -> None:
    assert sign_in.read_link(KEYS, sign_in.sign_link(KEYS, "t1")) == "t1"
    for altered in ("x", sign_in.sign_link(KEYS, "t1") + "A"):
        with pytest.raises(TokenInvalid, match=r"^This link was altered or is incomplete\.$"):
            sign_in.read_link(KEYS, altered)
    browser, here = BrowserCookie("secret", "t1"), SessionCookie("a@example.com", "s1")
    assert sign_in.read_browser(KEYS, sign_in.sign_browser(KEYS, browser)) == browser
    assert sign_in.read_session(KEYS, sign_in.sign_session(KEYS, here)) == here
    token = sign_in.form_token(KEYS, "s1")
    assert sign_in.is_form_token(KEYS, "s1", token)
    assert not sign_in.is_form_token(KEYS, "s2", token)


def test_none_is_taken_for_another() -> None:
    browser, here = BrowserCookie("secret", "t1"), SessionCookie("a@example.com", "s1")
    texts = {
        "link": sign_in.sign_link(KEYS, "t1"),
        "browser": sign_in.sign_browser(KEYS, browser),
        "session": sign_in.sign_session(KEYS, here),
        "form": sign_in.form_token(KEYS, "s1"),
    }
    for name, text in texts.items():
        assert name == "browser" or sign_in.read_browser(KEYS, text) is None
        assert name == "session" or sign_in.read_session(KEYS, text) is None
        assert name == "form" or not sign_in.is_form_token(KEYS, "s1", text)
    for altered in (None, "", "x", texts["session"][:-1], texts["session"] + "x"):
        assert sign_in.read_session(KEYS, altered) is None


# --- who is let in


def test_the_index_of_people_is_who_has_a_permission() -> None:
    people = (
        Member("m@example.com", frozenset({Permission.MANAGE}), ("M@Private.example.com",)),
        Member("none@example.com", frozenset(), ("none@private.example.com",)),
        Member("creator@example.com", frozenset(), ("creator@private.example.com",)),
        Member("r@example.com", frozenset({Permission.RESPOND}), ("none@private.example.com",)),
    )
    made = examples.deployment(members=people)
    mentioned = {made.creator_email, *(name for one in people for name in (one.email, *one.aliases))}
    assert made.people == {address.lower() for address in mentioned if made.permissions_of(address)}
    assert "none@example.com" not in made.people
    assert "none@private.example.com" in made.people
