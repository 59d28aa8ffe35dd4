"""The local stack itself: what it promises to callers, and how it starts and ends."""

import base64
import io
import json
import os
import signal
import smtplib
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.local.inbound import BadVerdicts, ReceivedMail, receipt_notification, take_verdicts
from infra.local.mailbox import Mailbox
from infra.local.patience import HANG_SECONDS
from infra.local.ses import SesTrouble, ses_app
from infra.local.state import ROOT, credentials_path, operator_path, read_operator
from tests.e2e import web
from tests.e2e.local_client import LocalClient, eventually, fresh_address
from tests.support.local_processes import emulator_of

ALL_FAIL = json.dumps({name: {"status": "FAIL"} for name in ("spfVerdict", "dkimVerdict", "dmarcVerdict")})

e2e = pytest.mark.e2e


# --- the files, the front and the mailbox


@e2e
def test_credentials_are_as_promised_and_private(local: LocalClient) -> None:
    path = credentials_path(local.home)
    credentials = json.loads(path.read_text())
    assert set(credentials) == {
        "base_url", "smtp_port", "inbound_domain", "deployment_id", "organization_id", "api_key",
        "resume_signing_secret", "manager_email",
    }  # fmt: skip
    assert credentials["api_key"].startswith("hitl_")
    for private in (path, operator_path(local.home)):
        assert stat.S_IMODE(private.stat().st_mode) == 0o600


@e2e
def test_a_reply_typed_below_a_mail_decides(local: LocalClient) -> None:
    address = fresh_address("typist")
    request = local.ask(assigned_to_email=address)["request"]
    mail = local.wait_for_mail(address)
    base = local.credentials.base_url
    form = {"text": "rejected\r\n\r\nToo long."}
    sent = web.post(f"{base}/_local/reply/{mail['id']}", form, headers={"Origin": base, "Accept": "text/html"})
    assert (sent.status_code, "was sent" in sent.text) == (200, True)
    response = local.response(request["id"])
    assert (response["outcome"], response["comment"]) == ("rejected", "Too long.")
    assert (response["responded_via"], response["responder"]) == ("email", address)
    assert "Recorded: Rejected" in local.wait_for_mail(address, after=1)["subject"]


@e2e
@pytest.mark.parametrize("path", ["/elsewhere", "/v1/elsewhere", "/_localhost"])
def test_an_unknown_address_is_a_page_for_a_person_and_a_problem_for_a_program(local: LocalClient, path: str) -> None:
    page = web.get(local.credentials.base_url + path, headers={"Accept": "text/html"})
    assert (page.status_code, 'href="/d"' in page.text) == (404, True)
    told = web.get(local.credentials.base_url + path, headers={"Accept": "*/*"})
    assert (told.status_code, told.json()["type"]) == (404, "urn:flow-hitl:problem:not-found")


@e2e
def test_a_reply_by_mail_decides_and_is_confirmed(local: LocalClient) -> None:
    request = local.ask(assigned_to_email="ana@example.com")["request"]
    mail = local.wait_for_mail("ana@example.com")
    assert mail["reply_to"].endswith(f"@{local.credentials.inbound_domain}")

    local.send("ana@example.com", mail["reply_to"], "approved\nLooks good.\n")

    response = local.response(request["id"])
    assert (response["outcome"], response["comment"]) == ("approved", "Looks good.")
    assert response["responded_via"] == "email"
    assert "Approved" in local.wait_for_mail("ana@example.com", after=1)["subject"]


@e2e
def test_the_apis_description_can_be_read_and_tried(local: LocalClient) -> None:
    base = local.credentials.base_url
    assert web.get(f"{base}/v1/openapi.json").text == (ROOT / "docs/openapi.json").read_text("utf-8")
    page = web.get(f"{base}/docs")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    for part in ("swagger-ui.js", "swagger-ui.css", "start.js"):
        assert f"docs/{part}" in page.text
        # Packed on the way, as a browser asks for it, and unpacked here.
        assert "SwaggerUIBundle" in web.get(f"{base}/docs/{part}").text or part.endswith(".css")


@e2e
def test_the_guide_and_its_pictures_are_there(local: LocalClient) -> None:
    base = local.credentials.base_url
    assert "For reviewers" in web.get(f"{base}/docs/guide/guides.reviewer").text
    picture = web.get(f"{base}/docs/guide/images.mail.png")
    assert picture.content == (ROOT / "docs/images/mail.png").read_bytes()


@e2e
def test_the_mailbox_lists_the_mails_and_gives_them_as_sent(local: LocalClient) -> None:
    local.ask(assigned_to_email="bo@example.com", message="Grüße?")
    mail = local.wait_for_mail("bo@example.com")
    assert set(mail) == {"id", "to", "from", "reply_to", "subject", "date"}
    assert mail["to"] == ["bo@example.com"]
    assert "@" in mail["from"]

    raw = web.get(f"{local.credentials.base_url}/_local/mail/{mail['id']}")
    assert raw.headers["Content-Type"] == "message/rfc822"
    assert message_from_bytes(raw.content)["Message-ID"] == f"<{mail['id']}@email.amazonses.com>"
    assert web.get(f"{local.credentials.base_url}/_local/mail/none").status_code == 404


@e2e
def test_the_mailbox_page_shows_a_mail_in_a_sandbox(local: LocalClient) -> None:
    local.ask(assigned_to_email="cy@example.com", message="<script>alert(1)</script>")
    mail = local.wait_for_mail("cy@example.com")
    base = local.credentials.base_url

    page = web.get(f"{base}/_local/")
    assert page.status_code == 200
    assert f"/_local/view/{mail['id']}" in page.text
    view = web.get(f"{base}/_local/view/{mail['id']}")
    assert 'sandbox="allow-popups' in view.text
    assert "<script>alert" not in view.text
    body = web.get(f"{base}/_local/body/{mail['id']}")
    assert body.headers["Content-Security-Policy"].startswith("sandbox allow-popups")
    assert '<base target="_blank">' in body.text


@e2e
def test_the_front_passes_method_headers_body_and_status_on(local: LocalClient) -> None:
    request_id = "0192f0c1-7e11-7abc-8def-0123456789ab"
    assert local.call("GET", f"/v1/requests/{request_id}").status_code == 404
    unauthorized = web.get(f"{local.credentials.base_url}/v1/requests")
    assert (unauthorized.status_code, unauthorized.headers["Content-Type"]) == (401, "application/problem+json")
    malformed = local.call("POST", "/v1/requests", data=b"{", headers={"Content-Type": "application/json"})
    assert malformed.json()["type"] == "urn:flow-hitl:problem:malformed-json"
    in_chunks = local.call(
        "POST", "/v1/requests", data=iter([b"{", b"}"]), headers={"Content-Type": "application/json"}
    )
    assert in_chunks.json()["type"] == "urn:flow-hitl:problem:validation"
    assert web.head(f"{local.credentials.base_url}/_local/").status_code == 200
    assert web.get(f"{local.credentials.base_url}/elsewhere").status_code == 404


@e2e
def test_long_polls_do_not_hold_up_other_calls(local: LocalClient) -> None:
    waiting = local.ask(assigned_to_email="di@example.com")["request"]["id"]

    def others_are_answered_meanwhile() -> bool:
        with ThreadPoolExecutor(12) as executor:
            polls = [executor.submit(local.request, waiting, 20) for _ in range(12)]
            assert local.call("GET", "/v1/requests").status_code == 200
            return not any(poll.done() for poll in polls)

    # On a slow machine a call takes longer now and then than the polls wait.
    assert any(others_are_answered_meanwhile() for _ in range(5))


# --- inbound mail


@e2e
def test_smtp_takes_any_recipient_of_the_domain_and_no_other(local: LocalClient) -> None:
    domain = local.credentials.inbound_domain
    assert local.send("x@example.com", f"nobody@{domain.upper()}", "hello") == {}
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        local.send("x@example.com", "someone@elsewhere.example", "hello")
    assert refused.value.recipients["someone@elsewhere.example"][0] == 550


@e2e
def test_a_mail_with_failed_verdicts_decides_nothing(local: LocalClient) -> None:
    request = local.ask(assigned_to_email="ed@example.com")["request"]
    mail = local.wait_for_mail("ed@example.com")

    local.send("ed@example.com", mail["reply_to"], "approved\n", X_Local_Verdicts=ALL_FAIL)
    local.wait_for_event(request["id"], "reply_rejected")
    assert local.request(request["id"])["status"] == "pending"

    local.send("ed@example.com", mail["reply_to"], "rejected\n")
    assert local.response(request["id"])["outcome"] == "rejected"


@e2e
def test_a_mail_is_stored_without_the_verdicts_header(local: LocalClient) -> None:
    marker = "a mail for nobody"
    local.send("x@example.com", f"store@{local.credentials.inbound_domain}", marker, X_Local_Verdicts=ALL_FAIL)
    operator = read_operator(local.home)
    s3: Any = boto3.client(
        "s3",
        endpoint_url=operator.endpoint_url,
        region_name=operator.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    bucket = operator.outputs["MailBucket"]
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix="inbound/")["Contents"]]
    stored = [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]
    (mail,) = [raw for raw in stored if marker.encode() in raw]
    assert b"X-Local-Verdicts" not in mail
    assert mail.startswith(b"Return-Path: <x@example.com>")


@e2e
def test_a_verdicts_header_that_is_none_is_refused(local: LocalClient) -> None:
    with pytest.raises(smtplib.SMTPDataError, match="X-Local-Verdicts"):
        local.send("x@example.com", f"a@{local.credentials.inbound_domain}", "hello", X_Local_Verdicts="FAIL")


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n"])
def test_the_verdicts_header_is_removed_with_its_continuation_lines(line_end: bytes) -> None:
    lines = [
        b"From: a@example.com",
        b'x-local-verdicts: {"dmarcVerdict":',
        b'\t{"status": "FAIL"}}',
        b"Subject: s",
        b"",
    ]
    body = [b'X-Local-Verdicts: {"spfVerdict": {"status": "FAIL"}}', b"text"]
    raw, verdicts, dmarc_policy = take_verdicts(line_end.join(lines + body))
    assert raw == line_end.join([b"From: a@example.com", b"Subject: s", b"", *body])
    assert verdicts == dict.fromkeys(verdicts, "PASS") | {"dmarcVerdict": "FAIL"}
    assert dmarc_policy is None


@pytest.mark.parametrize(
    "value", ["[]", "{", '{"dmarcVerdict":"FAIL"}', '{"dmarcVerdict":{"status":"BAD"}}', '{"x":{}}']
)
def test_a_wrong_verdicts_header_is_an_error(value: str) -> None:
    with pytest.raises(BadVerdicts):
        take_verdicts(f"X-Local-Verdicts: {value}\r\n\r\n".encode())


def test_the_receipt_has_the_shape_that_ses_documents() -> None:
    sender, recipients = b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.com>", b"To: A <a@hitl.example>,\r\n b@hitl.example"
    raw = b"\r\n".join([sender, recipients, b"Subject: s", b"", b"text"])
    mail = ReceivedMail("bounce@example.com", ("a@hitl.example",), raw, {"dmarcVerdict": "FAIL"}, "reject")
    notification = receipt_notification(mail, "m1", "bucket", "inbound/m1", "arn:aws:sns:x")
    receipt, described = notification["receipt"], notification["mail"]
    assert notification["notificationType"] == "Received"
    assert receipt["recipients"] == ["a@hitl.example"]
    assert receipt["dmarcVerdict"] == {"status": "FAIL"}
    assert receipt["dmarcPolicy"] == "reject"
    assert receipt["action"] == {
        "type": "S3", "topicArn": "arn:aws:sns:x", "bucketName": "bucket", "objectKeyPrefix": "inbound",
        "objectKey": "inbound/m1",
    }  # fmt: skip
    assert described["source"] == "bounce@example.com"
    assert described["destination"] == ["a@hitl.example", "b@hitl.example"]
    assert described["commonHeaders"]["from"] == ["Jürgen <j@example.com>"]
    assert {"name": "Subject", "value": "s"} in described["headers"]


# --- mail out


def test_ses_keeps_the_mail_but_for_message_id_and_date(tmp_path: Path) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Reply-To"] = "Flow HITL <f@example.com>", "a@example.com", "token@hitl.example"
    mail["Subject"], mail["Message-ID"] = "Größe", "<mine@example.com>"
    mail.set_content("text")
    mailbox = Mailbox(tmp_path)
    status, answer = _send_email(mailbox, {"Content": {"Raw": {"Data": base64.b64encode(mail.as_bytes()).decode()}}})
    assert status == "200 OK"
    (sent,) = mailbox.mails()
    assert (sent.id, sent.to, sent.sender) == (answer["MessageId"], ("a@example.com",), "f@example.com")
    assert (sent.reply_to, sent.subject) == ("token@hitl.example", "Größe")
    assert message_from_bytes(sent.raw).get_all("Message-ID") == [f"<{sent.id}@email.amazonses.com>"]


def test_ses_refuses_what_is_no_raw_mail(tmp_path: Path) -> None:
    status, _ = _send_email(Mailbox(tmp_path), {"Content": {"Simple": {}}})
    assert status == "400 Bad Request"


def test_ses_throttles_a_share_of_the_calls_or_is_away(tmp_path: Path) -> None:
    mailbox, trouble = Mailbox(tmp_path), SesTrouble(throttled=0.25)
    mail = {"Content": {"Raw": {"Data": base64.b64encode(b"To: a@example.com\n\ntext").decode()}}}
    assert _send_email(mailbox, mail, trouble, 0.25)[0] == "200 OK"
    assert _send_email(mailbox, mail, trouble, 0.24)[0] == "429 Too Many Requests"
    trouble.change({"away": True})
    assert _send_email(mailbox, mail, trouble, 0.99)[0] == "503 Service Unavailable"
    assert (len(mailbox.mails()), trouble.refused) == (1, 2)


def _send_email(
    mailbox: Mailbox, call: dict[str, Any], trouble: SesTrouble | None = None, chance: float = 0.0
) -> tuple[str, dict[str, Any]]:
    statuses: list[str] = []
    environ = {"REQUEST_METHOD": "POST", "PATH_INFO": "/v2/email/outbound-emails"}
    body = ses_app(mailbox, trouble or SesTrouble(), lambda: chance)(
        {**environ, "wsgi.input": io.BytesIO(json.dumps(call).encode())},
        lambda status, _headers, _error=None: statuses.append(status),  # type: ignore[arg-type]
    )
    answer: dict[str, Any] = json.loads(b"".join(body))
    return statuses[0], answer


# --- starting and ending


@e2e
def test_a_second_stack_in_the_same_directory_says_so(local: LocalClient) -> None:
    with _start(local.home) as process:
        _, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 1
    assert "Another local stack is running" in errors
    assert credentials_path(local.home).exists()


@e2e
def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with _start(tmp_path, FLOW_HITL_PORT=str(port)) as process:
            _, errors = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 1
    assert f"Port {port} is taken. Choose another with FLOW_HITL_PORT" in errors


@e2e
@pytest.mark.exhaustive(3)
@pytest.mark.parametrize("how", ["terminate", "interrupt", "kill"])
def test_nothing_is_left_behind(tmp_path: Path, how: str) -> None:
    stale = credentials_path(tmp_path)
    stale.write_text("{}")
    with _start(tmp_path) as process:
        emulator = emulator_of(process)
        assert not stale.exists()
        process.send_signal({"terminate": signal.SIGTERM, "interrupt": signal.SIGINT, "kill": signal.SIGKILL}[how])
        process.communicate(timeout=HANG_SECONDS)
    expected = {"terminate": 0, "interrupt": 0, "kill": -signal.SIGKILL}
    assert process.returncode == expected[how]
    # The emulator leads the group of all that it started.
    eventually(lambda: not group_lives(emulator), "the end of all that the emulator started")


@contextmanager
def _start(home: Path, **environ: str) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.local"],
        env=os.environ | {"FLOW_HITL_HOME": str(home), "FLOW_HITL_PORT": "0", "FLOW_HITL_SMTP_PORT": "0"} | environ,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(HANG_SECONDS)


def group_lives(group: int) -> bool:
    """Tell whether a process of the group still runs; those that have ended and wait to be collected do not count."""
    listed = subprocess.run(["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True)
    return any(
        int(pgid) == group and not state.startswith("Z") for pgid, state in map(str.split, listed.stdout.splitlines())
    )
