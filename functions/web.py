"""What all pages share: headers, cookies, forms, and the visitor."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from urllib.parse import parse_qs, quote, urlsplit

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import DeploymentName
from flow_hitl.mails.contexts import FileView
from flow_hitl.pages.contexts import NOTICES, ProblemKind, ProblemPage, Section, Shell
from flow_hitl.people.access import SignedInMember
from flow_hitl.people.sign_in_rules import HOME, SESSION_LASTS, TRY_LASTS, known_page
from flow_hitl.people.signed_in import SignedOut, Visitor
from flow_hitl.platform.errors import (
    AssignedElsewhere,
    FieldError,
    FlowHitlError,
    Forbidden,
    NotAsLogged,
    NotFound,
    RateLimited,
    TooLarge,
    ValidationFailed,
)
from flow_hitl.platform.records import dataclass
from flow_hitl.rendering.rendering import FRAMING_PAGE_POLICY, PAGE_SECURITY_POLICY, PageContext, render_page
from functions.http_api import body_bytes, json_response, query
from functions.routing import Cookie, Response, Routes

# Browsers accept `__Host-` only with Secure, for the whole host, and from it alone; on loopback also over HTTP.
_SESSION_COOKIE = "__Host-hitl-session"
_SIGN_IN_COOKIE = "__Host-hitl-sign-in"
_MAX_FIELDS = 2000
_HEADERS = {
    "Content-Security-Policy": PAGE_SECURITY_POLICY,
    "Cache-Control": "no-store",
    # Not "no-referrer": with that, browsers send the form with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
    # A link that is merely displayed must not be resolved.
    "X-DNS-Prefetch-Control": "off",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Strict-Transport-Security": "max-age=31536000",
}


class OutdatedForm(Forbidden):
    """The form was not made by our page in this session."""


class Form:
    """A form as it was sent."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    @property
    def fields(self) -> Mapping[str, str]:
        """The text of each field that was sent."""
        return {name: texts[0] for name, texts in self._fields.items()}

    def texts(self, name: str) -> Sequence[str]:
        """Return all that was sent under a name."""
        return self._fields.get(name, ())

    def text(self, name: str) -> str:
        """Return a field's text, "" without one; raises ValidationFailed if it was sent with different values."""
        texts = set(self._fields.get(name, ()))
        if len(texts) > 1:
            raise ValidationFailed([FieldError(f"/{name}", "was sent twice with different values")])
        return texts.pop() if texts else ""


@dataclass(frozen=True)
class Place:
    """Who is looking, and at which deployment; `notice` is the slug in the page's address."""

    visitor: Visitor
    member: SignedInMember
    notice: str | None

    @property
    def deployment_id(self) -> int:
        return self.member.deployment.deployment_id

    def shell(self, section: Section) -> Shell:
        """Return what surrounds a page of this deployment."""
        deployment = self.member.deployment
        return Shell(
            email=self.visitor.email,
            deployment=DeploymentName(deployment.deployment_id, deployment.name),
            deployments=current().visits.deployments_of(self.visitor),
            section=section,
            manages=self.member.manages,
            form_token=self.visitor.form_token,
            notice=NOTICES.get(self.notice or ""),
        )


def page(
    context: PageContext, status: int = 200, cookies: Sequence[Cookie] = (), *, files: Sequence[FileView] = ()
) -> Response:
    """Return a page with the headers of all pages; it may frame those of its `files` that it shows so."""
    headers: dict[str, str] = dict(_HEADERS)
    if any(one.frame for one in files):
        headers["Content-Security-Policy"] = FRAMING_PAGE_POLICY
    return Response(status, "text/html; charset=utf-8", render_page(context), headers=headers, cookies=cookies)


def told(text: str | None, **more: int) -> Response:
    """Return the answer to an open page that polls for news; None for nothing new."""
    answer = json_response(200, {"text": text, **more})
    answer.headers.update(_HEADERS)
    return answer


def see_other(path: str, cookies: Sequence[Cookie] = ()) -> Response:
    """Redirect to another of our pages."""
    headers: dict[str, str] = {**_HEADERS, "Location": path}
    return Response(303, "text/plain; charset=utf-8", "", headers=headers, cookies=cookies)


def visitor(routes: Routes) -> Visitor:
    """Return who is signed in; raises SignedOut."""
    return current().visits.recognize(_cookie(routes, _SESSION_COOKIE))


def enter(routes: Routes, deployment_id: str) -> Place:
    """Return who is looking at the deployment in the path; raises SignedOut, and NotFound without access."""
    # Only the plain spelling counts: "0456" or "٤٥٦" would be a second address of the same page.
    is_number = deployment_id.isascii() and deployment_id.isdigit() and len(deployment_id) <= 15
    number = int(deployment_id) if is_number else 0
    if str(number) != deployment_id:
        visitor(routes)
        raise NotFound("There is no such deployment.")
    looking, member = current().visits.enter(_cookie(routes, _SESSION_COOKIE), number)
    return Place(looking, member, query(routes, "notice"))


def read_form(routes: Routes, looking: Visitor | None) -> Form:
    """Return the form that was sent; every page that changes something gets its form here.

    Raises OutdatedForm for a form from another site (by Fetch Metadata and Origin) or, with a visitor, from another
    session; ValidationFailed for a body that is not a form.
    """
    if not _is_from_our_page(routes):
        raise OutdatedForm("It was not sent from this site.")
    try:
        text = body_bytes(routes).decode("utf-8", "replace")
        form = Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:
        raise ValidationFailed([FieldError("", "is not this page's form")]) from None
    if looking is not None and not current().visits.is_own_form(looking, form.text("csrf")):
        raise OutdatedForm("It belongs to another session.")
    return form


def sign_in_cookie(routes: Routes) -> str | None:
    """Return the cookie of a browser that asked to sign in, if it has one."""
    return _cookie(routes, _SIGN_IN_COOKIE)


def sign_in_cookie_of(value: str | None) -> Cookie:
    """Return the cookie for a browser that asks to sign in; None deletes it."""
    return _made(_SIGN_IN_COOKIE, value, TRY_LASTS)


def session_cookie_of(value: str | None) -> Cookie:
    """Return the cookie for a session; None deletes it."""
    return _made(_SESSION_COOKIE, value, SESSION_LASTS)


def refused(routes: Routes, error: FlowHitlError) -> Response:
    """Return the page that says what is wrong, or redirect a signed-out visitor to sign in and come back."""
    asked = routes.asked
    if isinstance(error, SignedOut) and asked.method == "GET":
        return see_other(f"/sign-in?next={quote(_asked_for(routes), safe='')}")
    kind, detail = _kind(error), error.detail if isinstance(error, ValidationFailed | NotAsLogged) else None
    minutes = -(-error.retry_after // 60) if isinstance(error, RateLimited) else 0
    next_page = known_page(asked.path) if kind in ("signed_out", "form") else HOME
    answer = page(
        ProblemPage(kind=kind, detail=detail, next_page=next_page, written=written(routes), minutes=minutes),
        error.status,
    )
    if isinstance(error, RateLimited):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def written(routes: Routes) -> str:
    """Return what was typed into a form that was refused."""
    try:
        return read_form(routes, None).text("comment")
    except FlowHitlError:
        return ""


def _is_from_our_page(routes: Routes) -> bool:
    headers = routes.asked.headers
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    base = urlsplit(current().settings.base_url)
    own = f"{base.scheme}://{base.netloc}"
    if site is None:
        # Older browsers and programs have only Origin; any sandboxed frame sends "null".
        return origin in (None, own)
    return site in ("same-origin", "none") and origin in (None, "null", own)


def _kind(error: FlowHitlError) -> ProblemKind:
    match error:
        case SignedOut():
            return "signed_out"
        case OutdatedForm() | ValidationFailed():
            return "form"
        case RateLimited():
            return "rate_limited"
        case TooLarge():
            return "too_large"
        case AssignedElsewhere():
            return "elsewhere"
        case NotAsLogged():
            return "changed"
        case Forbidden():
            return "forbidden"
        case _:
            return "not_found"


def _asked_for(routes: Routes) -> str:
    path, text = routes.asked.path, routes.asked.raw_query
    return known_page(f"{path}?{text}" if text else path)


def _cookie(routes: Routes, name: str) -> str | None:
    for one in routes.asked.cookies:
        found, _, value = one.partition("=")
        if found.strip() == name:
            return value
    return None


def _made(name: str, value: str | None, lasts: timedelta) -> Cookie:
    return Cookie(name, value or "", int(lasts.total_seconds()) if value is not None else 0)
