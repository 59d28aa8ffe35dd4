"""What proves a try to sign in, and who is signed in: codes, links and cookies; none of them is kept anywhere."""

import hashlib
import hmac

from flow_hitl.people.sign_in_rules import CODE_DIGITS
from flow_hitl.platform import tokens
from flow_hitl.platform.errors import TokenInvalid
from flow_hitl.platform.key_ring import KeyRing, derive
from flow_hitl.platform.records import dataclass

_CODE = "sign-in-code/v1"
_LINK = "sign-in-link/v1"
_BROWSER = "sign-in-browser/v1"
_SESSION = "session/v1"
_FORM = "form/v1"


@dataclass(frozen=True)
class BrowserCookie:
    """The secret of a browser that asks to sign in, and its newest try."""

    secret: str
    try_id: str


@dataclass(frozen=True)
class SessionCookie:
    """Who is signed in, as the cookie says; whether they still are stands in their sessions."""

    email: str
    session_id: str


def code_of(keys: KeyRing, key_id: str, try_id: str) -> str:
    """Return the code of a try, in digits; raises TokenInvalid if the key that it was made with is gone."""
    key = keys.key(key_id)
    if key is None:
        raise TokenInvalid("This code is no longer valid.")
    digest = hmac.new(derive(key, _CODE), try_id.encode(), hashlib.sha256).digest()
    return f"{int.from_bytes(digest) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def sign_link(keys: KeyRing, try_id: str) -> str:
    """Return the token of the link that proves a try."""
    return tokens.sign(keys, _LINK, {"t": try_id})


def read_link(keys: KeyRing, token: str) -> str:
    """Return the id of the try that a link proves; raises TokenInvalid."""
    return str(tokens.read(keys, _LINK, token, "This link was altered or is incomplete.")["t"])


def sign_browser(keys: KeyRing, browser: BrowserCookie) -> str:
    """Return the cookie of a browser that asks to sign in."""
    return tokens.sign(keys, _BROWSER, {"b": browser.secret, "t": browser.try_id})


def read_browser(keys: KeyRing, cookie: str | None) -> BrowserCookie | None:
    """Return what a browser's cookie says, or None for one that is missing or none of ours."""
    payload = _read(keys, _BROWSER, cookie)
    return BrowserCookie(payload["b"], payload["t"]) if payload else None


def sign_session(keys: KeyRing, session: SessionCookie) -> str:
    """Return the cookie of a session."""
    return tokens.sign(keys, _SESSION, {"e": session.email, "s": session.session_id})


def read_session(keys: KeyRing, cookie: str | None) -> SessionCookie | None:
    """Return what a session's cookie says, or None for one that is missing or none of ours."""
    payload = _read(keys, _SESSION, cookie)
    return SessionCookie(payload["e"], payload["s"]) if payload else None


def form_token(keys: KeyRing, session_id: str) -> str:
    """Return the token that each form of a session carries."""
    return tokens.sign(keys, _FORM, {"s": session_id})


def is_form_token(keys: KeyRing, session_id: str, token: str | None) -> bool:
    """Tell whether a form was made in this session."""
    payload = _read(keys, _FORM, token)
    return payload is not None and hmac.compare_digest(str(payload["s"]), session_id)


def _read(keys: KeyRing, purpose: str, token: str | None) -> dict[str, str] | None:
    if not token:
        return None
    try:
        payload: dict[str, str] = tokens.read(keys, purpose, token, "")
    except TokenInvalid:
        return None
    return payload
