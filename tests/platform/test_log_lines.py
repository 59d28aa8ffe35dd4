"""Logs name what they are about, and hold nothing that people wrote, nor who they are."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from flow_hitl.platform.dynamodb import item, values
from flow_hitl.platform.telemetry import SERVICE, about, begin, logger
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, callback

SECRET = "quixotic"
ANN, BOB = f"ann.{SECRET}@example.com", f"bob.{SECRET}@example.com"
WORDS = (SECRET, "example.com", "whsec_", "hitl_1_")
"""What no line may have: words of every field, addresses, secrets."""


class Written(logging.Handler):
    """Keeps every line as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logger.registered_formatter.format(record))

    def __call__(self) -> list[dict[str, Any]]:
        """Return the lines; fails the test if one has what no line may have."""
        for word in WORDS:
            assert word not in "".join(self.lines)
        return [json.loads(line) for line in self.lines]


@pytest.fixture
def lines() -> Iterator[Written]:
    ours, written = logging.getLogger(SERVICE), Written()
    ours.addHandler(written)
    yield written
    ours.removeHandler(written)


def ask(hitl: Hitl, **fields: Any) -> AskedRequest:
    given: dict[str, Any] = {
        "title": f"Invoice {SECRET}",
        "output": {"text": SECRET},
        "state": {"customer": SECRET},
        "metadata": {"requested_by": BOB},
        "history": [{"method": "draft", "at": None, "output": SECRET}],
        "editable": True,
        "questions": True,
        "resume_url": f"http://127.0.0.1:9/{SECRET}",
        "assigned_to_email": ANN,
        **fields,
    }
    return hitl.ask(f"Pay {SECRET}?", emit=EMIT, **given)


def test_a_whole_life_leaves_nothing_of_its_content_in_the_logs(hitl: Hitl, lines: Written) -> None:
    hitl.configure(settings={"reminders": [{"minutes_before_timeout": 10}], "allow_delegation": True})
    hook = {"name": SECRET, "url": f"http://127.0.0.1:9/{SECRET}", "events": ["new_request", "response_submitted"]}
    hitl.api("POST", f"/v1/deployments/{hitl.deployment_id}/webhooks", hook)
    request = ask(hitl, auto_response={"timeout_minutes": 60, "default_outcome": "rejected"})
    hitl.reply(f"question: who is {SECRET}?")
    hitl.api("POST", f"/v1/requests/{request.id}/answers", {"text": f"It is {SECRET}"})
    hitl.reply(f"maybe {SECRET}", verdicts={"dmarc": "FAIL"})
    hitl.receive(f"From: {BOB}\nTo: x@y.example\n\n{SECRET}".encode(), recipients=[f"{SECRET}@x.org"], mail_from=BOB)
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BOB})
    hitl.bounce(request, BOB)
    hitl.advance(minutes=55)
    callback(hitl, request, f"approved\n{SECRET}", responder=ANN)
    hitl.advance(minutes=10)
    hitl.api("GET", f"/v1/requests?assigned_to={ANN}")
    browser = hitl.signed_in("creator@example.com")
    browser.get(f"/d/{hitl.deployment_id}/requests/{request.id}")
    assert [line for line in lines() if line["message"] == "mail processed"], "something was logged"


@pytest.fixture
def unreadable(hitl: Hitl) -> AskedRequest:
    """A request whose content cannot be read any more, so that errors quote it."""
    request = ask(hitl)
    key = item({"pk": request.id, "sk": "r#content"})
    row = values(hitl._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"])
    doc = {**json.loads(document_text(row["doc"])), "state": SECRET, "history": ANN}
    hitl._clients["dynamodb"].put_item(TableName="requests", Item=item({**row, "doc": json.dumps(doc)}))
    return request


def test_errors_that_quote_what_was_read_are_logged_without_it(
    hitl: Hitl, unreadable: AskedRequest, lines: Written
) -> None:
    assert hitl.api("GET", f"/v1/requests/{unreadable.id}").status == 403
    hitl.reply("approved")
    found = [line for line in lines() if line["level"] == "ERROR"]
    assert {line["message"] for line in found} == {"unexpected", "message failed"}
    for line in found:
        assert line["exception_name"].endswith("NotAsLogged"), "it says what went wrong"
        assert "request_store.py" in line["exception"], "and where"


def test_each_line_about_a_request_names_it_its_deployment_and_the_call(
    hitl: Hitl, unreadable: AskedRequest, lines: Written
) -> None:
    hitl.api("GET", f"/v1/requests/{unreadable.id}")
    hitl.reply("approved")
    for line in lines():
        assert line["correlation_id"]
        if line["message"] in ("unexpected", "message failed"):
            assert line["request_id"] == unreadable.id


def test_a_line_of_an_answered_request_has_all_three(hitl: Hitl, lines: Written) -> None:
    request = ask(hitl)
    hitl.reply("approved")
    (line,) = [line for line in lines() if line["message"] == "mail processed"]
    assert (line["request_id"], line["deployment_id"]) == (request.id, hitl.deployment_id)
    assert line["correlation_id"]


def test_what_was_known_of_the_call_before_is_forgotten(lines: Written) -> None:
    begin("one")
    about(request_id="r1", deployment_id=1)
    begin("two")
    logger.info("said")
    (line,) = lines()
    assert line["correlation_id"] == "two"
    assert "request_id" not in line


def test_what_aws_says_of_an_error_is_kept_without_addresses(lines: Written) -> None:
    error = ClientError(
        {"Error": {"Code": "MessageRejected", "Message": f"Email address is not verified: {ANN}"}}, "SendEmail"
    )
    try:
        raise ValueError(SECRET) from error
    except ValueError:
        logger.exception("failed")
    (line,) = lines()
    assert "MessageRejected" in line["exception"]
    assert "<address>" in line["exception"]
    assert line["exception_name"] == "ValueError"
