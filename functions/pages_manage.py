"""What managers do about a request, from its page."""

import json
from dataclasses import replace

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import RequestPage, RequestSheet
from flow_hitl.pages.settings.view import ConfirmPage
from flow_hitl.platform.errors import (
    AlreadyResponded,
    FlowHitlError,
    NotFound,
    NothingToResume,
    NotPending,
    ValidationFailed,
)
from functions.http_api import uuid_in
from functions.manager_pages import managed_request, name_in
from functions.routing import Response, Routes
from functions.web import Form, Place, enter, page, read_form, see_other

router = Routes()


@router.get("/d/<deployment_id>/requests/<request_id>/manage")
def show(deployment_id: str, request_id: str) -> Response:
    place, number = enter(router, deployment_id), uuid_in(request_id)
    managed_request(place, number)
    return see_other(_address(place, number))


@router.post("/d/<deployment_id>/requests/<request_id>/manage")
def act(deployment_id: str, request_id: str) -> Response:
    place, number = enter(router, deployment_id), uuid_in(request_id)
    form = read_form(router, place.visitor)
    managed_request(place, number)
    act = {"reassign": _reassign, "cancel": _cancel, "retry": _retry, "redeliver": _redeliver}.get(form.text("do"))
    if act is None:
        raise NotFound("There is no such action.")
    try:
        return act(place, number, form)
    except (AlreadyResponded, NotPending, NothingToResume) as late:
        return _page(replace(_sheet(place, number), problem=late.detail), place, late)


def _reassign(place: Place, request_id: str, form: Form) -> Response:
    from flow_hitl.contract.validation import parse_document
    from flow_hitl.requests.changing.reassign_request import Reassignment

    to = form.text("assigned_to_email").strip()
    try:
        wish = parse_document(Reassignment, json.dumps({"assigned_to_email": to}))
        current().reassign_request(place.member, request_id, wish)
    except ValidationFailed as refused:
        sheet = _sheet(place, request_id)
        actions = sheet.actions and replace(
            sheet.actions, reassign_to=to, problem=f"{to}: {refused.errors[0].message}."
        )
        return _page(replace(sheet, actions=actions), place, refused)
    return see_other(f"{_address(place, request_id)}?notice=reassigned")


def _cancel(place: Place, request_id: str, form: Form) -> Response:
    if not form.text("sure"):
        sheet = _sheet(place, request_id)
        context = ConfirmPage(
            shell=place.shell("requests"),
            question="Cancel this request?",
            consequences=[
                f"{sheet.assigned_to} can no longer answer it.",
                "The flow is not resumed and gets no answer.",
                "This cannot be undone.",
            ],
            button="Cancel the request",
            address=f"{_address(place, request_id)}/manage",
            back=_address(place, request_id),
            hidden={"do": "cancel"},
        )
        return page(context)
    current().cancel_request(place.member, request_id)
    return see_other(f"{_address(place, request_id)}?notice=cancelled")


def _retry(place: Place, request_id: str, _form: Form) -> Response:
    current().retry_resume(place.member, request_id)
    return see_other(f"{_address(place, request_id)}?notice=resume_retried")


def _redeliver(place: Place, request_id: str, form: Form) -> Response:
    webhook, delivery = name_in(form.text("webhook")), name_in(form.text("delivery"))
    current().webhook_pages.redeliver(place.member, webhook, delivery, request_id)
    return see_other(f"{_address(place, request_id)}?notice=redelivered")


def _sheet(place: Place, request_id: str) -> RequestSheet:
    return current().request_pages.show(place.member, request_id)


def _page(sheet: RequestSheet, place: Place, error: FlowHitlError) -> Response:
    return page(RequestPage(shell=place.shell("requests"), sheet=sheet), error.status, files=sheet.files)


def _address(place: Place, request_id: str) -> str:
    return f"/d/{place.deployment_id}/requests/{request_id}"
