"""Answers and questions by callback URL, and content that was too large for its webhook."""

import base64

from flow_hitl.bootstrap import current
from flow_hitl.contract.validation import parse_document
from flow_hitl.requests.answers import AcceptedAnswer, RequestAnswer
from flow_hitl.webhooks.answer_by_callback import CallbackAnswer
from functions.http_api import body_bytes, json_response, lambda_entry, make_routes, query
from functions.routing import Response

app = make_routes()
_FILE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"


@app.post("/v1/callbacks/<token>")
def answer_request(token: str) -> Response:
    request = current().answer_by_callback(token, parse_document(CallbackAnswer, body_bytes(app)))
    return json_response(200, AcceptedAnswer("accepted", current().shown(request)))


@app.post("/v1/callbacks/<token>/questions")
def ask_back(token: str) -> Response:
    # Few requests take questions, and the others are not to pay for it.
    from flow_hitl.requests.deciding.ask_back import RemarkText

    asked = parse_document(RemarkText, body_bytes(app))
    return json_response(200, RequestAnswer(current().ask_by_callback(token, asked.text).shown))


@app.get("/v1/contents/<token>")
def show_content(token: str) -> Response:
    return json_response(200, current().show_content(token))


@app.get("/v1/attachments/<token>")
def show_attachment(token: str) -> Response:
    from flow_hitl.requests.attachments import EMBEDDED, disposition, is_image

    file = current().show_attachment(token)
    is_framed = query(app, EMBEDDED) == "yes" and not is_image(file.attachment)
    framed_by = "'self'" if is_framed else "'none'"
    # What somebody sent is only shown or saved: as the type that was found, never as a page, and with no rights.
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": disposition(file.attachment, is_embedded=is_framed),
        "Content-Security-Policy": f"{_FILE_POLICY}; frame-ancestors {framed_by}",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "SAMEORIGIN" if is_framed else "DENY",
        "X-Robots-Tag": "noindex",
    }
    body = base64.b64encode(file.content).decode()
    return Response(200, file.attachment.media_type, body, headers=headers, is_base64=True)


handler = lambda_entry(app)
