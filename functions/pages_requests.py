"""The list of requests and the review page of signed-in people."""

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import ListFilters, RequestPage, RequestSheet
from flow_hitl.pages.requests.pages import ListWish
from functions.http_api import query, uuid_in
from functions.routing import Response, Routes
from functions.web import Place, enter, page, read_form, see_other, told

router = Routes()


@router.get("/d/<deployment_id>/requests")
def list_requests(deployment_id: str) -> Response:
    place = enter(router, deployment_id)
    texts = {name: (query(router, name) or "").strip()[:200] for name in ("method", "flow", "assignee", "outcome")}
    filters = ListFilters(text=(query(router, "q") or "").strip()[:200], order=query(router, "order") or "", **texts)
    wish = ListWish(query(router, "tab") != "history", filters, query(router, "after"))
    return page(current().request_pages.listing(place.member, place.shell("requests"), wish))


@router.get("/d/<deployment_id>/requests/<request_id>")
def show_request(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    return _page(place, current().request_pages.show(place.member, uuid_in(request_id)))


@router.get("/d/<deployment_id>/requests/<request_id>/news")
def tell_news(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    return told(current().request_pages.news(place.member, uuid_in(request_id)))


@router.post("/d/<deployment_id>/requests/<request_id>")
def answer(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    form, number = read_form(router, place.visitor), uuid_in(request_id)
    sheet = current().request_pages.submit(
        place.member,
        place.visitor.session,
        number,
        form.text("outcome") or None,
        form.text("comment"),
        form.text("shown"),
        form.fields,
    )
    return _page(place, sheet) if sheet else see_other(f"/d/{deployment_id}/requests/{number}?notice=answered")


@router.get("/d/<deployment_id>/requests/<request_id>/pass-on")
def lead_back(deployment_id: str, request_id: str) -> Response:
    """Redirect whoever signed in again, or had an outdated form, to the page with the form."""
    place, number = enter(router, deployment_id), uuid_in(request_id)
    current().request_pages.show(place.member, number)
    return see_other(f"/d/{place.deployment_id}/requests/{number}")


@router.post("/d/<deployment_id>/requests/<request_id>/pass-on")
def pass_on(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    form, number = read_form(router, place.visitor), uuid_in(request_id)
    to = form.text("delegate_to")
    sheet = current().request_pages.pass_on(place.member, place.visitor.session, number, to)
    return _page(place, sheet) if sheet else see_other(f"/d/{deployment_id}/requests?notice=passed_on")


def _page(place: Place, sheet: RequestSheet) -> Response:
    status = 409 if sheet.beaten and not sheet.repeated else 422 if sheet.problem else 200
    return page(RequestPage(shell=place.shell("requests"), sheet=sheet), status)
