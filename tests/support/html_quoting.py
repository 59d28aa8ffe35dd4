"""HTML bodies in which our own mail is quoted or forwarded, with the marks of many clients and with none."""

import itertools
from collections.abc import Iterator, Sequence
from html import escape

from tests.support.quoting import LANGUAGES, REPLIES, Case, Language, attributions, dividers, header_blocks, headers

_CITED = (
    '<blockquote type="cite">{}</blockquote>',
    '<blockquote class="gmail_quote" style="margin:0 0 0 .8ex;border-left:1px #ccc solid">{}</blockquote>',
    "<blockquote>{}</blockquote>",
    '<blockquote style="border-left:1px solid #0857A6; margin:10px; padding:0 0 0 10px;">{}</blockquote>',
)
# Around all that is quoted, with what stands above it.
_WRAPPED = (
    '<div class="gmail_quote"><p class="gmail_attr">{}<br></p><blockquote class="gmail_quote">{}</blockquote></div>',
    '<div class="moz-cite-prefix">{}</div><blockquote type="cite" cite="mid:1@x">{}</blockquote>',
    '<div id="reply-intro">{}</div><blockquote>{}</blockquote>',
    '<div class="yahoo_quoted" id="ydp1yahoo_quoted_1"><div>{}</div><div>{}</div></div>',
    '<div class="protonmail_quote">{}<br><blockquote class="protonmail_quote" type="cite">{}</blockquote></div>',
    '<div class="zmail_extra"><div id="Zm-_Id_-Sgn1">{}</div><div>{}</div></div>',
    '<div name="messageReplySection">{}<br><blockquote>{}</blockquote></div>',
    '<div name="quote" style="margin:10px 5px 5px 10px; border-left:2px solid #C3D9E5;">{}<div>{}</div></div>',
    '<div class="tutanota_quote_attribution">{}</div><blockquote class="tutanota_quote">{}</blockquote>',
)
_BELOW_HEADERS = (
    '<hr style="display:inline-block;width:98%" tabindex="-1"><div id="divRplyFwdMsg" dir="ltr">{}</div><div>{}</div>',
    '<div id="appendonsend"></div><hr><div id="x_divRplyFwdMsg">{}</div><div class="BodyFragment">{}</div>',
    '<div><div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0in 0in 0in"><p>{}</p></div></div>{}',
    '<div id="mail-editor-reference-message-container"><div>{}</div>{}</div>',
    '<div class="ms-outlook-mobile-reference-message">{}</div>{}',
    '<div id="isForwardContent">{}<div>{}</div></div>',
    "<hr>{}<br>{}",
    "<div>{}</div><div>{}</div>",
)
_SIGNED = (
    "",
    '<div class="gmail_signature">Jane Doe<br>Editor</div>',
    '<div id="ms-outlook-mobile-signature">Get <a href="https://aka.ms/o0ukef">Outlook for iOS</a></div>',
    "<p>-- <br>Jane Doe</p>",
)


def _html(text: str) -> str:
    return "".join(f"<div>{escape(line) or '<br>'}</div>" for line in text.split("\n"))


def _header_table(language: Language) -> Iterator[str]:
    rows = [(escape(label), escape(value)) for label, value in headers(language)]
    yield "<table><tbody>" + "".join(f"<tr><td>{label}</td><td>{value}</td></tr>" for label, value in rows) + "</table>"
    yield "<table>" + "".join(f"<tr><th>{label}: </th><td>{value}</td></tr>" for label, value in rows) + "</table>"
    yield "<p>" + "<br>".join(f"<b>{label}:</b> {value}" for label, value in rows) + "</p>"
    yield "".join(f"<div><span>{label}: </span>{value}</div>" for label, value in rows)


def foreign_html(language: Language, content: str) -> Iterator[tuple[str, str, bool]]:
    """Yield how clients put our mail's HTML under a reply: a name, the HTML, whether all of it is marked as quoted."""
    lines = [escape(line) for name, line in attributions(language) if "wrapped" not in name]
    for number, (line, cited) in enumerate(itertools.product(lines, _CITED)):
        yield f"attribution {number}", f"<div>{line}</div>{cited.format(content)}", True
    for number, (line, wrapped) in enumerate(itertools.product(lines[:1], _WRAPPED)):
        yield f"wrapped {number}", wrapped.format(line, content), True
    for number, (header, below) in enumerate(itertools.product(_header_table(language), _BELOW_HEADERS)):
        yield f"headers {number}", below.format(header, content), False
    block = _html(dict(header_blocks(language))["headers"])
    for words, (name, divider) in itertools.product((language.original, language.forwarded), list(dividers(""))[:4]):
        line = escape(divider.replace("  ", f" {words} ") if "  " in divider else f"-----{words}-----")
        yield f"{name} {words[:5]}", f"<div>{line}</div>{block}{content}", False
        forwarded = f'<div class="gmail_quote"><div class="gmail_attr">{line}<br>{block}</div><br>{content}</div>'
        yield f"gmail {name} {words[:5]}", forwarded, False


def html_cases(contents: Sequence[str]) -> Iterator[Case]:
    """Yield replies, replies whose text was removed, and forwards; the contents are HTML of a mail of ours."""
    turns, signed = itertools.cycle(REPLIES), itertools.cycle(_SIGNED)
    for language in LANGUAGES:
        for number, content in enumerate(contents):
            for name, part, marked in foreign_html(language, content):
                full = f"{language.code}: {name}, {number}"
                reply, signature = next(turns), next(signed)
                yield Case(f"removed; {full}", f"<html><body>{part}</body></html>", "")
                yield Case(f"signature left; {full}", f"<body><div><br></div>{signature}{part}</body>", "")
                yield Case(f"reply; {full}", f"<body>{_html(reply)}<br>{signature}<br>{part}</body>", reply)
                if marked and "wrapped" not in name:
                    yield Case(f"below; {full}", f"<body>{part}<br>{_html(reply)}</body>", reply)
