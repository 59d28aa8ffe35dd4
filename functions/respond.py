"""Answers by callback URL, and content that was too large for its webhook."""

from flow_hitl.bootstrap import current
from flow_hitl.contract.validation import parse_document
from flow_hitl.requests.answers import AcceptedAnswer
from flow_hitl.webhooks.answer_by_callback import CallbackAnswer
from functions.http_api import body_bytes, json_response, lambda_entry, make_routes
from functions.routing import Response

app = make_routes()


@app.post("/v1/callbacks/<token>")
def answer_request(token: str) -> Response:
    request = current().answer_by_callback(token, parse_document(CallbackAnswer, body_bytes(app)))
    return json_response(200, AcceptedAnswer("accepted", request.shown))


@app.get("/v1/contents/<token>")
def show_content(token: str) -> Response:
    return json_response(200, current().show_content(token))


handler = lambda_entry(app)
