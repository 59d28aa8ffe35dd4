"""Asking back on the page behind a link and on the page of signed-in people."""

import re
from typing import Any

import pytest

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import EMIT, callback

QUESTION = "Why <b>12</b> euros?"


class Reviewer:
    """Somebody who reviews on one of the two pages."""

    def __init__(self, hitl: Hitl, request: AskedRequest, *, signed_in: bool) -> None:
        self.hitl, self.path = hitl, f"/d/{hitl.deployment_id}/requests/{request.id}"
        self.browser = hitl.signed_in("creator@example.com") if signed_in else None
        self.url = hitl.review_url(next(mail for mail in hitl.inbox if "/review/" in mail.text))

    def look(self) -> str:
        answer = self.browser.get(self.path) if self.browser else self.hitl.page("GET", self.url)
        return answer.text

    def hear(self, address: str) -> Any:
        return (self.browser.get(address) if self.browser else self.hitl.page("GET", address)).json

    def ask(self, question: str, **more: str) -> Any:
        self.look()
        form = {"question": question, "ask": "yes", **more}
        return self.browser.post(self.path, form) if self.browser else self.hitl.page("POST", self.url, form)


@pytest.fixture(params=[False, True], ids=["by link", "signed in"])
def reviewing(request: pytest.FixtureRequest) -> Any:
    return lambda hitl, asked: Reviewer(hitl, asked, signed_in=request.param)


def texts(request: AskedRequest) -> list[str]:
    return [one["text"] for one in request.now()["thread"]]


def test_a_question_and_its_answer_stand_on_the_page(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, questions=True)
    reviewer = reviewing(hitl, asked)
    assert "Ask a question first" in reviewer.look()
    assert reviewer.ask(QUESTION).status == 303
    page = reviewer.look()
    assert "Why &lt;b&gt;12&lt;/b&gt; euros?" in page
    assert "The flow has not answered yet" in page
    assert hitl.api("POST", f"/v1/requests/{asked.id}/answers", {"text": "A new price.\nSince May."}).status == 200
    page = reviewer.look()
    assert "There is an answer to your question." in page
    assert "A new price." in page
    assert "The flow has not answered yet" not in page
    assert asked.now()["thread"][0]["by"] == "creator@example.com"
    assert asked.status == "pending"


def test_an_open_page_hears_that_the_flow_has_answered(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, questions=True)
    reviewer = reviewing(hitl, asked)
    reviewer.ask(QUESTION)
    found = re.search(r'data-news="([^"]+)" data-remarks="1"', reviewer.look())
    assert found
    assert reviewer.hear(found[1]) == {"text": None, "remarks": 1}
    hitl.api("POST", f"/v1/requests/{asked.id}/answers", {"text": "A new price."})
    assert reviewer.hear(found[1]) == {"text": None, "remarks": 2}


def test_asking_keeps_the_answer_that_was_begun(hitl: Hitl, reviewing: Any) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
    asked = hitl.ask(emit=EMIT, questions=True, output={"total": 12}, editable=True, response_schema=schema)
    reviewer = reviewing(hitl, asked)
    page = reviewer.ask(QUESTION, comment="My long reasons", **{"field-0": "77.5", "edit/total": "12"})
    assert page.status == 200
    assert "My long reasons" in page.text
    assert 'value="77.5"' in page.text
    assert "The flow has not answered yet" in page.text
    assert texts(asked) == [QUESTION]


@pytest.mark.parametrize("question", [" ", "x" * 2001])
def test_a_question_that_cannot_be_asked_stays_on_the_page(hitl: Hitl, reviewing: Any, question: str) -> None:
    asked = hitl.ask(emit=EMIT, questions=True)
    refused = reviewing(hitl, asked).ask(question)
    assert refused.status == 422
    assert "Your question must not be" in refused.text
    assert question in refused.text
    assert texts(asked) == []


def test_a_question_after_the_decision_comes_too_late(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT, questions=True)
    reviewer = reviewing(hitl, asked)
    callback(hitl, asked)
    assert "My question" in reviewer.ask("My question").text
    assert texts(asked) == []


def test_a_request_that_takes_no_questions_shows_nothing_of_it(hitl: Hitl, reviewing: Any) -> None:
    asked = hitl.ask(emit=EMIT)
    reviewer = reviewing(hitl, asked)
    assert "Ask a question" not in reviewer.look()
    assert reviewer.ask("Why?").status == 422
    assert texts(asked) == []


def test_managers_read_the_thread_of_others_and_do_not_ask(hitl: Hitl) -> None:
    asked = hitl.ask(emit=EMIT, questions=True, assigned_to_email="ann@example.com")
    hitl.page("POST", hitl.review_url(), {"question": QUESTION, "ask": "yes"})
    browser = hitl.signed_in("creator@example.com")
    path = f"/d/{hitl.deployment_id}/requests/{asked.id}"
    page = browser.get(path).text
    assert "Questions to the flow" in page
    assert "ann@example.com asked the flow" in page
    assert "Ask a question first" not in page
    assert browser.post(path, {"question": "Mine?", "ask": "yes"}).status == 403
    assert len(texts(asked)) == 1
