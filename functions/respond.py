"""Another application's answer, by the callback URL."""

from aws_lambda_powertools.event_handler import Response

from flow_hitl.bootstrap import current
from flow_hitl.services.answer_by_callback import CallbackAnswer
from functions.http_api import json_response, lambda_entry, make_resolver, parse_body

app = make_resolver()


@app.post("/v1/callbacks/<token>")
def answer(token: str) -> Response[str]:
    request = current().answer_by_callback(token, parse_body(app, CallbackAnswer))
    return json_response(200, {"status": "accepted", "request": request.to_dict()})


handler = lambda_entry(app)
