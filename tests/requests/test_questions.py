"""Asking back: a question goes to the flow, its answer comes back, and the request stays pending."""

import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Permission
from infra.local.hitl_fixture import Answer, AskedRequest, Hitl
from tests.support.asserts import EMIT, NEW, api_key, assert_invalid, assert_problem, callback
from tests.support.receiver import receiving
from tests.support.webhooks import hook, spec_verifies, told

QUESTION = "Why is it 12 euros more than last month?"
ANSWER = "The supplier raised its price in November."


def ask_back(hitl: Hitl, request: AskedRequest, text: Any = QUESTION) -> Answer:
    return hitl.api("POST", f"{urlsplit(request.callback_url).path}/questions", {"text": text}, key=None)


def answer_it(hitl: Hitl, request: AskedRequest, text: Any = ANSWER, **options: Any) -> Answer:
    return hitl.api("POST", f"/v1/requests/{request.id}/answers", {"text": text}, **options)


def thread(request: AskedRequest) -> list[tuple[str, str, str | None]]:
    return [(one["kind"], one["text"], one["by"]) for one in request.now()["thread"]]


# --- one round


def test_a_question_reaches_the_flow_and_its_answer_the_reviewer(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, questions=True, resume_url=flow.url)
        asked = ask_back(hitl, request)
        assert asked.status == 200, asked.text
        (post,) = flow.received
        body = json.loads(post.body)
        assert body["event"] == "question_asked"
        assert body["request"]["status"] == "pending"
        question = body["request"]["question"]
        assert (question["kind"], question["text"], question["by"]) == ("question", QUESTION, None)
        assert body["request"]["thread"] == [question]
        assert post.headers["idempotency-key"] == f"{request.id}/{question['id']}"
        assert spec_verifies(current().manage_deployments.resume_secret(hitl.deployment_id), post)

        assert answer_it(hitl, request).status == 200
        mail = hitl.inbox[-1]
        assert mail.subject == f"Re: {hitl.inbox[0].subject}"
        assert QUESTION in mail.text
        assert ANSWER in mail.text
        assert request.status == "pending"
        assert thread(request) == [("question", QUESTION, None), ("answer", ANSWER, None)]

        hitl.reply("approved", to=mail)
        assert request.response["outcome"] == "approved"
        assert json.loads(flow.received[-1].body)["event"] == "response_submitted"
    decision = next(event for event in request.timeline if event["kind"] == "response_submitted")
    sent = next(event for event in request.timeline if event["kind"] == "answer_mail_sent")
    assert decision["data"]["shown"]["event_id"] == sent["event_id"]
    assert request.kinds.count("question_asked") == request.kinds.count("question_attempted") == 1


def test_a_webhook_that_asked_for_it_is_told_each_question(hitl: Hitl) -> None:
    with receiving() as app:
        webhook = hook(hitl, app.url, events=["question_asked"])
        request = hitl.ask(emit=EMIT, questions=True)
        for text in ("First?", "Second?"):
            ask_back(hitl, request, text)
        posts = app.received
        assert [told(post)["request"]["question"]["text"] for post in posts] == ["First?", "Second?"]
        assert {told(post)["event"] for post in posts} == {"question_asked"}
        assert all(spec_verifies(webhook.secret, post) for post in posts)


def test_a_webhook_that_did_not_ask_for_it_is_told_nothing(hitl: Hitl) -> None:
    with receiving() as app:
        hook(hitl, app.url)
        request = hitl.ask(emit=EMIT, questions=True)
        ask_back(hitl, request)
        assert [told(post)["event"] for post in app.received] == ["new_request"]


# --- when it is allowed


def test_a_request_takes_questions_only_if_it_says_so(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    assert (request.now()["questions"], request.now()["thread"]) == (False, [])
    assert_problem(ask_back(hitl, request), 409, "questions-off")
    assert request.kinds.count("question_asked") == 0


def test_a_decided_request_takes_neither_question_nor_answer(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    callback(hitl, request)
    assert_problem(ask_back(hitl, request), 409, "already-responded")
    assert_problem(answer_it(hitl, request), 409, "already-responded")


@pytest.mark.parametrize("text", ["", " \n ", "x" * 2001])
def test_a_question_and_an_answer_have_between_one_and_2000_characters(hitl: Hitl, text: str) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    assert_invalid(ask_back(hitl, request, text), "/text")
    ask_back(hitl, request)
    assert_invalid(answer_it(hitl, request, text), "/text")


def test_only_a_key_that_may_create_requests_answers(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    assert_problem(answer_it(hitl, request, key=api_key(hitl, Permission.MANAGE)), 403, "forbidden")
    assert answer_it(hitl, request, key=api_key(hitl, Permission.CREATE_REQUESTS)).status == 200


def test_who_must_not_answer_by_callback_must_not_ask_there(hitl: Hitl) -> None:
    hitl.configure(settings={"forbid_self_approval": True})
    request = hitl.ask(emit=EMIT, questions=True, metadata={"requested_by": "someone@example.com"})
    assert_problem(ask_back(hitl, request), 403, "forbidden")


def test_an_altered_token_asks_nothing(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    path = f"{urlsplit(request.callback_url).path}x/questions"
    assert_problem(hitl.api("POST", path, {"text": QUESTION}, key=None), 401, "unauthorized")


def test_the_thread_ends_with_twenty_entries_and_the_last_question_can_be_answered(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    for number in range(19):
        assert ask_back(hitl, request, f"Question {number}?").status == 200
    assert_problem(ask_back(hitl, request, "One more?"), 409, "questions-off")
    assert answer_it(hitl, request).status == 200
    assert len(request.now()["thread"]) == 20


# --- once


def test_the_same_question_again_is_one_question(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, questions=True, resume_url=flow.url)
        assert [ask_back(hitl, request).status for _ in range(2)] == [200, 200]
        assert len(flow.received) == 1


def test_the_same_answer_again_is_one_answer_and_another_is_too_late(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    assert_problem(answer_it(hitl, request), 409, "no-question")
    ask_back(hitl, request)
    headers = {"Idempotency-Key": "k-1"}
    assert [answer_it(hitl, request, headers=headers).status for _ in range(2)] == [200, 200]
    assert answer_it(hitl, request).status == 200
    assert_problem(answer_it(hitl, request, "Something else."), 409, "no-question")
    assert [kind for kind, *_ in thread(request)] == ["question", "answer"]
    assert request.kinds.count("answer_mail_sent") == 1


def test_a_flow_that_is_away_is_told_later_and_not_if_it_has_answered_since(hitl: Hitl) -> None:
    with receiving() as flow:
        flow.away = 1
        request = hitl.ask(emit=EMIT, questions=True, resume_url=flow.url)
        ask_back(hitl, request)
        hitl.advance(seconds=10)
        first, second = flow.received
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert request.kinds.count("question_attempted") == 2
        flow.away = 1
        answer_it(hitl, request)
        ask_back(hitl, request, "And now?")
        answer_it(hitl, request, "Now it is fine.")
        hitl.advance(minutes=60)
        assert len(flow.received) == 3


def test_without_emails_the_answer_is_only_on_the_page(hitl: Hitl) -> None:
    hitl.configure(settings={"email_notifications": False})
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    assert answer_it(hitl, request).status == 200
    assert hitl.inbox == []


@pytest.mark.parametrize("questions", [1, "yes", None])
def test_the_wish_is_a_boolean(hitl: Hitl, questions: Any) -> None:
    assert_invalid(hitl.api("POST", "/v1/requests", {**NEW, "questions": questions}), "/questions")


# --- by email


@pytest.mark.parametrize(
    ("text", "question"),
    [
        (f"question: {QUESTION}", QUESTION),
        ("Question:\n\nWhy?\nAnd by whom?", "Why?\nAnd by whom?"),
        ("QUESTION : Why?\n\nBest,\nAnn", "Why?"),
    ],
)
def test_a_reply_asks_and_the_answer_comes_in_the_same_thread(hitl: Hitl, text: str, question: str) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, questions=True, resume_url=flow.url)
        assert 'reply with "question:"' in hitl.inbox[0].text
        hitl.reply(text)
        assert thread(request) == [("question", question, request.now()["assigned_to_email"])]
        assert json.loads(flow.received[0].body)["request"]["question"]["text"] == question
        answer_it(hitl, request)
        assert [mail.to for mail in hitl.inbox] == [hitl.inbox[0].to] * 2
        hitl.reply("approved", to=hitl.inbox[-1])
        assert request.response["outcome"] == "approved"


def test_a_reply_that_comes_twice_asks_once(hitl: Hitl) -> None:
    with receiving() as flow:
        request = hitl.ask(emit=EMIT, questions=True, resume_url=flow.url)
        for _ in range(2):
            hitl.reply(f"question: {QUESTION}")
        assert len(thread(request)) == len(flow.received) == 1


def test_elsewhere_a_reply_that_reads_like_a_question_is_feedback_as_ever(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    assert "question:" not in hitl.inbox[0].text
    hitl.reply(f"question: {QUESTION}")
    assert request.response["feedback"] == f"question: {QUESTION}"


def test_an_option_that_reads_like_a_question_is_chosen(hitl: Hitl) -> None:
    request = hitl.ask(emit=("question: later", "no"), questions=True)
    hitl.reply("question: later")
    assert request.response["outcome"] == "question: later"


def test_only_who_is_asked_may_ask_by_email(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    hitl.reply(f"question: {QUESTION}", sender="mallory@evil.example")
    assert thread(request) == []
    assert "reply_rejected" in request.kinds


def test_of_a_group_only_the_one_who_asked_gets_the_answer(hitl: Hitl) -> None:
    ann, bob = "ann@example.com", "bob@example.com"
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ann, bob]}]})
    request = hitl.ask(emit=EMIT, questions=True, assigned_to_email="group:finance")
    mail = next(one for one in hitl.inbox if one.to == bob)
    hitl.reply(f"question: {QUESTION}", to=mail)
    answer_it(hitl, request)
    assert [one.to for one in hitl.inbox if ANSWER in one.text] == [bob]


def test_who_has_passed_the_request_on_gets_no_answer_and_the_new_responder_does(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    hitl.reply(f"question: {QUESTION}")
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": "bob@example.com"})
    answer_it(hitl, request)
    assert [one.to for one in hitl.inbox if ANSWER in one.text] == ["bob@example.com"]


def test_the_log_of_a_request_with_questions_verifies(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    answer_it(hitl, request)
    callback(hitl, request)
    hitl.advance(minutes=61)
    answer = hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/audit/verify")
    assert answer.json["findings"] == [], answer.text


# --- by the feed


def fed(hitl: Hitl, **query: Any) -> Any:
    text = "&".join(f"{name}={value}" for name, value in query.items())
    answer = hitl.api("GET", f"/v1/decisions?{text}")
    assert answer.status == 200, answer.text
    return answer.json


def test_who_follows_the_feed_learns_of_a_question_until_it_is_answered(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    start = fed(hitl, include="questions")
    assert (start["decisions"], start["questions"]) == ([], [])
    ask_back(hitl, request)
    page = fed(hitl, include="questions", cursor=start["cursor"])
    (asked,) = page["questions"]
    assert page["decisions"] == []
    assert (asked["id"], asked["status"], asked["thread"][-1]["text"]) == (request.id, "pending", QUESTION)
    assert fed(hitl, include="questions", cursor=page["cursor"])["questions"] == []
    # A worker that starts anew hears of what is still open, and of nothing else.
    assert [one["id"] for one in fed(hitl, include="questions")["questions"]] == [request.id]
    answer_it(hitl, request)
    assert fed(hitl, include="questions")["questions"] == []


def test_a_second_question_comes_again_and_a_decision_ends_them(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    page = fed(hitl, include="questions")
    hitl.advance(minutes=5)
    ask_back(hitl, request, "And why now?")
    page = fed(hitl, include="questions", cursor=page["cursor"])
    assert [one["thread"][-1]["text"] for one in page["questions"]] == ["And why now?"]
    assert len(fed(hitl, include="questions")["questions"]) == 1, "the newest one stands for both"
    hitl.advance(minutes=5)
    callback(hitl, request, "approved")
    page = fed(hitl, include="questions", cursor=page["cursor"])
    assert [one["id"] for one in page["decisions"]] == [request.id]
    assert page["questions"] == []


def test_decisions_and_questions_come_in_the_order_in_which_they_happened(hitl: Hitl) -> None:
    requests = [hitl.ask(emit=EMIT, questions=True) for _ in range(6)]
    for number, request in enumerate(requests):
        hitl.advance(minutes=1)
        if number % 2:
            ask_back(hitl, request)
        else:
            callback(hitl, request, "approved")
    seen: list[str] = []
    cursor = ""
    for _ in range(6):
        page = fed(hitl, include="questions", limit=1, **({"cursor": cursor} if cursor else {}))
        seen += [one["id"] for one in (*page["decisions"], *page["questions"])]
        cursor = page["cursor"]
    assert seen == [request.id for request in requests]


def test_who_did_not_ask_for_questions_gets_none(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    page = fed(hitl)
    assert (page["decisions"], "questions" in page) == ([], False)
    callback(hitl, request, "approved")
    assert [one["id"] for one in fed(hitl, cursor=page["cursor"])["decisions"]] == [request.id]
    assert_invalid(hitl.api("GET", "/v1/decisions?include=everything"), "/include")


def test_a_reader_may_ask_for_questions_later_and_misses_no_decision(hitl: Hitl) -> None:
    first, second = (hitl.ask(emit=EMIT, questions=True) for _ in range(2))
    callback(hitl, first, "approved")
    cursor = fed(hitl)["cursor"]
    ask_back(hitl, second)
    page = fed(hitl, include="questions", cursor=cursor)
    assert [one["id"] for one in page["questions"]] == [second.id]
    callback(hitl, second, "approved")
    assert second.id in [one["id"] for one in fed(hitl, cursor=page["cursor"])["decisions"]]


def test_a_clock_that_stands_still_hides_no_question_and_no_decision(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, questions=True)
    ask_back(hitl, request)
    page = fed(hitl, include="questions")
    ask_back(hitl, request, "And why now?")
    page = fed(hitl, include="questions", cursor=page["cursor"])
    assert [one["thread"][-1]["text"] for one in page["questions"]] == ["And why now?"]
    callback(hitl, request, "approved")
    page = fed(hitl, include="questions", cursor=page["cursor"])
    assert [one["id"] for one in page["decisions"]] == [request.id]
    assert fed(hitl, include="questions", cursor=page["cursor"])["decisions"] == []
