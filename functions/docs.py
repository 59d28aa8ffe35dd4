"""What is public: the API's description, for programs and as a page, and the keys that verify receipts."""

from pathlib import Path

import aws_lambda_powertools

from flow_hitl.bootstrap import current
from flow_hitl.platform.code_folder import code_folder
from flow_hitl.platform.errors import NotFound
from functions.http_api import json_response, lambda_entry, make_routes
from functions.routing import Response

app = make_routes()

_ROOT = code_folder()
_SWAGGER_UI = Path(aws_lambda_powertools.__file__).parent / "event_handler/openapi/swagger_ui"
_ASSETS = {
    "start.js": ("text/javascript; charset=utf-8", _ROOT / "templates/docs/start.js"),
    "swagger-ui.js": ("text/javascript; charset=utf-8", _SWAGGER_UI / "swagger-ui-bundle.min.js"),
    "swagger-ui.css": ("text/css; charset=utf-8", _SWAGGER_UI / "swagger-ui.min.css"),
}
# Scripts and styles from this site only; the style sheet has its arrows as data: images.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@app.get("/v1/openapi.json", compress=True)
def show_description() -> Response:
    return _file("application/json", _ROOT / "docs/openapi.json", {"Cache-Control": "no-cache"})


@app.get("/v1/keys")
def show_keys() -> Response:
    response = json_response(200, current().receipt_keys)
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response


@app.get("/docs")
def show_docs() -> Response:
    headers = {
        "Content-Security-Policy": _PAGE_POLICY,
        "Cache-Control": "no-cache",
        "Referrer-Policy": "no-referrer",
    }
    return _file("text/html; charset=utf-8", _ROOT / "templates/docs/page.html", headers)


@app.get("/docs/<name>", compress=True)
def show_docs_asset(name: str) -> Response:
    if name not in _ASSETS:
        raise NotFound("There is nothing at this path; the page is at /docs.")
    return _file(*_ASSETS[name], {"Cache-Control": "public, max-age=3600"})


handler = lambda_entry(app)


def _file(content_type: str, path: Path, headers: dict[str, str]) -> Response:
    sent: dict[str, str] = {"X-Content-Type-Options": "nosniff", **headers}
    return Response(200, content_type, path.read_text("utf-8"), headers=sent)
