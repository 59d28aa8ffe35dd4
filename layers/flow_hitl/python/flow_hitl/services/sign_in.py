"""Signing in by mail: a try is begun for any address, and proven by the code or the link that its owner was sent.

What is done for an address does not depend on whether anybody may sign in with it: that is found out where the mail is
sent, so neither the page nor its timing tells.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network

from flow_hitl.domain.address import is_mail_address
from flow_hitl.domain.errors import Conflict, FieldError, RateLimited, ValidationFailed
from flow_hitl.domain.sign_in import (
    SESSION_LASTS,
    TRY_LASTS,
    Session,
    SignInRefusal,
    SignInRefused,
    SignInTry,
    SignInWay,
    browser_digest,
    guessed,
    known_page,
    require_open,
)
from flow_hitl.ports import Clock, Ids, RateCounters, SessionStore, SignInQueue, SignInTries
from flow_hitl.signing.keys import KeyRing
from flow_hitl.signing.sign_in import (
    BrowserCookie,
    SessionCookie,
    code_of,
    read_browser,
    read_link,
    sign_browser,
    sign_session,
)

_ROUNDS = 8
_WINDOW = timedelta(hours=1)
_PER_ADDRESS_AND_SOURCE, _PER_ADDRESS, _PER_SOURCE = 5, 20, 100


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

        Raises ValidationFailed for what is no mail address, and RateLimited.
        """
        address = email.strip().lower()
        if not is_mail_address(address):
            message = "must be one plain mail address, for example alice@example.com"
            raise ValidationFailed([FieldError("/email", message)])
        now = self.clock.now()
        self._limit(address, _network(source), now)
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
        """Sign in with the code of the browser's newest try; raises SignInRefused, after which one guess is gone."""
        for round_number in range(_ROUNDS):
            found = self.newest_of(cookie)
            after = guessed(found, typed, code_of(self.keys, found.key_id, found.try_id))
            try:
                self.tries.commit(after)
            except Conflict:
                self.pause(round_number)
                continue
            if not after.used:
                raise SignInRefused(SignInRefusal.WRONG_CODE)
            return self._begin_session(found, SignInWay.CODE)
        raise Conflict("somebody keeps typing codes")

    def look_at_link(self, cookie: str | None, token: str) -> SignInTry:
        """Return the try of a link if it may be proven in this browser; raises TokenInvalid and SignInRefused."""
        return self._open(read_link(self.keys, token), read_browser(self.keys, cookie))

    def by_link(self, cookie: str | None, token: str) -> SignedIn:
        """Sign in with a link, once; raises TokenInvalid and SignInRefused."""
        for round_number in range(_ROUNDS):
            found = self.look_at_link(cookie, token)
            try:
                self.tries.commit(replace(found, used=True, version=found.version + 1))
            except Conflict:
                self.pause(round_number)
                continue
            return self._begin_session(found, SignInWay.LINK)
        raise Conflict("somebody keeps typing codes")

    def _open(self, try_id: str, browser: BrowserCookie | None) -> SignInTry:
        found = self.tries.load(try_id) if try_id else None
        return require_open(found, browser_digest(browser.secret) if browser else None, self.clock.now())

    def _begin_session(self, proven: SignInTry, way: SignInWay) -> SignedIn:
        now = self.clock.now()
        session = Session(self.ids.event_id(), way, now, now + SESSION_LASTS)
        for round_number in range(_ROUNDS):
            try:
                self.sessions.commit(self.sessions.load(proven.email).begin(session, now))
            except Conflict:
                self.pause(round_number)
                continue
            cookie = sign_session(self.keys, SessionCookie(proven.email, session.session_id))
            return SignedIn(cookie, proven.next_page)
        raise Conflict("the sessions kept changing")

    def _limit(self, address: str, network: str, now: datetime) -> None:
        """Count this try, and refuse it where there were too many: one place cannot lock an address out for others."""
        for name, most in (
            (f"sign-in/{network}", _PER_SOURCE),
            (f"sign-in/{address}/{network}", _PER_ADDRESS_AND_SOURCE),
            (f"sign-in/{address}", _PER_ADDRESS),
        ):
            if self.counters.count(name, _WINDOW, now) > most:
                seconds = int(_WINDOW.total_seconds())
                retry_after = seconds - int(now.timestamp()) % seconds
                detail = "There were too many sign-in mails in the last hour."
                raise RateLimited(detail, quota="sign_in_mails_per_hour", limit=most, retry_after=retry_after)


def _network(source: str) -> str:
    """Return what is counted as one place: an IPv4 address, or the 64 bits of IPv6 that one connection has."""
    address = ip_address(source)
    return str(ip_network(f"{address}/{32 if address.version == 4 else 64}", strict=False))
