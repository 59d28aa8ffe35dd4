"""What is public: the API's description, for programs and as a page, the guide, and the keys that verify receipts."""

import base64
from pathlib import Path

import aws_lambda_powertools

from flow_hitl.bootstrap import current
from flow_hitl.platform.code_folder import code_folder
from flow_hitl.platform.errors import NotFound
from functions.http_api import json_response, lambda_entry, make_routes, wants_page
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
_PAGE_HEADERS = {"Cache-Control": "no-cache", "Referrer-Policy": "no-referrer"}


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
    headers = _PAGE_HEADERS | {"Content-Security-Policy": _PAGE_POLICY}
    return _file("text/html; charset=utf-8", _ROOT / "templates/docs/page.html", headers)


@app.get("/docs/<name>", compress=True)
def show_docs_asset(name: str) -> Response:
    if name not in _ASSETS:
        raise NotFound("There is nothing at this path; the page is at /docs.")
    return _file(*_ASSETS[name], {"Cache-Control": "public, max-age=3600"})


@app.get("/docs/guide", compress=True)
def show_guide() -> Response:
    return _guide_page("")


@app.get("/docs/guide/<name>", compress=True)
def show_guide_part(name: str) -> Response:
    image = current().guide.image(name)
    if image:
        return _image(*image)
    try:
        return _guide_page(name)
    except NotFound:
        if not wants_page(app):
            raise
        return _guide_page(None)


handler = lambda_entry(app)


def _guide_page(name: str | None) -> Response:
    """Return a page of the guide, with None that which says that there is none; raises NotFound."""
    # Templates and Markdown are imported by those who read the guide, and by nobody else.
    from flow_hitl.rendering.rendering import PAGE_SECURITY_POLICY, render_page

    guide = current().guide
    html = render_page(guide.missing() if name is None else guide.page(name))
    headers = _PAGE_HEADERS | {"Content-Security-Policy": PAGE_SECURITY_POLICY}
    return _shown("text/html; charset=utf-8", html, headers, 404 if name is None else 200)


def _image(media_type: str, content: bytes) -> Response:
    is_text = media_type == "image/svg+xml"
    body = content.decode() if is_text else base64.b64encode(content).decode()
    response = _shown(media_type, body, {"Cache-Control": "public, max-age=3600"})
    response.is_base64 = not is_text
    return response


def _file(content_type: str, path: Path, headers: dict[str, str]) -> Response:
    return _shown(content_type, path.read_text("utf-8"), headers)


def _shown(content_type: str, body: str, headers: dict[str, str], status: int = 200) -> Response:
    sent: dict[str, str] = {"X-Content-Type-Options": "nosniff", **headers}
    return Response(status, content_type, body, headers=sent)
