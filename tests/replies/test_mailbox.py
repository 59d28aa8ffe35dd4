"""Raw mails as mail clients send them, and as nobody should."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flow_hitl.replies.html_reply import html_to_text
from flow_hitl.replies.inbound_mail import InboundMail, UnreadableMail, single_mailbox
from flow_hitl.replies.mailbox import answer_text, parse_mail
from tests.speed import cpu_seconds
from tests.support.slices import examples

MAILS = Path(__file__).parent.parent / "data" / "mail"
HEAD = b"From: Jane <jane@example.org>\r\nSubject: Re: Review\r\n"

ANSWERS = {
    "gmail_web": "rejected\n\nThe price is wrong, see page 2.",
    "gmail_android": "Approved",
    "gmail_german": "Abgelehnt – zu teuer für uns",
    "gmail_bottom": "rejected\n\nSee above.",
    "gmail_forward_only": "",
    "gmail_quote_only": "",
    "outlook_desktop": "Rejected\n\nWrong price on page 2.",
    "outlook_desktop_german": "approved",
    "outlook_web": "Approved, but fix the title",
    "outlook_web_signature_only": "",
    "outlook_ios": "Rejected",
    "outlook_unmarked_quote": "",
    "apple_mail_macos": "approved\n\nNice work.",
    "apple_mail_ios": "Rejected",
    "apple_mail_ios_plain": "Einverstanden – aber bitte erst morgen",
    "yahoo_web": "approved",
    "proton_web": "rejected",
    "thunderbird_flowed": "This is not ready yet, because the second paragraph contradicts the first one and nobody "
    "checked the numbers.\n\nrejected",
    "mailto_button": "approved",
    "html_only": "Zurückgestellt bis Mai\n\nSchönen Gruß nach Köln!",
    "iso2022jp": "承認します",
    "external_banner": "rejected",
    "lost_boundary": "rejected",
    "attachment_first": "rejected\n\nsee notes",
    "attached_message": "",
    "pgp_encrypted": "",
    "smime_encrypted": "",
    "text_and_html_disagree": "",
}
AUTOMATIC = ("out_of_office", "calendar_accept", "delivery_report")


def load(name: str) -> InboundMail:
    return parse_mail((MAILS / f"{name}.eml").read_bytes())


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_in_a_clients_mail(name: str) -> None:
    mail = load(name)
    assert mail.automatic is None
    assert single_mailbox(mail.from_headers) == "jane@example.org"
    assert answer_text(mail) == ANSWERS[name]


@pytest.mark.parametrize("name", AUTOMATIC)
def test_automatic_mail_says_why(name: str) -> None:
    assert load(name).automatic


def test_every_mail_in_the_folder_is_tested() -> None:
    assert {path.stem for path in MAILS.glob("*.eml")} == {*ANSWERS, *AUTOMATIC}


def test_headers_are_read_and_decoded() -> None:
    mail = parse_mail(b"From: a@b.example\r\nSubject: =?iso-8859-1?q?Gr=FC=DFe?=\r\n x\r\nMessage-ID: <1@b>\r\n\r\nx")
    assert (mail.subject, mail.message_id) == ("Grüße x", "<1@b>")


@pytest.mark.parametrize(
    "head",
    [
        b"From: jane@example.org\r\nFrom: eve@evil.example\r\n",
        b"X: y\r\nFrom : jane@example.org\r\n",
        b"To: x@example.com\r\n",
    ],
)
def test_a_sender_that_two_parsers_may_see_differently_is_none(head: bytes) -> None:
    assert single_mailbox(parse_mail(head + b"\r\napproved").from_headers) is None


def test_headers_that_are_not_clean_are_refused() -> None:
    for head in (b"From: a@b.example\rFrom: c@d.example\r\n", b"From: a@b.example\0\r\n"):
        with pytest.raises(UnreadableMail):
            parse_mail(head + b"\r\napproved")


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "undefined", "x-unknown", 'utf-8"; x="', "unicode_escape", "zlib"]
)
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    raw = HEAD + f"Content-Type: text/plain; charset={charset}\r\n\r\nfür".encode()
    assert answer_text(parse_mail(raw)) == "für"


def test_gb2312_is_read_as_what_clients_mean_by_it() -> None:
    raw = HEAD + b"Content-Type: text/plain; charset=gb2312\r\n\r\n" + "批准镕".encode("gb18030")
    assert answer_text(parse_mail(raw)) == "批准镕"


def test_only_html_that_a_client_marked_is_quoted() -> None:
    text = html_to_text("<p>one<br>two</p><blockquote type=cite>three<blockquote>four</blockquote></blockquote><p>five")
    assert text.split("\n") == ["one", "two", "", "> three", "", "> > four", "", "five"]


def test_html_written_to_break_the_parser() -> None:
    assert html_to_text("<!-- a --><style>b</style><script>c</script><title>d</title>e &lt;f&gt;") == "e <f>"
    assert html_to_text("<p>a</div></blockquote></p>b") == "a\n\nb"


LIMITS = {
    "39 MB": HEAD + b"\r\n" + b"a" * 39_000_000,
    "headers": HEAD + b"X: y\r\n" * 40_000 + b"\r\nx",
    "parts": HEAD + b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 20_000,
    "lines": HEAD + b"\r\n" + b"\n" * 1_000_000,
    "nested parts": HEAD
    + b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(1_000))
    + b"\n",
    "nested messages": HEAD + b"Content-Type: message/rfc822\r\n\r\n" * 3_000,
    "nested html": HEAD + b"Content-Type: text/html\r\n\r\n" + b"<div>" * 3_000 + b"approved",
    "part header": HEAD + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: a/b' + b";" * 20_000,
    "comments": b"From: " + b"(" * 100_000 + b"\r\n\r\nx",
}


@pytest.mark.parametrize("name", LIMITS)
def test_a_mail_beyond_the_limits_is_refused_at_once(name: str) -> None:
    def refuse() -> None:
        with pytest.raises(UnreadableMail) as refused:
            parse_mail(LIMITS[name])
        assert refused.value.reason

    assert cpu_seconds(refuse, 1.0) < 1


WITHIN = {
    "encoded words": HEAD + b"Subject: " + b"=?utf-8?q?a?= " * 9_000 + b"\r\n\r\napproved",
    "attachment": HEAD
    + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\napproved\n--b\nContent-Type: application/pdf\n'
    + b"Content-Transfer-Encoding: base64\n\n"
    + (b"QUJD" * 19 + b"\n") * 120_000
    + b"--b--",
    "depth": HEAD
    + b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(50))
    + b"\napproved",
}


@pytest.mark.parametrize("name", WITHIN)
def test_a_large_mail_is_read_in_a_second(name: str) -> None:
    def read() -> None:
        assert answer_text(parse_mail(WITHIN[name])) == "approved"

    assert cpu_seconds(read, 1.0) < 1


@pytest.mark.exhaustive
@settings(max_examples=examples(150), deadline=None)
@given(st.binary(max_size=400), st.sampled_from(sorted(ANSWERS)), st.integers(0, 3_000))
def test_no_bytes_raise_anything_but_unreadable(noise: bytes, name: str, at: int) -> None:
    raw = (MAILS / f"{name}.eml").read_bytes()
    for mutated in (noise, raw[:at] + noise + raw[at:], raw[:at] + noise):
        try:
            answer_text(parse_mail(mutated))
        except UnreadableMail:
            continue
