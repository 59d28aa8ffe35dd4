"""Mails and pages from `templates/`: what each of them needs is one frozen dataclass, checked by mypy.

Everything in a context may come from an AI or a stranger. HTML is escaped by default, markdown is sanitised, and a
name that a template misspells is an error.
"""

import base64
import hashlib
import os
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup, escape

from flow_hitl.adapters.markdown import (
    MARKDOWN_LIMIT,
    excerpt,
    one_line,
    outline,
    preformatted,
    printable,
    render_output,
)
from flow_hitl.domain.presentation import (
    MailContext,
    MessageContext,
    RenderedEmail,
    ReviewContext,
)
from flow_hitl.domain.reply import REPLY_MARKER
from flow_hitl.domain.times import readable_time

PRODUCT_NAME = "Flow HITL"
SUBJECT_LIMIT = 150
TEST_MARK = "[Test] "

_STYLESHEET = "pages/style.css"


def render_email(context: MailContext) -> RenderedEmail:
    """Return the mail that `templates/email/<kind>/` makes of a context."""
    environment, folder = _environment(), f"email/{context.kind}"
    mark = TEST_MARK if context.test else ""
    subject = subject_line(mark + environment.get_template(f"{folder}/subject.txt").render(mail=context))
    text, html = (
        environment.get_template(f"{folder}/{body}").render(mail=context, subject=subject)
        for body in ("body.txt", "body.html")
    )
    return RenderedEmail(subject, text, html)


def render_page(context: ReviewContext | MessageContext) -> str:
    """Return the page of a context; send it with `page_security_policy()`."""
    return _environment().get_template(context.template).render(page=context)


@cache
def page_security_policy() -> str:
    """Return the Content-Security-Policy of every page: our one style sheet, our own forms and nothing else.

    The hash is taken from the style sheet's file, never from a rendered page: a style that somebody had managed to
    bring into a page must not be allowed by it.
    """
    digest = base64.b64encode(hashlib.sha256(_stylesheet().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


def mailto_link(address: str, subject: str, body: str) -> str:
    """Return a `mailto:` URL (RFC 6068) that opens a mail with subject and body filled in; line ends become CRLF."""
    lines = "\r\n".join(printable(body).split("\n"))
    return f"mailto:{quote(address, safe='@')}?subject={quote(one_line(subject), safe='')}&body={quote(lines, safe='')}"


def subject_line(text: str) -> str:
    """Return the text as a mail subject: one line, no control characters, at most `SUBJECT_LIMIT` characters."""
    subject, was_cut = excerpt(one_line(text), SUBJECT_LIMIT - 1)
    return subject + "…" if was_cut else subject


def method_title(method_name: str) -> str:
    """Return a method's name as people write: `approve_payment` is "Approve payment"."""
    words = " ".join(method_name.replace("_", " ").split())
    return words[:1].upper() + words[1:] if words else method_name


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_templates()),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        finalize=_printable_value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals.update(
        product=PRODUCT_NAME,
        marker=REPLY_MARKER,
        stylesheet=_stylesheet,
        mailto=mailto_link,
        markdown_limit=MARKDOWN_LIMIT,
    )
    environment.filters.update(
        excerpt=excerpt,
        lines=_lines,
        method_title=method_title,
        one_line=one_line,
        outline=outline,
        output_html=render_output,
        preformatted=preformatted,
        readable_time=readable_time,
    )
    return environment


def _templates() -> Path:
    """Return the templates' folder: beside `functions/` in Lambda's code, else in the repository."""
    root = os.environ.get("LAMBDA_TASK_ROOT")
    return (Path(root) if root else Path(__file__).parents[5]) / "templates"


@cache
def _stylesheet() -> Markup:
    return Markup((_templates() / _STYLESHEET).read_text("utf-8"))  # noqa: S704 - our own file


def _printable_value(value: object) -> object:
    return printable(value) if type(value) is str else value


def _lines(text: str) -> Markup:
    return Markup("<br>").join(escape(line) for line in printable(text).strip().split("\n"))
