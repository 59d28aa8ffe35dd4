"""What is logged never holds a key, a token, a mail's words or a request's content."""

import json
import logging
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from flow_hitl.bootstrap import current
from flow_hitl.platform.telemetry import logger
from infra.local.hitl_fixture import Hitl
from tests.support.asserts import EMIT, callback
from tests.support.aws_calls import Call, When, watched
from tests.support.receiver import receiving

WORDS = "words-nobody-may-log"


class Lines(logging.Handler):
    """Keeps every line as it would be printed."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        formatter = logger.registered_formatter
        self.text += formatter.format(record) + "\n"


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Everything logged at any level, by us and by the libraries, while the test runs."""
    ours, root, keep = logging.getLogger("flow-hitl"), logging.getLogger(), Lines()
    levels = ours.level, root.level
    ours.addHandler(keep)
    root.addHandler(keep)
    ours.setLevel(logging.DEBUG)
    yield keep
    ours.removeHandler(keep)
    root.removeHandler(keep)
    ours.setLevel(levels[0])


def secrets_of(hitl: Hitl) -> set[str]:
    """Return what must not be found in any log."""
    found = {hitl.api_key, hitl.api_key.split("_", 3)[3], WORDS, "a-signing-key-for-tests"}
    found.add(current().manage_deployments.resume_secret(hitl.deployment_id))
    for mail in hitl.inbox:
        if mail.reply_to:
            found.add(mail.reply_to.partition("@")[0])
            found.add(hitl.review_url(mail).rpartition("/")[2])
    return found


def work(hitl: Hitl) -> list[str]:
    """Do everything there is, well and badly; return the tokens that were used."""
    with receiving() as flow:
        first = hitl.ask(WORDS, emit=EMIT, output=WORDS, state={"x": WORDS}, resume_url=flow.url)
        hitl.reply(f"{WORDS}\n{WORDS}")
        second = hitl.ask(WORDS, emit=EMIT, free_text="ask_again")
        hitl.reply(WORDS)
        hitl.reply("approved", verdicts={"dmarc": "FAIL"}, to=hitl.inbox[-1])
        hitl.reply("approved", to="nobody@reply.hitl.test", sender="creator@example.com")
        hitl.page("GET", hitl.review_url(hitl.inbox[2]))
        hitl.page("GET", hitl.review_url(hitl.inbox[2]) + "x")
        hitl.api("POST", "/v1/requests", raw='{"message":"' + WORDS)
        hitl.api("POST", "/v1/requests", {"flow_id": [WORDS], WORDS: 1})
        callback(hitl, second, WORDS, outcome="approved")
        callback(hitl, second, "other", outcome="rejected")
    return [first.callback_url.rpartition("/")[2], second.callback_url.rpartition("/")[2]]


def test_no_secret_in_any_line(hitl: Hitl, lines: Lines) -> None:
    tokens = work(hitl)
    assert "mail processed" in lines.text, "the logs are being looked at"
    for secret in {*secrets_of(hitl), *tokens}:
        assert secret not in lines.text


@pytest.mark.parametrize("operation", ["TransactWriteItems", "SendEmail", "GetObject", "Query"])
def test_no_secret_in_what_is_logged_of_an_error(hitl: Hitl, lines: Lines, operation: str) -> None:
    failing = True

    def refuse(call: Call, when: When) -> None:
        if failing and when == "before" and call.operation.endswith(operation):
            raise ClientError({"Error": {"Code": "InternalError", "Message": "try later"}}, operation)

    request = hitl.ask(WORDS, emit=EMIT, state={"x": WORDS})
    tokens = {request.callback_url.rpartition("/")[2]}
    with watched(hitl, refuse):
        hitl.api("POST", "/v1/requests", {"flow_id": "f", "method_name": "m", "message": WORDS})
        hitl.reply(f"approved\n{WORDS}", to=hitl.inbox[0])
        callback(hitl, request, WORDS)
        hitl.page("POST", hitl.review_url(hitl.inbox[0]), {"outcome": "approved", "comment": WORDS})
        failing = False
    assert "try later" in lines.text, "the error was logged"
    for secret in {*secrets_of(hitl), *tokens}:
        assert secret not in lines.text
        assert json.dumps(secret)[1:-1] not in lines.text
