"""Where flows get their answers: one request, and the feed of decisions.

A call may wait, and Lambda is paid by time and memory: this function has little memory, and imports little.
"""

from flow_hitl.bootstrap import current
from flow_hitl.people.access import KeyHolder
from flow_hitl.platform.errors import FieldError, ValidationFailed
from flow_hitl.requests.answers import DecisionPage, RequestAnswer
from flow_hitl.requests.reading.polling import LONGEST_WAIT
from flow_hitl.requests.request import Status
from functions.http_api import json_response, lambda_entry, make_routes, query, query_integer, uuid_in
from functions.routing import Response

app = make_routes()


@app.get("/v1/requests/<request_id>")
def get_request(request_id: str) -> Response:
    request = current().read_requests.get(_holder(), uuid_in(request_id), _wait_seconds())
    return json_response(200, RequestAnswer(current().shown(request)))


@app.get("/v1/decisions")
def list_decisions() -> Response:
    limit = query_integer(app, "limit", 20, 1, 100)
    questions = _with_questions()
    page = current().read_requests.decisions(
        _holder(), limit, query(app, "cursor"), _wait_seconds(), questions=questions
    )
    shown = [current().shown(request) for request in page.requests]
    decided = [one for one in shown if one.status is not Status.PENDING]
    asked = [one for one in shown if one.status is Status.PENDING] if questions else None
    return json_response(200, DecisionPage(decided, page.next_cursor or "", asked))


handler = lambda_entry(app)


def _holder() -> KeyHolder:
    return current().authenticate(app.asked.headers.get("authorization"))


def _with_questions() -> bool:
    include = query(app, "include")
    if include not in (None, "questions"):
        raise ValidationFailed([FieldError("/include", 'must be "questions", or left out')])
    return include is not None


def _wait_seconds() -> int:
    return query_integer(app, "wait", 0, 0, int(LONGEST_WAIT.total_seconds()))
