"""The mailbox of the local stack: read and answered in a browser, without a mail program."""

import io
import json
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from flow_hitl.replies.reply import extract_reply
from infra.local.front import Front
from infra.local.hitl_fixture import Hitl
from infra.local.mailbox import DeliveredMail, Mailbox
from infra.local.samples import SAMPLES
from infra.local.ses import SesTrouble
from tests.support.receiver import receiving

TOKEN = "token-1@hitl.localhost"
BROWSER: dict[str, Any] = {"HTTP_ACCEPT": "text/html,*/*", "HTTP_HOST": "127.0.0.1:8700"}
FORM: dict[str, Any] = BROWSER | {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_ORIGIN": "http://127.0.0.1:8700"}


class Site:
    """The address in front, as a browser or a program calls it; what is sent from there is kept."""

    def __init__(self, folder: Path) -> None:
        self.mailbox = Mailbox(folder)
        self.sent: list[EmailMessage] = []
        self.failure: Exception | None = None
        self.trouble = SesTrouble()
        # Nothing listens there: what is for the service gets no answer.
        self._front = Front(
            "http://127.0.0.1:1", self.mailbox, {"API": "http://127.0.0.1:8700"}, self._send, self.trouble
        )

    def _send(self, mail: EmailMessage) -> None:
        if self.failure:
            raise self.failure
        self.sent.append(mail)

    def call(
        self, path: str, form: dict[str, str] | None = None, query: str = "", content: bytes = b"", **environ: Any
    ) -> tuple[int, dict[str, str], str]:
        body = content or urlencode(form or {}).encode()
        answered: list[Any] = []
        parts = self._front(
            {
                "REQUEST_METHOD": "GET" if form is None else "POST",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "wsgi.input": io.BytesIO(body),
                **environ,
            },
            lambda *answer: answered.extend(answer),  # type: ignore[arg-type]
        )
        return int(answered[0][:3]), dict(answered[1]), b"".join(parts).decode()

    def mail(self, *to: str, reply_to: str = TOKEN) -> DeliveredMail:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "Reviews <r@example.com>", ", ".join(to), "Größe prüfen?"
        mail["Message-ID"] = "<m1@example.com>"
        if reply_to:
            mail["Reply-To"] = reply_to
        mail.set_content("Fit to print?\n\n  # The article\n")
        return self.mailbox.add("m1", to, mail.as_bytes())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_reply_is_what_a_mail_program_sends(site: Site) -> None:
    site.mail("ann@example.com")
    _, _, page = site.call("/_local/view/m1", **BROWSER)
    assert '<form method="post" action="/_local/reply/m1">' in page

    status, headers, _ = site.call("/_local/reply/m1", {"text": "approved\r\n\r\nFine  with me. "}, **FORM)

    assert (status, headers["Location"]) == (303, "/_local/?replied=m1")
    (reply,) = site.sent
    assert (reply["From"], reply["To"], reply["Subject"]) == ("ann@example.com", TOKEN, "Re: Größe prüfen?")
    assert reply["In-Reply-To"] == reply["References"] == "<m1@example.com>"
    assert reply["Message-ID"]
    text = reply.get_content()
    assert text.startswith("approved\n\nFine  with me.\n\nOn ")
    assert "Reviews <r@example.com> wrote:\n\n> Fit to print?\n>\n>   # The article\n" in text
    assert "was sent" in site.call("/_local/", query="replied=m1", **BROWSER)[2]


def test_what_is_quoted_is_not_taken_for_the_answer(site: Site) -> None:
    site.mail("ann@example.com")
    site.call("/_local/reply/m1", {"text": "approved\n\nFine."}, **FORM)
    assert str(extract_reply(site.sent[0].get_content())).split() == ["approved", "Fine."]


def test_of_several_recipients_one_replies_and_nobody_else(site: Site) -> None:
    site.mail("ann@example.com", "bob@example.com")
    assert "<option>bob@example.com</option>" in site.call("/_local/view/m1", **BROWSER)[2]
    assert site.call("/_local/reply/m1", {"text": "no", "from": "bob@example.com"}, **FORM)[0] == 303
    assert site.sent[0]["From"] == "bob@example.com"
    assert site.call("/_local/reply/m1", {"text": "no", "from": "eve@example.com"}, **FORM)[0] == 422
    assert len(site.sent) == 1


def test_a_mail_that_wants_no_reply_has_no_box(site: Site) -> None:
    site.mail("ann@example.com", reply_to="")
    assert "<textarea" not in site.call("/_local/view/m1", **BROWSER)[2]
    assert site.call("/_local/reply/m1", {"text": "approved"}, **FORM)[0] == 409
    assert site.sent == []


def test_what_could_not_be_sent_is_still_there(site: Site) -> None:
    site.mail("ann@example.com")
    site.failure = smtplib.SMTPServerDisconnected("gone")
    status, _, page = site.call("/_local/reply/m1", {"text": "approved <b>now</b>"}, **FORM)
    assert status == 502
    assert "The reply was not sent: gone. Send it again." in page
    assert "approved &lt;b&gt;now&lt;/b&gt;</textarea>" in page


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_SEC_FETCH_SITE": "cross-site", "HTTP_ORIGIN": "http://127.0.0.1:8700"},
        {"HTTP_SEC_FETCH_SITE": "same-site"},
        {"HTTP_SEC_FETCH_SITE": "none"},
        {"HTTP_ORIGIN": "https://elsewhere.example"},
        {"HTTP_ORIGIN": "http://127.0.0.1:9999"},
        {"HTTP_ORIGIN": "null"},
        {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": "rebound.example:8700"},
        {"HTTP_SEC_FETCH_SITE": "same-origin", "HTTP_HOST": ""},
    ],
)
def test_no_page_of_others_sends_a_reply(site: Site, headers: dict[str, Any]) -> None:
    site.mail("ann@example.com")
    assert site.call("/_local/reply/m1", {"text": "approved"}, **BROWSER | headers)[0] == 403
    assert site.sent == []


def test_an_old_browser_and_a_program_may_send_a_reply(site: Site) -> None:
    site.mail("ann@example.com")
    old: dict[str, Any] = BROWSER | {"HTTP_ORIGIN": "http://127.0.0.1:8700"}
    assert site.call("/_local/reply/m1", {"text": "approved"}, **old)[0] == 303
    assert site.call("/_local/reply/m1", {"text": "approved"}, HTTP_HOST="localhost:8700")[0] == 303
    assert len(site.sent) == 2


def test_opening_the_address_of_a_reply_sends_none(site: Site) -> None:
    site.mail("ann@example.com")
    assert site.call("/_local/reply/m1", **FORM)[0] == 405
    assert site.sent == []


def test_a_name_that_leads_here_from_elsewhere_reads_no_mail(site: Site) -> None:
    site.mail("ann@example.com")
    for path in ("/_local/", "/_local/mail", "/_local/mail/m1", "/_local/body/m1"):
        status, _, page = site.call(path, HTTP_HOST="rebound.example:8700")
        assert (status, "Größe" in page) == (403, False)


def test_a_person_is_led_to_the_mailbox_and_from_a_wrong_address_too(site: Site) -> None:
    assert site.call("/", **BROWSER)[1]["Location"] == "/_local/"
    status, headers, page = site.call("/_local/elsewhere", **BROWSER)
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page or email" in page
    assert 'href="/_local/"' in page


def test_a_program_is_told_by_a_problem_document(site: Site) -> None:
    status, headers, body = site.call("/_local/mail/none", HTTP_HOST="127.0.0.1:8700")
    assert (status, headers["Content-Type"]) == (404, "application/problem+json")
    assert '"urn:flow-hitl:problem:not-found"' in body


def test_what_is_not_the_mailbox_is_the_services_to_answer(site: Site) -> None:
    for path in ("/", "/elsewhere", "/_localhost", "/v1/requests"):
        status, headers, body = site.call(path, HTTP_HOST="127.0.0.1:8700")
        assert (status, headers["Content-Type"]) == (502, "application/problem+json")
        assert "did not answer" in body


def test_an_empty_mailbox_says_where_to_begin(site: Site) -> None:
    _, _, page = site.call("/_local/", **BROWSER)
    for address in ("/d", "/docs"):
        assert f'href="{address}"' in page
    assert "deleted when the local stack stops" in page


def test_a_program_reads_only_the_mails_that_it_has_not_read_yet(site: Site) -> None:
    for number in range(3):
        site.mailbox.add(f"m{number}", ["ann@example.com"], b"Subject: hello\n\nText\n")
    _, _, body = site.call("/_local/mail", query="after=1", HTTP_HOST="127.0.0.1:8700")
    assert [mail["id"] for mail in json.loads(body)["mails"]] == ["m1", "m2"]
    assert site.call("/_local/mail", query="after=-1", HTTP_HOST="127.0.0.1:8700")[0] == 400


def test_a_program_reads_only_the_mails_to_one_address(site: Site) -> None:
    for name, to in (("m1", "ann@example.com"), ("m2", "bob@example.com"), ("m3", "ann@example.com")):
        site.mailbox.add(name, [to], b"Subject: hello\n\nText\n")
    _, _, body = site.call("/_local/mail", query="to=ann%40example.com", HTTP_HOST="127.0.0.1:8700")
    assert [mail["id"] for mail in json.loads(body)["mails"]] == ["m1", "m3"]


def test_a_program_says_what_is_wrong_with_ses(site: Site) -> None:
    own: dict[str, Any] = {"HTTP_HOST": "127.0.0.1:8700", "REQUEST_METHOD": "PUT"}
    status, _, body = site.call("/_local/ses", content=b'{"away": true, "throttled": 0.25}', **own)
    assert (status, json.loads(body)) == (200, {"away": True, "throttled": 0.25, "refused": 0})
    assert (site.trouble.away, site.trouble.throttled) == (True, 0.25)
    for wrong in (b"no", b"[]", b'{"gone": true}', b'{"away": 1}', b'{"throttled": 2}', b'{"throttled": true}'):
        assert site.call("/_local/ses", content=wrong, **own)[0] == 422
    foreign = own | {"HTTP_ORIGIN": "https://elsewhere.example"}
    assert site.call("/_local/ses", content=b"{}", **foreign)[0] == 403
    assert site.trouble.away
    assert site.call("/_local/ses", content=b"{}", **own)[0] == 200
    assert json.loads(site.call("/_local/ses", HTTP_HOST="127.0.0.1:8700")[2]) == {
        "away": False, "throttled": 0.0, "refused": 0,
    }  # fmt: skip


def test_sample_requests_are_opened_by_one_click_and_by_no_other_site(site: Site) -> None:
    with receiving() as service:
        service.status = 201
        site._front = Front(service.url.rpartition("/")[0], site.mailbox, {}, site._send, site.trouble, "hitl_key")
        status, headers, _ = site.call("/_local/samples", {}, **FORM)
        assert (status, headers["Location"]) == (303, "/d")
        asked = [json.loads(one.body)["method_name"] for one in service.received]
        assert asked == [one["method_name"] for one in SAMPLES]
        assert {(one.path, one.headers["authorization"]) for one in service.received} == {
            ("/v1/requests", "Bearer hitl_key")
        }
        status, _, _ = site.call("/_local/samples", {}, **{**FORM, "HTTP_SEC_FETCH_SITE": "cross-site"})
        assert (status, len(service.received)) == (403, len(SAMPLES))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample["flow_id"])
def test_a_sample_is_a_request_that_is_accepted(hitl: Hitl, sample: dict[str, Any]) -> None:
    assert hitl.api("POST", "/v1/requests", dict(sample)).status == 201


def test_samples_that_cannot_be_opened_are_said(site: Site) -> None:
    status, _, page = site.call("/_local/samples", {}, **FORM)
    assert status == 502
    assert "could not be opened" in page
