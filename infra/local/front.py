"""The address of the local stack: serves the mailbox, and forwards everything else to the emulator."""

import json
import re
import smtplib
from collections.abc import Callable, Iterable, Mapping
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

import jinja2
import urllib3

from infra.local.mailbox import DeliveredMail, Mailbox
from infra.local.patience import HANG_SECONDS
from infra.local.reply import reply_to
from infra.local.samples import open_samples
from infra.local.ses import SesTrouble

# API Gateway's own limit of a request's body.
LARGEST_BODY = 10 * 1024 * 1024

_OWN = re.compile(r"/_local(/|\Z)")
# Against DNS rebinding: a page from elsewhere must not read this mailbox.
_LOOPBACK = frozenset(("127.0.0.1", "localhost", "::1"))
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
# A frame shows an email's own styles; no script, form, or remote image.
_MAIL_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

Headers = list[tuple[str, str]]
Answer = tuple[HTTPStatus, Headers, bytes]
Send = Callable[[EmailMessage], object]


class _Refused(Exception):
    """The status and the sentence that refuse a call."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Front:
    """The WSGI application of the local stack."""

    def __init__(
        self,
        api_url: str,
        mailbox: Mailbox,
        facts: dict[str, str],
        send: Send,
        ses_trouble: SesTrouble,
        api_key: str = "",
    ) -> None:
        """Serve the HTTP API that answers at `api_url`, and `mailbox`, whose page shows `facts`.

        `send` delivers what somebody replies there; it may raise smtplib's errors and OSError. `ses_trouble` is what
        programs change at `/_local/ses`. With the `api_key`, a click opens requests to look around with.
        """
        self._api_url = api_url.rstrip("/")
        self._mailbox = mailbox
        self._facts = facts
        self._send = send
        self._ses_trouble = ses_trouble
        self._api_key = api_key
        # One connection per waiting call; retrying is the caller's choice.
        self._pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=HANG_SECONDS)
        self._pages = jinja2.Environment(
            loader=jinja2.FileSystemLoader(Path(__file__).with_name("pages")), autoescape=True, trim_blocks=True
        )

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        wants_page = "text/html" in environ.get("HTTP_ACCEPT", "")
        # People go to the mailbox; the service itself would ask them to sign in.
        if _OWN.match(path) or (path == "/" and wants_page):
            try:
                status, headers, body = self._local(environ, path)
            except _Refused as refused:
                status, headers, body = (
                    self._written(refused.status, failure=str(refused))
                    if wants_page
                    else _problem(refused.status, str(refused))
                )
            status_line = f"{status.value} {status.phrase}"
            headers = [*headers, ("Content-Length", str(len(body)))]
        else:
            status_line, headers, body = self._forward(environ)
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

    def _local(self, environ: WSGIEnvironment, path: str) -> Answer:
        if urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname not in _LOOPBACK:
            raise _Refused(HTTPStatus.FORBIDDEN, "The mailbox is only available at 127.0.0.1 and localhost.")
        method = environ["REQUEST_METHOD"]
        match = re.fullmatch(r"/_local/(mail|view|body|reply)/([A-Za-z0-9-]+)", path)
        if match and match[1] == "reply":
            if method != "POST":
                raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Send a reply with the form below the email, by POST.")
            return self._reply(self._mail(match[2]), environ)
        if path == "/_local/samples" and method == "POST":
            return self._open_samples(environ)
        if path == "/_local/ses":
            return self._ses(environ)
        if method not in ("GET", "HEAD"):
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET or HEAD here.")
        if path in ("/", "/_local"):
            return HTTPStatus.FOUND, [("Location", "/_local/")], b""
        if path == "/_local/":
            replied = parse_qs(environ.get("QUERY_STRING", "")).get("replied", [""])[0]
            return self._page(replied=self._mailbox.get(replied))
        if path == "/_local/mail":
            query = parse_qs(environ.get("QUERY_STRING", ""))
            after, to = query.get("after", ["0"])[0], query.get("to", [None])[0]
            if not re.fullmatch("[0-9]{1,9}", after):
                raise _Refused(HTTPStatus.BAD_REQUEST, "`after` must be the number of emails to leave out.")
            mails = [mail for mail in self._mailbox.mails() if to is None or to in mail.to]
            return _json({"mails": [mail.summary() for mail in mails[int(after) :]]})
        mail = self._mail(match[2] if match else "")
        if match and match[1] == "mail":
            return HTTPStatus.OK, [("Content-Type", "message/rfc822"), ("X-Content-Type-Options", "nosniff")], mail.raw
        return self._page(mail) if match and match[1] == "view" else self._body(mail)

    def _mail(self, mail_id: str) -> DeliveredMail:
        mail = self._mailbox.get(mail_id)
        if mail is None:
            raise _Refused(
                HTTPStatus.NOT_FOUND, "There is no such page or email. Emails are deleted when the local stack stops."
            )
        return mail

    def _reply(self, mail: DeliveredMail, environ: WSGIEnvironment) -> Answer:
        """Send what someone typed below an email, as a mail client does, and redirect to the list."""
        if not _is_from_our_page(environ):
            raise _Refused(HTTPStatus.FORBIDDEN, "Send a reply with the form below the email.")
        if not mail.reply_to:
            raise _Refused(HTTPStatus.CONFLICT, "This email takes no reply: it has no Reply-To address.")
        form = parse_qs(environ["wsgi.input"].read().decode("utf-8", "replace"), keep_blank_values=True)
        text, sender = form.get("text", [""])[0], form.get("from", [mail.to[0]])[0]
        if sender not in mail.to:
            raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "Reply as one of the email's recipients.")
        try:
            self._send(reply_to(mail, sender, text))
        except (smtplib.SMTPException, OSError) as error:
            return self._page(mail, text=text, failure=f"The reply was not sent: {error}. Send it again.")
        return HTTPStatus.SEE_OTHER, [("Location", f"/_local/?replied={mail.id}"), ("Cache-Control", "no-store")], b""

    def _open_samples(self, environ: WSGIEnvironment) -> Answer:
        """Open requests to look around with, and redirect to the dashboard."""
        if not _is_from_our_page(environ):
            raise _Refused(HTTPStatus.FORBIDDEN, "Use the button of the mailbox.")

        def ask(sample: Mapping[str, Any]) -> int:
            headers = {"authorization": f"Bearer {self._api_key}", "content-type": "application/json"}
            return self._pool.request(
                "POST", f"{self._api_url}/v1/requests", body=json.dumps(sample).encode(), headers=headers
            ).status

        try:
            opened = open_samples(ask)
        except urllib3.exceptions.HTTPError:
            opened = 0
        if not opened:
            return self._page(failure="The sample requests could not be opened. Check the terminal of `make local`.")
        return HTTPStatus.SEE_OTHER, [("Location", "/d"), ("Cache-Control", "no-store")], b""

    def _ses(self, environ: WSGIEnvironment) -> Answer:
        """Show or change what is wrong with SES."""
        if environ["REQUEST_METHOD"] == "PUT":
            if not _is_from_our_page(environ):
                raise _Refused(HTTPStatus.FORBIDDEN, "Only a program on this machine may change this.")
            try:
                self._ses_trouble.change(json.loads(environ["wsgi.input"].read()))
            except ValueError as error:
                raise _Refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        elif environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise _Refused(HTTPStatus.METHOD_NOT_ALLOWED, "Use GET or PUT here.")
        return _json(self._ses_trouble.shown())

    def _page(
        self,
        mail: DeliveredMail | None = None,
        *,
        replied: DeliveredMail | None = None,
        text: str = "",
        failure: str = "",
    ) -> Answer:
        return self._written(
            HTTPStatus.BAD_GATEWAY if failure else HTTPStatus.OK,
            mail=mail,
            plain=mail.body("plain") if mail else None,
            replied=replied,
            text=text,
            failure=failure,
        )

    def _written(self, status: HTTPStatus, **content: object) -> Answer:
        page = self._pages.get_template("mailbox.html").render(
            mails=list(reversed(self._mailbox.mails())), facts=self._facts, **content
        )
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", _PAGE_POLICY),
            # The referrer tells the form's own calls from those of other pages.
            ("Referrer-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        return status, headers, page.encode()

    def _body(self, mail: DeliveredMail) -> Answer:
        """Return the email's HTML for the page's frame; links open in a new window."""
        html = mail.body("html")
        if html is None:
            html = self._pages.get_template("plain.html").render(text=mail.body("plain") or "")
        # Inside the frame, the sandbox would block the review page's form.
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
            # The emulator finds its services by the Host header it gets.
            if header not in _HOP_BY_HOP and header != "host":
                headers.add(header, value)
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    # urllib3 would add these where the caller did not send them.
    for header in ("user-agent", "accept-encoding"):
        headers.setdefault(header, urllib3.util.SKIP_HEADER)
    return headers


def _is_from_our_page(environ: WSGIEnvironment) -> bool:
    """Tell whether a call comes from a page of this address, or from a program."""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is not None:
        return str(site) == "same-origin"
    return origin is None or urlsplit(str(origin)).netloc == environ.get("HTTP_HOST")


def _unanswered(error: urllib3.exceptions.HTTPError) -> tuple[str, Headers, bytes]:
    status = (
        HTTPStatus.GATEWAY_TIMEOUT if isinstance(error, urllib3.exceptions.ReadTimeoutError) else HTTPStatus.BAD_GATEWAY
    )
    _, headers, body = _problem(
        status, "The AWS emulator did not answer. Check the terminal of `make local`: it may have stopped."
    )
    return f"{status.value} {status.phrase}", [*headers, ("Content-Length", str(len(body)))], body


def _json(document: object) -> Answer:
    body = json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"
    return HTTPStatus.OK, [("Content-Type", "application/json; charset=utf-8")], body


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _problem(status: HTTPStatus, detail: str) -> Answer:
    slug = status.phrase.lower().replace(" ", "-")
    document = {"type": f"urn:flow-hitl:problem:{slug}", "title": status.phrase, "status": status, "detail": detail}
    return status, [("Content-Type", "application/problem+json")], json.dumps(document).encode() + b"\n"
