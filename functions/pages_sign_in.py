"""Signing in and out: a form asks for the email, and its code or link signs in, by POST only."""

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import (
    NOTICES,
    DeploymentsPage,
    SignInCodePage,
    SignInLinkPage,
    SignInPage,
    SignInRefusedPage,
)
from flow_hitl.people.sign_in import SignedIn
from flow_hitl.people.sign_in_rules import SignInRefusal, SignInRefused, known_page
from flow_hitl.people.signed_in import SignedOut
from flow_hitl.platform.errors import NotFound, TokenInvalid, ValidationFailed
from functions.http_api import problem, query, wants_page
from functions.routing import Response, Routes
from functions.web import (
    page,
    read_form,
    see_other,
    session_cookie_of,
    sign_in_cookie,
    sign_in_cookie_of,
    visitor,
)

router = Routes()


@router.get("/")
def start() -> Response:
    if not wants_page(router):
        return problem(NotFound("The API is below /v1, and /docs describes it."))
    return see_other("/d")


@router.get("/d")
def choose_deployment() -> Response:
    looking = visitor(router)
    deployments = current().visits.deployments_of(looking)
    if len(deployments) == 1:
        return see_other(f"/d/{deployments[0].deployment_id}/requests")
    rows = current().overview(looking.email, deployments)
    return page(DeploymentsPage(email=looking.email, deployments=rows, form_token=looking.form_token))


@router.get("/sign-in")
def ask() -> Response:
    next_page = known_page(query(router, "next"))
    if _is_signed_in():
        return see_other(next_page)
    return page(SignInPage(next_page=next_page, notice=NOTICES.get(query(router, "notice") or "")))


@router.post("/sign-in")
def send_mail() -> Response:
    form = read_form(router, None)
    email, next_page = form.text("email"), known_page(form.text("next"))
    source = router.asked.source_ip
    try:
        cookie = current().sign_in.begin(email, next_page, sign_in_cookie(router), source)
    except ValidationFailed as refused:
        problem = f"This {refused.errors[0].message}."
        return page(SignInPage(next_page=next_page, email=email, problem=problem), refused.status)
    return see_other("/sign-in/code", [sign_in_cookie_of(cookie)])


@router.get("/sign-in/code")
def ask_for_code() -> Response:
    try:
        found = current().sign_in.newest_of(sign_in_cookie(router))
    except SignInRefused as refused:
        return _refused(refused)
    return page(SignInCodePage(email=found.email, until=found.expires_at))


@router.post("/sign-in/code")
def take_code() -> Response:
    form, cookie = read_form(router, None), sign_in_cookie(router)
    try:
        return _signed_in(current().sign_in.by_code(cookie, form.text("code")))
    except SignInRefused as refused:
        if refused.reason is not SignInRefusal.WRONG_CODE:
            return _refused(refused)
    found = current().sign_in.newest_of(cookie)
    problem = "Wrong code. Enter the eight digits from the newest email."
    return page(SignInCodePage(email=found.email, until=found.expires_at, problem=problem), 422)


@router.head("/sign-in/link/<token>")
@router.get("/sign-in/link/<token>")
def look_at_link(token: str) -> Response:
    try:
        found = current().sign_in.look_at_link(sign_in_cookie(router), token)
    except SignInRefused as refused:
        # Being told where to enter the code is no error, and link scanners report error statuses.
        return _refused(refused, 200 if refused.reason is SignInRefusal.OTHER_BROWSER else None)
    except TokenInvalid:
        return _refused(SignInRefused(SignInRefusal.EXPIRED))
    return page(SignInLinkPage(email=found.email))


@router.post("/sign-in/link/<token>")
def take_link(token: str) -> Response:
    read_form(router, None)
    try:
        return _signed_in(current().sign_in.by_link(sign_in_cookie(router), token))
    except SignInRefused as refused:
        return _refused(refused)
    except TokenInvalid:
        return _refused(SignInRefused(SignInRefusal.EXPIRED))


@router.post("/sign-out")
def sign_out() -> Response:
    try:
        looking = visitor(router)
    except SignedOut:
        # Already signed out, perhaps in another window.
        return see_other("/sign-in?notice=signed_out", [session_cookie_of(None)])
    everywhere = read_form(router, looking).text("everywhere") == "yes"
    current().visits.end(looking, everywhere=everywhere)
    notice = "signed_out_everywhere" if everywhere else "signed_out"
    return see_other(f"/sign-in?notice={notice}", [session_cookie_of(None)])


def _signed_in(signed_in: SignedIn) -> Response:
    cookies = [session_cookie_of(signed_in.cookie), sign_in_cookie_of(None)]
    return see_other(signed_in.next_page, cookies)


def _refused(refused: SignInRefused, status: int | None = None) -> Response:
    if refused.reason in (SignInRefusal.USED, SignInRefusal.EXPIRED) and _is_signed_in():
        # A double click, or the back button after signing in.
        return see_other("/d")
    return page(SignInRefusedPage(reason=refused.reason), status or refused.status)


def _is_signed_in() -> bool:
    try:
        visitor(router)
    except SignedOut:
        return False
    return True
