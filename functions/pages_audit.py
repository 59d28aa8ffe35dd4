"""The page of a deployment's audit log, for managers."""

from http import HTTPStatus

from flow_hitl.bootstrap import current
from flow_hitl.platform.errors import ValidationFailed
from functions.http_api import query
from functions.manager_pages import enter_managing
from functions.routing import Response, Routes
from functions.web import page, read_form, see_other

router = Routes()


@router.get("/d/<deployment_id>/audit")
def show_audit(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    shell = place.shell("audit")
    shown = current().audit_pages.page(place.member, shell, _asked("from", "to", "cursor"))
    return page(shown, HTTPStatus.UNPROCESSABLE_ENTITY if shown.problem else HTTPStatus.OK)


@router.get("/d/<deployment_id>/audit/verify")
def verify_audit(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    asked = _asked("from", "to", "place", "events", "digests")
    shown = current().audit_pages.verified(place.member, place.shell("audit"), asked)
    return page(shown, HTTPStatus.UNPROCESSABLE_ENTITY if shown.problem else HTTPStatus.OK)


@router.get("/d/<deployment_id>/audit/export")
def lead_back(deployment_id: str) -> Response:
    """Redirect whoever signed in again, or had an outdated form, to the page with the form."""
    return see_other(f"/d/{enter_managing(router, deployment_id).deployment_id}/audit")


@router.post("/d/<deployment_id>/audit/export")
def export_audit(deployment_id: str) -> Response:
    from flow_hitl.pages.audit.view import address_query

    place = enter_managing(router, deployment_id)
    form, view = read_form(router, place.visitor), current().audit_pages
    try:
        days = view.export(place.member, form.fields)
    except ValidationFailed:
        shown = view.page(place.member, place.shell("audit"), form.fields)
        return page(shown, HTTPStatus.UNPROCESSABLE_ENTITY)
    return see_other(f"/d/{place.deployment_id}/audit?{address_query(days.first, days.last, notice='export_started')}")


def _asked(*names: str) -> dict[str, str]:
    """Return the query parameters that were given."""
    return {name: text for name in names if (text := query(router, name)) is not None}
