"""Signing in by email: a try is begun for any address, and proven by the code or the link that its owner was sent.

Neither the page nor its timing tells whether anybody may sign in with an address: that is found out where the email is
sent. Nobody can use up another browser's guesses, and who gets no email because others asked for too many uses theirs.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from flow_hitl.people.ports import RateCounters, SessionStore, SignInQueue, SignInTries
from flow_hitl.people.sign_in_rules import (
    MAILS_COUNT,
    MOST_GUESSES_AT_OTHERS,
    SESSION_LASTS,
    TRY_LASTS,
    SentMail,
    SentMails,
    Session,
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
)
from flow_hitl.people.sign_in_tokens import (
    BrowserCookie,
    SessionCookie,
    code_of,
    read_browser,
    read_link,
    sign_browser,
    sign_session,
)
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.errors import FieldError, RateLimited, ValidationFailed
from flow_hitl.platform.key_ring import KeyRing
from flow_hitl.platform.ports import Clock, Ids
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.rounds import in_rounds

_WINDOW = timedelta(minutes=10)
_PER_SOURCE = 100


@dataclass(frozen=True)
class SignedIn:
    """The cookie of a new session, and where its person wanted to go."""

    cookie: str
    next_page: str


@dataclass(frozen=True)
class SignIn:
    """Begin and prove tries; the browser is known by the secret in its cookie, and a try counts in its own alone."""

    tries: SignInTries
    sessions: SessionStore
    queue: SignInQueue
    counters: RateCounters
    keys: KeyRing
    clock: Clock
    ids: Ids
    pause: Callable[[int], None]

    def begin(self, email: str, next_page: str | None, cookie: str | None, source: str) -> str:
        """Begin a try for an address, from an IP address, and return the browser's cookie.

        Raises ValidationFailed for what is no email address, and RateLimited.
        """
        address = email.strip().lower()
        if not is_mail_address(address):
            message = "must be one plain email address, for example alice@example.com"
            raise ValidationFailed([FieldError("/email", message)])
        now = self.clock.now()
        self._limit(_network(source), now)
        known = read_browser(self.keys, cookie)
        browser = BrowserCookie(known.secret if known else self.ids.event_id(), self.ids.event_id())
        self.tries.begin(
            SignInTry(
                try_id=browser.try_id,
                email=address,
                browser=browser_digest(browser.secret),
                key_id=self.keys.active_id(),
                next_page=known_page(next_page),
                expires_at=now + TRY_LASTS,
            )
        )
        self.queue.send(browser.try_id)
        return sign_browser(self.keys, browser)

    def newest_of(self, cookie: str | None) -> SignInTry:
        """Return the newest try of a browser, as long as it may be proven; raises SignInRefused."""
        browser = read_browser(self.keys, cookie)
        return self._open(browser.try_id if browser else "", browser)

    def by_code(self, cookie: str | None, typed: str) -> SignedIn:
        """Sign in with the code of an email to the address that this browser gave.

        Raises SignInRefused, after which one guess of this browser's try is gone.
        """

        def attempt() -> SignedIn:
            found, now = self.newest_of(cookie), self.clock.now()
            require_guesses(found)
            sent = self.tries.sent_to(found.email)
            mail = self._mail_of(found, sent, typed, now)
            if mail is not None:
                return self._redeem(found, sent.without(mail.try_id), SignInWay.CODE)
            self.tries.commit(guessed(found))
            raise SignInRefused(SignInRefusal.WRONG_CODE)

        return in_rounds(attempt, self.pause)

    def look_at_link(self, cookie: str | None, token: str) -> SignInTry:
        """Return the try that a link would prove in this browser; raises TokenInvalid and SignInRefused."""
        return self._by_link(cookie, token)[0]

    def by_link(self, cookie: str | None, token: str) -> SignedIn:
        """Sign in with a link, once; raises TokenInvalid and SignInRefused."""

        def attempt() -> SignedIn:
            found, left = self._by_link(cookie, token)
            return self._redeem(found, left, SignInWay.LINK)

        return in_rounds(attempt, self.pause)

    def _mail_of(self, found: SignInTry, sent: SentMails, typed: str, now: datetime) -> SentMail | None:
        """Return the email whose code was typed, of those that may sign in the browser of a try."""
        own = sent.find(found.try_id, now)
        if own and is_code(typed, code_of(self.keys, own.key_id, own.try_id)):
            return own
        # Who begins many tries could guess at one email with all of them; its link stays good.
        guesses = self.counters.count(f"sign-in-guesses/{found.email}", MAILS_COUNT, now)
        others = sent.open(now) if guesses <= MOST_GUESSES_AT_OTHERS else ()
        right = [one for one in others if is_code(typed, code_of(self.keys, one.key_id, one.try_id))]
        return right[0] if right else None

    def _by_link(self, cookie: str | None, token: str) -> tuple[SignInTry, SentMails]:
        """Return the try that a link proves in this browser, and the emails to its address without the link's."""
        mailed_for, now = read_link(self.keys, token), self.clock.now()
        browser = read_browser(self.keys, cookie)
        made = self.tries.load(mailed_for)
        try:
            found = self._require_open(made, browser)
        except SignInRefused as refused:
            newest = self.tries.load(browser.try_id) if browser else None
            if refused.reason is not SignInRefusal.OTHER_BROWSER or newest is None or made is None:
                raise
            if newest.email != made.email:
                raise
            found = self._require_open(newest, browser)
        sent = self.tries.sent_to(found.email)
        if sent.find(mailed_for, now) is None:
            raise SignInRefused(SignInRefusal.USED)
        return found, sent.without(mailed_for)

    def _open(self, try_id: str, browser: BrowserCookie | None) -> SignInTry:
        return self._require_open(self.tries.load(try_id) if try_id else None, browser)

    def _require_open(self, found: SignInTry | None, browser: BrowserCookie | None) -> SignInTry:
        return require_open(found, browser_digest(browser.secret) if browser else None, self.clock.now())

    def _redeem(self, proven: SignInTry, left: SentMails, way: SignInWay) -> SignedIn:
        """Use up a try and an email, and begin the session that they are for, all in one write; raises Conflict."""
        now = self.clock.now()
        session = Session(self.ids.event_id(), way, now, now + SESSION_LASTS)
        used = replace(proven, used=True, version=proven.version + 1)
        self.tries.redeem(used, left, self.sessions.load(proven.email).begin(session, now))
        return SignedIn(sign_session(self.keys, SessionCookie(proven.email, session.session_id)), proven.next_page)

    def _limit(self, network: str, now: datetime) -> None:
        """Count this try, and refuse it where there were too many from one place, for whatever addresses."""
        if self.counters.count(f"sign-in/{network}", _WINDOW, now) > _PER_SOURCE:
            seconds = int(_WINDOW.total_seconds())
            retry_after = seconds - int(now.timestamp()) % seconds
            detail = "There were too many attempts to sign in from your network in the last ten minutes."
            raise RateLimited(detail, quota="sign_ins_per_network", limit=_PER_SOURCE, retry_after=retry_after)


def _network(source: str) -> str:
    """Return what is counted as one place: an IPv4 address, or the 64 bits of IPv6 that one connection has."""
    address = ip_address(source)
    return str(ip_network(f"{address}/{32 if address.version == 4 else 64}", strict=False))
