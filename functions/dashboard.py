"""The pages: the review page behind a signed link, and, in modules of their own, those of signed-in people.

Opening the link changes nothing; only a POST from the page itself answers the request or passes it on.
"""

from http import HTTPStatus

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import ProblemPage
from flow_hitl.pages.requests.review_contexts import MessageContext, MessageKind, ReviewContext
from flow_hitl.platform.errors import Conflict, Expired, FlowHitlError, NotAsLogged, NotFound, TooLarge
from flow_hitl.platform.telemetry import logger
from flow_hitl.rendering.assets import find_asset
from functions import web
from functions.http_api import lambda_entry, log_changed, make_routes, problem, query, wants_page
from functions.routing import NoRoute, Response

app = make_routes()
# Whoever follows a link to one review waits for none of them. The seldom ones come last.
app.include_later(
    "functions.pages_sign_in",
    "functions.pages_requests",
    "functions.pages_manage",
    "functions.pages_analytics",
    "functions.pages_settings",
    "functions.pages_rules",
    "functions.pages_access",
    "functions.pages_webhooks",
    "functions.pages_checks",
    "functions.pages_audit",
)


@app.get("/review/<token>")
def show_review(token: str) -> Response:
    return _page(current().review_page.show(token, query(app, "answer"), query(app, "option")))


@app.head("/review/<token>")
def look_at_review(token: str) -> Response:
    return _page(current().review_page.show(token))


@app.get("/review/<token>/news")
def tell_review_news(token: str) -> Response:
    news = current().review_page.news(token)
    return web.told(news.text, remarks=news.remarks)


@app.post("/review/<token>")
def submit_review(token: str) -> Response:
    form = web.read_form(app, None)
    if "delegate_to" in form:
        return _page(current().review_page.pass_on(token, form.text("delegate_to")))
    outcome, comment, shown = (form.text(name) for name in ("outcome", "comment", "shown"))
    if "ask" in form:
        context = current().review_page.ask(token, form.text("question"), comment, form.fields)
        return _page(context) if context else web.see_other(f"/review/{token}")
    return _page(current().review_page.submit(token, outcome or None, comment, shown, form.fields))


@app.get("/assets/<file_name>", compress=True)
def serve_asset(file_name: str) -> Response:
    asset = find_asset(file_name)
    if asset is None:
        raise NotFound("There is no such file.")
    headers: dict[str, str] = {
        "Cache-Control": "public, max-age=31536000, immutable",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(HTTPStatus.OK, asset.content_type, asset.text, headers=headers)


def refused(error: FlowHitlError) -> Response:
    if app.asked.path.startswith("/review/"):
        return _page(MessageContext(kind=_kind(error), written=web.written(app)), error.status)
    return web.refused(app, error)


def nothing_here(_error: Exception) -> Response:
    """Answer where no route matches, of the API either: people get a page, programs a problem document."""
    nothing = NotFound("There is nothing at this path.")
    is_link = app.asked.path.startswith("/review/")
    return refused(nothing) if is_link or wants_page(app) else problem(nothing)


def failed(error: Exception) -> Response:
    logger.exception("unexpected", error=type(error).__name__)
    return web.page(ProblemPage(kind="failed"), HTTPStatus.INTERNAL_SERVER_ERROR)


def changed(error: NotAsLogged) -> Response:
    log_changed(error)
    return refused(error)


def busy(_error: Exception) -> Response:
    """Answer where others change the same thing all the time, or somebody has forged how often it was changed."""
    return web.page(ProblemPage(kind="busy"), HTTPStatus.CONFLICT)


app.on(FlowHitlError, refused)
app.on(Conflict, busy)
app.on(NotAsLogged, changed)
app.on(Exception, failed)
app.on(NoRoute, nothing_here)
handler = lambda_entry(app)


def _page(context: ReviewContext | MessageContext, status: int = HTTPStatus.OK) -> Response:
    if not isinstance(context, ReviewContext):
        return web.page(context, status)
    return web.page(context, HTTPStatus.UNPROCESSABLE_ENTITY if context.problem else status, files=context.files)


def _kind(error: FlowHitlError) -> MessageKind:
    match error:
        case Expired():
            return "expired"
        case TooLarge():
            return "too_large"
        case _:
            return "invalid"
