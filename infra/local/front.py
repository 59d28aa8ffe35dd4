"""The one address of the local stack: the API and the review page come from the emulator, the mailbox from here."""

import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIEnvironment

import jinja2
import urllib3

from infra.local.mailbox import Mailbox, SentMail
from infra.local.patience import HANG_SECONDS

# API Gateway's own limit of a request's body.
LARGEST_BODY = 10 * 1024 * 1024

_PROXIED = re.compile(r"/(v1|review|docs|d|sign-in|sign-out|assets)(/|\Z)")
_HOP_BY_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
# What a sandboxed frame of our own page may show: a mail's own styles, never a script, a form or a foreign picture.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

Headers = list[tuple[str, str]]
Answer = tuple[HTTPStatus, Headers, bytes]


class Front:
    """The WSGI application of the local stack."""

    def __init__(self, api_url: str, mailbox: Mailbox, facts: dict[str, str]) -> None:
        """Serve the HTTP API that answers at `api_url`, and `mailbox`; the page shows `facts`."""
        self._api_url = api_url.rstrip("/")
        self._mailbox = mailbox
        self._facts = facts
        # One connection per call that waits; retrying is the caller's choice.
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=HANG_SECONDS)
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).with_name("pages")), autoescape=True, trim_blocks=True
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if _PROXIED.match(path):
            status_line, headers, body = self._forward(environ)
        else:
            status, headers, body = self._local(environ["REQUEST_METHOD"], path)
            status_line = f"{status.value} {status.phrase}"
            headers = [*headers, ("Content-Length", str(len(body)))]
        start_response(status_line, headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _forward(self, environ: WSGIEnvironment) -> tuple[str, Headers, bytes]:
        target = quote(environ["PATH_INFO"].encode("latin-1"), safe="/:@!$&'()*+,;=~-._")
        if environ.get("QUERY_STRING"):
            target += "?" + environ["QUERY_STRING"]
        body = environ["wsgi.input"].read()
        try:
            answer = self._pool.request(
                environ["REQUEST_METHOD"],
                self._api_url + target,
                body=body or None,
                headers=_request_headers(environ),
                redirect=False,
                decode_content=False,
            )
        except urllib3.exceptions.HTTPError as error:
            return _unanswered(error)
        headers = [(name, value) for name, value in answer.headers.iteritems() if name.lower() not in _HOP_BY_HOP]
        return f"{answer.status} {_phrase(answer.status)}", headers, answer.data

    def _local(self, method: str, path: str) -> Answer:
        if method not in ("GET", "HEAD"):
            return _json(HTTPStatus.METHOD_NOT_ALLOWED, {"message": "Only GET and HEAD."}, [("Allow", "GET, HEAD")])
        if path == "/":
            return HTTPStatus.FOUND, [("Location", "/_local/")], b""
        if path == "/_local/mail":
            return _json(HTTPStatus.OK, {"mails": [mail.summary() for mail in self._mailbox.mails()]})
        if path in ("/_local", "/_local/"):
            return self._page(None)
        match = re.fullmatch(r"/_local/(mail|view|body)/([A-Za-z0-9-]+)", path)
        mail = self._mailbox.get(match[2]) if match else None
        if match is None or mail is None:
            return _json(HTTPStatus.NOT_FOUND, {"message": "There is no such page or mail."})
        if match[1] == "mail":
            return HTTPStatus.OK, [("Content-Type", "message/rfc822"), ("X-Content-Type-Options", "nosniff")], mail.raw
        return self._page(mail) if match[1] == "view" else self._body(mail)

    def _page(self, mail: SentMail | None) -> Answer:
        page = self._pages.get_template("mailbox.html").render(
            mails=list(reversed(self._mailbox.mails())),
            mail=mail,
            text=mail.body("plain") if mail else None,
            facts=self._facts,
        )
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", _PAGE_POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ]
        return HTTPStatus.OK, headers, page.encode()

    def _body(self, mail: SentMail) -> Answer:
        """Return the mail's HTML for the frame of the page; links open in a new window."""
        html = mail.body("html")
        if html is None:
            html = self._pages.get_template("plain.html").render(text=mail.body("plain") or "")
        # Followed inside the frame, a link would meet the sandbox: the review page has a form.
        html, heads = re.subn(r"(?i)<head(?:\s[^>]*)?>", r'\g<0><base target="_blank">', html, count=1)
        if not heads:
            html = '<base target="_blank">' + html
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", _MAIL_POLICY),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        return HTTPStatus.OK, headers, html.encode()


def _request_headers(environ: WSGIEnvironment) -> urllib3.HTTPHeaderDict:
    headers = urllib3.HTTPHeaderDict()
    for name, value in environ.items():
        if name.startswith("HTTP_"):
            header = name[5:].replace("_", "-").lower()
            # API Gateway names the client's host itself; the emulator finds its services by the one it gets.
            if header not in _HOP_BY_HOP and header != "host":
                headers.add(header, value)
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    # urllib3 adds these on its own where they are missing; what the caller did not send must not arrive.
    for header in ("user-agent", "accept-encoding"):
        headers.setdefault(header, urllib3.util.SKIP_HEADER)
    return headers


def _unanswered(error: urllib3.exceptions.HTTPError) -> tuple[str, Headers, bytes]:
    status = (
        HTTPStatus.GATEWAY_TIMEOUT if isinstance(error, urllib3.exceptions.ReadTimeoutError) else HTTPStatus.BAD_GATEWAY
    )
    _, headers, body = _json(status, {"message": "The emulator gave no answer."})
    return f"{status.value} {status.phrase}", [*headers, ("Content-Length", str(len(body)))], body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _json(status: HTTPStatus, content: dict[str, object], headers: Headers | None = None) -> Answer:
    body = json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"
    return status, [("Content-Type", "application/json; charset=utf-8"), *(headers or [])], body
