"""Signing in without a password: a try is proven by its code or its link, once, in the browser that asked.

Every function here is pure. A try ends by being used, by its time or by wrong guesses; a session by being ended or by
its time.
"""

import hmac
import re
import unicodedata
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from flow_hitl.platform.errors import Unauthorized
from flow_hitl.platform.records import dataclass

CODE_DIGITS = 8
MOST_GUESSES = 5
TRY_LASTS = timedelta(minutes=15)
MAILS_AT_ONCE = 3
"""An address gets so many emails on request; after that, one as soon as the last is `MAIL_PAUSE` old."""
MAIL_PAUSE = timedelta(minutes=10)
MAILS_COUNT = timedelta(hours=1)
"""For how long an email counts among those."""
MOST_GUESSES_AT_OTHERS = 50
"""How many wrong codes an hour an address may see from browsers that the email was not made for."""
SESSION_LASTS = timedelta(days=7)
MOST_SESSIONS = 20
HOME = "/d"

# The pages of signed-in people, and nothing else: not `//host`, no backslash, no other scheme.
_PAGE = re.compile(
    r"/d(?:/[0-9]{1,15}(?:/[a-z-]{1,40}(?:/[A-Za-z0-9_-]{1,60}){0,2})?)?(?:\?[A-Za-z0-9_.~%&=+:@-]{0,500})?"
)


class SignInWay(StrEnum):
    """How somebody proved that the email was theirs."""

    CODE = "code"
    LINK = "link"


class SignInRefusal(StrEnum):
    """Why a try was not taken; after all but the first, a new email or the other browser is needed."""

    WRONG_CODE = "wrong_code"
    NO_MORE_GUESSES = "no_more_guesses"
    EXPIRED = "expired"
    USED = "used"
    OTHER_BROWSER = "other_browser"


class SignInRefused(Unauthorized):
    """A try to sign in that was not taken."""

    def __init__(self, reason: SignInRefusal) -> None:
        super().__init__("This does not sign you in.")
        self.reason = reason


@dataclass(frozen=True)
class SignInTry:
    """One try of somebody who gave this address; `browser` is the digest of the asking browser's secret.

    The code and the link follow from the id and the signing key of `key_id`; neither is kept.
    """

    try_id: str
    email: str
    browser: str
    key_id: str
    next_page: str
    expires_at: datetime
    guesses: int = 0
    used: bool = False
    version: int = 0


@dataclass(frozen=True)
class SentMail:
    """One email with a code and a link: the try that it was made for, and the key that its code follows from."""

    try_id: str
    key_id: str
    sent_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class SentMails:
    """The emails to one address that have signed nobody in yet, oldest first; `version` counts the changes.

    Anybody can ask for emails to an address, so there are few. Whoever gets none uses the last one: it proves the
    address in each browser that asked to sign in with it.
    """

    email: str
    mails: tuple[SentMail, ...] = ()
    version: int = 0

    def find(self, try_id: str, now: datetime) -> SentMail | None:
        """Return the email that was made for a try, while its code and link are good."""
        return next((one for one in self.open(now) if one.try_id == try_id), None)

    def open(self, now: datetime) -> tuple[SentMail, ...]:
        """Return the emails whose code and link are good."""
        return tuple(one for one in self.mails if now < one.expires_at)

    def add(self, made_for: SignInTry, now: datetime) -> "SentMails | None":
        """Return them with the email of a try, or None if the address has had too many."""
        counted = tuple(one for one in self.mails if now < one.sent_at + MAILS_COUNT)
        if len(counted) >= MAILS_AT_ONCE and now < counted[-1].sent_at + MAIL_PAUSE:
            return None
        new = SentMail(made_for.try_id, made_for.key_id, now, made_for.expires_at)
        return replace(self, mails=(*counted, new), version=self.version + 1)

    def without(self, try_id: str) -> "SentMails":
        """Return them without one that has signed somebody in: it was wanted, and it is used up."""
        left = tuple(one for one in self.mails if one.try_id != try_id)
        return replace(self, mails=left, version=self.version + 1)


@dataclass(frozen=True)
class Session:
    """One browser in which somebody is signed in; `entered` are the deployments that have noted so."""

    session_id: str
    way: SignInWay
    began_at: datetime
    expires_at: datetime
    entered: tuple[int, ...] = ()


@dataclass(frozen=True)
class Sessions:
    """All sessions of the person behind one address, oldest first; `version` counts the changes."""

    email: str
    sessions: tuple[Session, ...] = ()
    version: int = 0

    def find(self, session_id: str, now: datetime) -> Session | None:
        """Return a session that has neither been ended nor expired."""
        return next((one for one in self.sessions if one.session_id == session_id and now < one.expires_at), None)

    def begin(self, session: Session, now: datetime) -> "Sessions":
        """Return them with one more, without those that are over; the oldest give way to the twentieth."""
        going_on = tuple(one for one in self.sessions if now < one.expires_at)
        return self._with((*going_on, session)[-MOST_SESSIONS:])

    def end(self, session_id: str | None, now: datetime) -> "Sessions":
        """Return them with one ended, or with all."""
        return self._with(
            tuple(
                replace(one, expires_at=min(one.expires_at, now)) if session_id in (None, one.session_id) else one
                for one in self.sessions
            )
        )

    def enter(self, session_id: str, deployment_id: int) -> "Sessions":
        """Return them with a deployment noted in one."""
        return self._with(
            tuple(
                replace(one, entered=(*one.entered, deployment_id)) if one.session_id == session_id else one
                for one in self.sessions
            )
        )

    def _with(self, sessions: tuple[Session, ...]) -> "Sessions":
        return replace(self, sessions=sessions, version=self.version + 1)


def browser_digest(secret: str) -> str:
    """Return the digest under which a browser's secret is kept with its tries."""
    return sha256(secret.encode()).hexdigest()


def require_open(found: SignInTry | None, browser: str | None, now: datetime) -> SignInTry:
    """Return the try if it may still be proven in this browser (its digest); raises SignInRefused."""
    if found is None or now >= found.expires_at:
        raise SignInRefused(SignInRefusal.EXPIRED)
    if browser is None or not hmac.compare_digest(found.browser, browser):
        raise SignInRefused(SignInRefusal.OTHER_BROWSER)
    if found.used:
        raise SignInRefused(SignInRefusal.USED)
    return found


def is_code(typed: str, code: str) -> bool:
    """Tell whether what somebody typed is a code, however they grouped its digits."""
    digits = re.sub(r"[^0-9]", "", unicodedata.normalize("NFKC", typed))
    return hmac.compare_digest(digits, code)


def guessed(found: SignInTry) -> SignInTry:
    """Return a try after somebody typed a wrong code; raises SignInRefused if there are no guesses left."""
    require_guesses(found)
    return replace(found, guesses=found.guesses + 1, version=found.version + 1)


def require_guesses(found: SignInTry) -> None:
    """Raise SignInRefused if there are no guesses left."""
    if found.guesses >= MOST_GUESSES:
        raise SignInRefused(SignInRefusal.NO_MORE_GUESSES)


def shown_code(code: str) -> str:
    """Return a code as people read it: in two groups."""
    half = len(code) // 2
    return f"{code[:half]} {code[half:]}"


def known_page(path: str | None) -> str:
    """Return where to go after signing in: the path if it is one of our pages, else the first page."""
    return path if path and _PAGE.fullmatch(path) else HOME
