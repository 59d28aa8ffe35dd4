"""The page of a deployment's figures, for managers."""

from http import HTTPStatus

from flow_hitl.bootstrap import current
from flow_hitl.platform.errors import ValidationFailed
from functions.http_api import query
from functions.routing import Response, Routes
from functions.web import enter, page

router = Routes()


@router.get("/d/<deployment_id>/analytics")
def show_analytics(deployment_id: str) -> Response:
    from flow_hitl.pages.analytics.view import analytics_page, range_problem

    place = enter(router, deployment_id)
    problem, read = None, current().read_analytics
    begin, end, group_by = (query(router, name) for name in ("from", "to", "group_by"))
    try:
        found = read(place.member, begin=begin, end=end, group_by=group_by)
    except ValidationFailed as refused:
        problem = range_problem(refused.errors[0])
        found = read(place.member, begin=None, end=None, group_by=None)
    today = current().clock.now().date()
    before = read.before(place.member, found.inquiry)
    context = analytics_page(place.shell("analytics"), found, today=today, before=before, problem=problem)
    return page(context, HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK)
