"""The managers' routes to test requests and diagnoses, which `functions/management.py` serves."""

from flow_hitl.bootstrap import current
from flow_hitl.contract.validation import parse_document
from flow_hitl.diagnosis.findings import Diagnosis
from flow_hitl.requests.answers import RequestAnswer
from flow_hitl.requests.opening.send_test_request import NewTestRequest
from functions.http_api import body_bytes, call_of, json_response, uuid_in
from functions.management_access import manager
from functions.routing import Response, Routes

router = Routes()


@router.post("/v1/deployments/<deployment_id>/test-request")
def send_test_request(deployment_id: str) -> Response:
    caller, wish = manager(router, deployment_id), parse_document(NewTestRequest, body_bytes(router))
    call, holder = call_of(router, caller.id, "test-request"), caller.holder
    request = current().send_test_request(holder.deployment, wish, call, used=holder.usage, actor=caller.actor)
    return json_response(201, RequestAnswer(request.shown))


@router.get("/v1/requests/<request_id>/diagnosis")
def diagnose_request(request_id: str) -> Response:
    holder = current().authenticate(router.asked.headers.get("authorization"))
    diagnosis = current().diagnose_request(holder, uuid_in(request_id))
    return json_response(200, Diagnosis(diagnosis=diagnosis))
