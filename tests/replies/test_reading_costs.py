"""Reading a reply costs what the person wrote, not what their program quotes below it."""

from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from flow_hitl.replies.html_reply import HtmlText
from flow_hitl.replies.mailbox import answer_text, parse_mail
from tests.support.work import calls_of

ATTRIBUTION = "On Mon, Jan 12, 2026 at 10:00 AM Flow HITL <reviews@example.com> wrote:"
SAID = "approved\n\nBut shorten the second part."


def paragraphs(count: int) -> str:
    return "".join(
        f'<p style="color: #333">Part {number} of <b>the article</b>, as it was.</p>\n' for number in range(count)
    )


def html_reply(quoted: int, below: str = "") -> str:
    said = "".join(f"<div>{line or '<br>'}</div>" for line in SAID.split("\n"))
    attribution = f'<div class="gmail_attr">{ATTRIBUTION.replace("<", "&lt;")}<br></div>'
    quote = (
        f'<div class="gmail_quote">{attribution}<blockquote class="gmail_quote">{paragraphs(quoted)}</blockquote></div>'
    )
    return f"<html><body>{said}<br>{quote}{below}</body></html>"


def mail(html: str, text: str | None) -> bytes:
    message = MIMEMultipart("alternative")
    message["From"] = "jane@example.com"
    message["Subject"] = "Re: Fit to print?"
    if text is not None:
        message.attach(MIMEText(text, "plain", "utf-8"))
    message.attach(MIMEText(html, "html", "utf-8"))
    return message.as_bytes()


def test_of_a_long_quote_in_html_only_the_beginning_is_read() -> None:
    text = f"{SAID}\n\n{ATTRIBUTION}\n> Part 0 of the article, as it was.\n"
    short, long = (mail(html_reply(quoted), text) for quoted in (20, 1000))

    def read(raw: bytes) -> int:
        return calls_of(lambda: answer_text(parse_mail(raw)))

    assert len(long) > 60_000
    assert answer_text(parse_mail(long)) == answer_text(parse_mail(short)) == SAID
    # The standard library passes each line of the email to its parser.
    lines = long.count(b"\n") - short.count(b"\n")
    assert read(long) <= 1.1 * read(short) + 12 * lines


def test_what_stands_below_the_quote_in_html_alone_is_read() -> None:
    raw = mail(html_reply(1000, "<div>And a last word.</div>"), None)
    assert answer_text(parse_mail(raw)) == f"{SAID}\n\nAnd a last word."


def test_an_answer_below_the_quote_is_found() -> None:
    quote = paragraphs(100)
    html = f'<p>{ATTRIBUTION.replace("<", "&lt;")}</p><blockquote type="cite">{quote}</blockquote><p>approved</p>'
    text = f"{ATTRIBUTION}\n" + "".join(f"> Part {number}\n" for number in range(100)) + "\napproved\n"
    assert answer_text(parse_mail(mail(html, text))) == "approved"


def test_text_and_html_that_begin_differently_are_no_answer() -> None:
    text = f"rejected\n\n{ATTRIBUTION}\n> Part 0\n"
    assert answer_text(parse_mail(mail(html_reply(1000), text))) == ""


def test_the_beginning_goes_well_into_the_quote_and_short_html_is_all_of_it() -> None:
    beginning = HtmlText(html_reply(1000)).beginning
    assert not beginning.is_all
    assert beginning.text.startswith(SAID)
    assert beginning.text.count("\n> Part") >= 14
    short = HtmlText(html_reply(3))
    assert (short.beginning.text, short.beginning.is_all) == (short.whole, True)
