"""Emails and pages from `templates/`, each with a frozen dataclass as its context.

Any text in a context may come from an AI or a stranger: HTML is escaped, and markdown sanitized. A misspelled name in a
template is an error.
"""

from datetime import UTC, datetime, tzinfo
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol
from urllib.parse import quote

from jinja2 import (
    BaseLoader,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    ModuleLoader,
    StrictUndefined,
    pass_context,
    select_autoescape,
)
from jinja2.runtime import Context
from markupsafe import Markup, escape

from flow_hitl.platform.mime import encoded_body
from flow_hitl.platform.product import PRODUCT_NAME
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import as_words
from flow_hitl.platform.times import readable_duration, readable_moment, readable_time, rfc3339, with_readable_times
from flow_hitl.rendering.assets import asset_url, compiled_templates_folder, templates_folder
from flow_hitl.rendering.json_tree import render_tree
from flow_hitl.rendering.markdown import (
    MARKDOWN_LIMIT,
    direction,
    excerpt,
    one_line,
    outline,
    preformatted,
    printable,
    render_output,
)
from flow_hitl.rendering.rendered import MailContext, RenderedEmail
from flow_hitl.replies.marker import PREVIEW_SIGN, REPLY_MARKER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flow_hitl.rendering.earlier_rounds import EarlierRound
    from flow_hitl.rendering.json_mail import MailTree
    from flow_hitl.requests.reading.earlier_reviews import EarlierReview
    from flow_hitl.requests.request import HistoryRound

SUBJECT_LIMIT = 150
TEST_MARK = "[Test] "

# Gmail cuts an email after 102 KB, counting also what no reader sees.
MAIL_HTML_LIMIT = 60_000
# Longer options are named by number, so that fifty options of a hundred characters fit in any script.
_LONGEST_ANSWER_IN_LINK = 150


@dataclass(frozen=True)
class Room:
    """How much an email shows: characters of message and output, the look of answers, and whether it has the rest.

    Large buttons come with links that open a reply; `extras` are output, state, and history.
    """

    chars: int
    buttons: Literal["large", "small", "plain"]
    extras: bool = True


# The first that keeps the email within its limit is used; the last always does.
_ROOMS = (Room(3000, "large"), Room(3000, "small"), Room(800, "small"), Room(150, "plain", extras=False))
_MOST_LARGE_BUTTONS = 12

# Only our style sheet, script, and forms; no script can turn text into markup.
PAGE_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

FRAMING_PAGE_POLICY = f"{PAGE_SECURITY_POLICY}; frame-src 'self'"
"""That of a page with PDFs in frames."""


class PageContext(Protocol):
    """The data of a page, and its template."""

    template: ClassVar[str]


def render_email(context: MailContext, zone: tzinfo = UTC) -> RenderedEmail:
    """Return the email of a context, from `templates/email/<kind>/`, with its times in a zone."""
    environment, folder = _environment(), f"email/{context.kind}"
    mark = TEST_MARK if context.test else ""
    subject = subject_line(mark + environment.get_template(f"{folder}/subject.txt").render(mail=context))
    html = environment.get_template(f"{folder}/body.html")
    for room in _ROOMS:
        shown = html.render(mail=context, subject=subject, room=room, zone=zone)
        if len(encoded_body(shown)[1]) <= MAIL_HTML_LIMIT:
            break
    text = environment.get_template(f"{folder}/body.txt").render(mail=context, subject=subject, room=room, zone=zone)
    return RenderedEmail(subject, text, shown)


def render_page(context: PageContext) -> str:
    """Return the page of a context, to be sent with PAGE_SECURITY_POLICY."""
    return _environment().get_template(context.template).render(page=context)


def mailto_link(address: str, subject: str, body: str) -> str:
    """Return a `mailto:` URL (RFC 6068) with subject and body; line ends become CRLF."""
    lines = "\r\n".join(printable(body).split("\n"))
    return f"mailto:{quote(address, safe='@')}?subject={quote(one_line(subject), safe='')}&body={quote(lines, safe='')}"


def answer_url(review_url: str, value: str, number: int) -> str:
    """Return the address of the page that confirms an option; opening it decides nothing.

    It names the option by its value, or if that is long, by its `number`, from 1.
    """
    words = quote(value, safe="")
    if len(words) <= _LONGEST_ANSWER_IN_LINK:
        return f"{review_url}?answer={words}"
    return f"{review_url}?option={number}"


def subject_line(text: str) -> str:
    """Return the text as a subject: one line of at most `SUBJECT_LIMIT` characters, without control characters."""
    subject, was_cut = excerpt(one_line(text), SUBJECT_LIMIT - 1)
    return subject + "…" if was_cut else subject


def compile_templates(folder: Path) -> None:
    """Write all templates to a new folder as Python modules, which then need not be compiled at each cold start."""
    _environment().compile_templates(folder, extensions=("html", "txt"), zip=None)


def _loader() -> BaseLoader:
    sources, compiled = FileSystemLoader(templates_folder()), compiled_templates_folder()
    return ChoiceLoader([ModuleLoader(compiled), sources]) if compiled.is_dir() else sources


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=_loader(),
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        finalize=_printable_value,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    environment.globals.update(
        product=PRODUCT_NAME,
        marker=REPLY_MARKER,
        most_large_buttons=_MOST_LARGE_BUTTONS,
        preview_sign=PREVIEW_SIGN,
        answer_url=answer_url,
        isolated=_isolated,
        way=_way,
        asset=asset_url,
        mailto=mailto_link,
        markdown_limit=MARKDOWN_LIMIT,
    )
    environment.filters.update(
        beginning=_beginning,
        brief=_brief,
        earlier_rounds=_earlier_rounds,
        excerpt=excerpt,
        lines=_lines,
        mail_tree=_mail_tree,
        method_title=as_words,
        one_line=one_line,
        outline=outline,
        output_html=render_output,
        preformatted=preformatted,
        readable_time=_readable_time,
        readable_duration=readable_duration,
        readable_moment=readable_moment,
        with_readable_times=with_readable_times,
        rfc3339=rfc3339,
        tree=render_tree,
    )
    return environment


@pass_context
def _readable_time(context: Context, moment: datetime) -> str:
    return readable_time(moment, _zone(context))


def _zone(context: Context) -> tzinfo:
    """Return the zone of an email's times; pages have UTC, which the browser turns into its own."""
    zone = context.get("zone")
    return zone if isinstance(zone, tzinfo) else UTC


def _printable_value(value: object) -> object:
    return printable(value) if type(value) is str else value


def _lines(text: str) -> Markup:
    return Markup("<br>").join(escape(line) for line in printable(text).strip().split("\n"))


def _beginning(text: str, limit: int) -> str:
    shown, was_cut = excerpt(text, limit)
    return shown + "…" if was_cut else shown


def _earlier_rounds(
    history: "Sequence[HistoryRound]", method_name: str, output: object, reviews: "Sequence[EarlierReview]"
) -> "Sequence[EarlierRound]":
    if not (history or reviews):
        return ()
    from flow_hitl.rendering.earlier_rounds import earlier_rounds

    return earlier_rounds(history, method_name, output, reviews)


@pass_context
def _mail_tree(context: Context, value: object, room: int) -> "MailTree":
    from flow_hitl.rendering.json_mail import MailTree

    return MailTree(value, room, _zone(context))


def _brief(value: object) -> str:
    from flow_hitl.rendering.json_mail import brief

    return brief(value)


def _isolated(text: str) -> Markup:
    """Return a name whose direction does not affect the sentence around it."""
    return Markup("<bdi>") + printable(text) + Markup("</bdi>")


_WAYS = {
    "ltr": Markup(' dir="ltr" align="left"'),
    "rtl": Markup(' dir="rtl" align="right"'),
}


def _way(text: str | Markup) -> Markup:
    """Return the attributes that give an email's block the direction of its text."""
    return _WAYS[direction(str(text)) or "ltr"]
