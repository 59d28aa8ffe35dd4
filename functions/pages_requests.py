"""The list of requests and the review page of signed-in people."""

from dataclasses import replace
from typing import get_args

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import HelpPage, ListFilters, ListView, RequestPage, RequestSheet
from flow_hitl.pages.requests.pages import ListWish
from functions.http_api import query, uuid_in
from functions.routing import Response, Routes
from functions.web import Place, enter, page, read_form, see_other, told

router = Routes()


@router.get("/d/<deployment_id>/requests")
def list_requests(deployment_id: str) -> Response:
    place = enter(router, deployment_id)
    return page(current().request_pages.listing(place.member, place.shell("requests"), _list_wish()))


@router.get("/d/<deployment_id>/requests/<request_id>")
def show_request(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    pages, number = current().request_pages, uuid_in(request_id)
    if place.notice == "answered":
        sheet = pages.answered(place.member, number)
        place = replace(place, notice=None) if sheet.onward else place
        return _page(place, sheet)
    return _page(place, pages.show(place.member, number))


@router.get("/d/<deployment_id>/news")
def tell_list_news(deployment_id: str) -> Response:
    """Answer an open list that asks whether it is still what it was."""
    place = enter(router, deployment_id)
    return told(current().request_pages.mark(place.member, _list_wish()))


@router.get("/d/<deployment_id>/answers")
def lead_to_list(deployment_id: str) -> Response:
    """Redirect whoever signed in again to the list, where one selects."""
    return see_other(f"/d/{enter(router, deployment_id).deployment_id}/requests")


@router.post("/d/<deployment_id>/answers")
def answer_many(deployment_id: str) -> Response:
    place = enter(router, deployment_id)
    form, answers = read_form(router, place.visitor), current().answer_many
    numbers = [uuid_in(one) for one in form.texts("request")]
    outcome, comment, shell = form.text("outcome"), form.text("comment"), place.shell("requests")
    if not outcome:
        return page(answers.ask(place.member, shell, numbers, comment))
    return page(answers.answer(place.member, place.visitor.session, shell, numbers, outcome, comment))


@router.get("/help")
def show_help() -> Response:
    return page(HelpPage())


@router.get("/d/<deployment_id>/requests/<request_id>/news")
def tell_news(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    news = current().request_pages.news(place.member, uuid_in(request_id))
    return told(news.text, remarks=news.remarks)


@router.post("/d/<deployment_id>/requests/<request_id>")
def answer(deployment_id: str, request_id: str) -> Response:
    place = enter(router, deployment_id)
    form, number = read_form(router, place.visitor), uuid_in(request_id)
    if "ask" in form:
        sheet = current().request_pages.ask(
            place.member, place.visitor.session, number, form.text("question"), form.text("comment"), form.fields
        )
        if sheet is None:
            return see_other(f"/d/{deployment_id}/requests/{number}?notice=asked")
        is_asked = not sheet.problem and not sheet.beaten
        return _page(replace(place, notice="asked") if is_asked else place, sheet)
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


def _list_wish() -> ListWish:
    def text(name: str) -> str:
        return (query(router, name) or "").strip()[:200]

    filters = ListFilters(
        text=text("q"),
        method=text("method"),
        flow=text("flow"),
        assignee=text("assignee"),
        outcome=text("outcome"),
        first_day=text("from")[:10],
        last_day=text("to")[:10],
        order=text("order"),
        first_answered=text("answered_from")[:10],
        last_answered=text("answered_to")[:10],
    )
    view = next((one for one in get_args(ListView) if one == query(router, "tab")), None)
    first = text("first")
    number = int(first) if first.isascii() and first.isdigit() and 1 <= len(first) <= 6 else 1
    return ListWish(view, filters, query(router, "after"), query(router, "before"), max(1, number))


def _page(place: Place, sheet: RequestSheet) -> Response:
    status = 409 if sheet.beaten and not sheet.repeated else 422 if sheet.problem else 200
    return page(RequestPage(shell=place.shell("requests"), sheet=sheet), status, files=sheet.files)
