"""The review page: a signed link shows the request, and only a POST from the page itself answers it or passes it on."""

from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from aws_lambda_powertools.event_handler import Response

from flow_hitl.adapters.rendering import page_security_policy, render_page
from flow_hitl.bootstrap import current
from flow_hitl.domain.errors import Expired, FieldError, FlowHitlError, Forbidden, ValidationFailed
from flow_hitl.domain.presentation import MessageContext, ReviewContext
from functions.http_api import body_bytes, lambda_entry, make_resolver

app = make_resolver()


@app.get("/review/<token>")
def show_review(token: str) -> Response[str]:
    return _page(current().review_page.show(token))


@app.head("/review/<token>")
def look_at_review(token: str) -> Response[str]:
    return _page(current().review_page.show(token))


@app.post("/review/<token>")
def submit_review(token: str) -> Response[str]:
    _require_own_form()
    try:
        form = parse_qs(body_bytes(app).decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        raise ValidationFailed([FieldError("", "is not the page's form")]) from None
    if "delegate_to" in form:
        return _page(current().review_page.pass_on(token, form["delegate_to"][0]))
    outcome, comment = (form.get(name, [""])[0] for name in ("outcome", "comment"))
    return _page(current().review_page.submit(token, outcome or None, comment))


def refused(error: FlowHitlError) -> Response[str]:
    return _page(MessageContext(kind="expired" if isinstance(error, Expired) else "invalid"), error.status)


def no_such_link(_error: Exception) -> Response[str]:
    return _page(MessageContext(kind="invalid"), HTTPStatus.NOT_FOUND)


app.exception_handler(FlowHitlError)(refused)
app.not_found(no_such_link)
handler = lambda_entry(app)


def _require_own_form() -> None:
    """Refuse a form that another site sends: browsers say where it comes from (Fetch Metadata, Origin)."""
    headers = app.current_event.headers
    site, origin = headers.get("sec-fetch-site", "same-origin"), headers.get("origin")
    own = urlsplit(current().settings.base_url).netloc
    if site not in ("same-origin", "none") or (origin not in (None, "null") and urlsplit(origin or "").netloc != own):
        raise Forbidden("Answer on the page itself.")


def _page(context: ReviewContext | MessageContext, status: int = HTTPStatus.OK) -> Response[str]:
    if isinstance(context, ReviewContext) and context.problem:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    headers: dict[str, str | list[str]] = {
        "Content-Security-Policy": page_security_policy(),
        "Cache-Control": "no-store",
        # Not "no-referrer": with that, browsers send the form with `Origin: null`.
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex",
    }
    return Response(status, "text/html; charset=utf-8", render_page(context), headers=headers)
