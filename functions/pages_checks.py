"""Checks for managers: a test request, and why nothing has happened with a request."""

import json

from flow_hitl.bootstrap import current
from flow_hitl.pages.contexts import DiagnosisPage
from flow_hitl.pages.settings.view import ChecksPage
from flow_hitl.people.access import actor_name
from flow_hitl.platform.errors import ValidationFailed
from functions.http_api import uuid_in
from functions.manager_pages import enter_managing, managed_request
from functions.routing import Response, Routes
from functions.web import enter, page, read_form, see_other

router = Routes()


@router.get("/d/<deployment_id>/settings/checks")
def show_checks(deployment_id: str) -> Response:
    place = enter_managing(router, deployment_id)
    return page(ChecksPage(shell=place.shell("settings"), to=place.member.email))


@router.post("/d/<deployment_id>/settings/checks")
def send_test_request(deployment_id: str) -> Response:
    from flow_hitl.contract.validation import parse_document
    from flow_hitl.requests.opening.send_test_request import NewTestRequest

    place = enter_managing(router, deployment_id)
    to = read_form(router, place.visitor).text("to").strip()
    try:
        wish = parse_document(NewTestRequest, json.dumps({"to": to}))
        request = current().send_test_request(place.member.deployment, wish, actor=actor_name(place.member))
    except ValidationFailed as refused:
        problem = f"{to or 'This'}: {refused.errors[0].message}."
        return page(ChecksPage(shell=place.shell("settings"), to=to, problem=problem), refused.status)
    return see_other(f"/d/{place.deployment_id}/requests/{request.head.request_id}?notice=test_sent")


@router.get("/d/<deployment_id>/requests/<request_id>/diagnosis")
def diagnose_request(deployment_id: str, request_id: str) -> Response:
    place, number = enter(router, deployment_id), uuid_in(request_id)
    sheet = managed_request(place, number)
    diagnosis = current().diagnose_request(place.member, number)
    context = DiagnosisPage(
        shell=place.shell("requests"),
        address=sheet.address,
        flow_name=sheet.request.flow_name,
        method_name=sheet.request.method_name,
        questions=diagnosis.questions,
    )
    return page(context)
