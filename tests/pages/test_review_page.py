"""The review page: a link shows, only a POST from the page itself decides, once."""

import re
from html import unescape
from typing import Any
from urllib.parse import quote, unquote

import pytest

from infra.local.hitl_fixture import Answer, AskedRequest, Hitl
from tests.support.asserts import EMIT, callback, everything_written


def press(hitl: Hitl, url: str, outcome: str | None = "approved", comment: str = "", **headers: str) -> Answer:
    form = {"comment": comment, **({"outcome": outcome} if outcome is not None else {})}
    return hitl.page("POST", url, form, **headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_to_look_decides_nothing(hitl: Hitl, method: str) -> None:
    request = hitl.ask("Publish this?", emit=EMIT, output="# Draft")
    url = hitl.review_url()
    before = everything_written(hitl)
    for path in (url, url + "?outcome=approved", url + "?outcome=approved&comment=x", url + "?answer=approved"):
        assert hitl.page(method, path).status == 200
    assert everything_written(hitl) == before
    assert request.status == "pending"


def test_the_page_shows_the_request_and_a_button_for_each_option(hitl: Hitl) -> None:
    hitl.ask("Publish this?", emit=EMIT, output="# Draft", state={"amount": 12})
    page = hitl.page("GET", hitl.review_url())
    assert page.headers["Content-Type"].startswith("text/html")
    for shown in ("Publish this?", "Draft</h", "amount", 'value="approved"', 'value="rejected"', 'method="post"'):
        assert shown in page.text
    assert "get" not in [part.partition('"')[0] for part in page.text.split('method="')[1:]]


def test_the_page_gives_its_address_away_to_nobody(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    headers = hitl.page("GET", hitl.review_url()).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"


def test_a_button_of_the_mail_opens_the_page_to_confirm_it(hitl: Hitl) -> None:
    request = hitl.ask("Publish this?", emit=["approved", "50% & more?"])
    buttons = re.findall(r'href="(https://hitl\.test/review/[^"]+\?answer=[^"]+)"', hitl.inbox[-1].html)
    assert [unquote(url.partition("=")[2]) for url in buttons] == ["approved", "50% & more?"]
    page = hitl.page("GET", buttons[1])
    assert "Confirm your answer" in page.text
    assert [unescape(one) for one in re.findall(r'name="outcome" value="([^"]+)"', page.text)] == [
        "50% & more?",
        "approved",
    ]
    assert request.status == "pending"
    press(hitl, buttons[1], "50% & more?", "as you see")
    assert (request.outcome, request.response["comment"]) == ("50% & more?", "as you see")


def test_a_button_for_a_long_option_names_it_by_its_place(hitl: Hitl) -> None:
    long = ["أعد المقال إلى الكاتب واطلب مصدرا لكل رقم" * 2, "👍" * 90, "approved"]
    request = hitl.ask("Publish this?", emit=long)
    buttons = re.findall(r'href="(https://hitl\.test/review/[^"]+\?(?:answer|option)=[^"]+)"', hitl.inbox[-1].html)
    assert [url.partition("?")[2] for url in buttons] == ["option=1", "option=2", "answer=approved"]
    page = hitl.page("GET", buttons[1])
    assert "Confirm your answer" in page.text
    press(hitl, buttons[1], long[1], "as you see")
    assert request.outcome == long[1]


@pytest.mark.parametrize("number", ["", "0", "3", "-1", "01", "１", "1.0", "x" * 500])
def test_a_button_for_no_place_opens_the_ordinary_page(hitl: Hitl, number: str) -> None:
    hitl.ask("Publish this?", emit=EMIT)
    page = hitl.page("GET", f"{hitl.review_url()}?option={quote(number)}")
    assert "Your answer" in page.text
    assert "Confirm" not in page.text


@pytest.mark.parametrize("answer", ["", "maybe", "APPROVED", "<b>"])
def test_a_button_for_what_is_no_option_opens_the_ordinary_page(hitl: Hitl, answer: str) -> None:
    hitl.ask("Publish this?", emit=EMIT)
    page = hitl.page("GET", f"{hitl.review_url()}?answer={quote(answer)}")
    assert "Your answer" in page.text
    assert "Confirm" not in page.text
    assert "<b>" not in page.text


def test_the_open_page_hears_of_somebody_elses_answer(hitl: Hitl) -> None:
    request = hitl.ask("Publish this?", emit=EMIT)
    url = hitl.review_url()
    found = re.search(r'data-news="([^"]+)"', hitl.page("GET", url).text)
    assert found
    assert hitl.page("GET", found[1]).json == {"text": None, "remarks": 0}
    callback(hitl, request, "rejected")
    assert 'answered "Rejected"' in hitl.page("GET", found[1]).json["text"]


def test_who_was_beaten_keeps_what_they_wrote(hitl: Hitl) -> None:
    request = hitl.ask("Publish this?", emit=EMIT)
    url = hitl.review_url()
    callback(hitl, request, "rejected")
    page = press(hitl, url, "approved", "my long reasons")
    assert "my long reasons" in page.text
    assert "Rejected" in page.text


def test_a_button_decides(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    answer = press(hitl, hitl.review_url(), "rejected", "Wrong price.\nAgain.")
    assert answer.status == 200
    response = request.response
    assert (response["outcome"], response["feedback"], response["comment"]) == (
        "rejected",
        "rejected",
        "Wrong price.\nAgain.",
    )
    assert (response["responded_via"], response["responder"]) == ("dashboard", "creator@example.com")
    assert response["responder_verified"] is True


def test_without_options_the_text_is_the_answer(hitl: Hitl) -> None:
    request = hitl.ask()
    press(hitl, hitl.review_url(), None, "Shorter, please\nand less purple")
    assert (request.outcome, request.response["feedback"]) == (None, "Shorter, please")
    assert request.response["comment"] == "and less purple"


def test_the_second_press_decides_nothing_more(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    url = hitl.review_url()
    press(hitl, url, "approved")
    before = everything_written(hitl)
    for outcome in ("approved", "rejected"):
        again = press(hitl, url, outcome)
        assert again.status == 200
        assert "Approved" in again.text
    assert request.outcome == "approved"
    assert everything_written(hitl) == before


def test_pressing_again_says_that_ones_own_answer_counts(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    url = hitl.review_url()
    press(hitl, url, "approved", "fine")
    for again in (press(hitl, url, "approved", "fine"), hitl.page("GET", f"{url}?answer=approved")):
        assert "Your answer counts" in again.text
        assert "Already answered" not in again.text
        assert "Your text" not in again.text
    more = press(hitl, url, "approved", "and one thing more").text
    assert "Your answer counts" in more
    assert "What you wrote this time was not added." in more
    other = press(hitl, url, "rejected").text
    assert "You have already answered this request. The first answer counts." in other
    assert "Your answer counts" not in other


def test_pressing_after_an_answer_by_mail_says_the_same(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    url = hitl.review_url()
    hitl.reply("approved")
    assert "Your answer counts" in press(hitl, url, "approved").text


def test_sending_the_same_feedback_again_says_that_it_counts(hitl: Hitl) -> None:
    hitl.ask("How is it?")
    url = hitl.review_url()
    press(hitl, url, None, "Shorter, please\nand less purple")
    assert "Your answer counts" in press(hitl, url, None, "Shorter, please\r\nand less purple").text
    assert "Your answer counts" not in press(hitl, url, None, "Longer, please").text


def test_somebody_elses_answer_is_nobodys_own(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    url = hitl.review_url()
    callback(hitl, request, "approved", responder="creator@example.com")
    assert "Your answer counts" not in press(hitl, url, "approved").text


def test_what_follows_is_said_only_as_far_as_it_is_known(hitl: Hitl) -> None:
    hitl.ask(emit=EMIT)
    assert "Your answer was recorded, and the flow fetches it." in press(hitl, hitl.review_url(), "approved").text
    hitl.ask(emit=EMIT, resume_url="https://flows.example.com/")
    page = press(hitl, hitl.review_url(), "approved").text
    assert "the flow resumes with it as soon as it arrives" in page


def test_a_decided_request_shows_how_it_stands_and_no_buttons(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    url = hitl.review_url()
    callback(hitl, request, "rejected")
    page = hitl.page("GET", url)
    assert page.status == 200
    assert "Rejected" in page.text
    assert "<form" not in page.text


def test_a_cancelled_request_says_so(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    url = hitl.review_url()
    hitl.api("DELETE", f"/v1/requests/{request.id}")
    for page in (hitl.page("GET", url), press(hitl, url)):
        assert page.status == 200
        assert "<form" not in page.text
    assert request.status == "cancelled"


@pytest.mark.parametrize("how", ["answer", "cancel"])
def test_who_was_a_moment_too_late_is_told_how_it_stands(hitl: Hitl, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    from flow_hitl.requests.deciding.record_response import RecordResponse

    request = hitl.ask(emit=EMIT)
    url, record = hitl.review_url(), RecordResponse.__call__

    def beaten(self: RecordResponse, submission: Any, known: Any) -> Any:
        monkeypatch.setattr(RecordResponse, "__call__", record)
        if how == "answer":
            callback(hitl, request, "rejected")
        else:
            hitl.api("DELETE", f"/v1/requests/{request.id}")
        return record(self, submission, known)

    monkeypatch.setattr(RecordResponse, "__call__", beaten)
    page = press(hitl, url, "approved")
    assert page.status == 200
    assert ("rejected" if how == "answer" else "cancelled") in page.text.lower()
    assert "<form" not in page.text
    assert request.outcome == ("rejected" if how == "answer" else None)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "https://hitl.test.evil.example"},
        {"origin": "https://evil.example/https://hitl.test"},
        {"sec-fetch-site": "cross-site", "origin": "https://hitl.test"},
        {"sec-fetch-site": "cross-site", "origin": "null"},
        {"origin": ""},
    ],
)
def test_a_form_of_another_site_is_refused(hitl: Hitl, headers: dict[str, str]) -> None:
    request = hitl.ask(emit=EMIT)
    answer = press(hitl, hitl.review_url(), **headers)
    assert answer.status == 403
    assert answer.headers["Content-Type"].startswith("text/html")
    assert request.status == "pending"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "same-origin", "origin": "https://hitl.test"},
        {"origin": "https://hitl.test"},
        {"sec-fetch-site": "same-origin", "origin": "null"},
    ],
)
def test_its_own_form_is_taken(hitl: Hitl, headers: dict[str, str]) -> None:
    request = hitl.ask(emit=EMIT)
    assert press(hitl, hitl.review_url(), **headers).status == 200
    assert request.outcome == "approved"


def test_an_altered_link_shows_nothing(hitl: Hitl) -> None:
    request = hitl.ask("private words", emit=EMIT)
    url = hitl.review_url()
    other = "A" if url[-1] != "A" else "B"
    for wrong in (url[:-1], url[:-1] + other, "https://hitl.test/review/x"):
        for answer in (hitl.page("GET", wrong), press(hitl, wrong)):
            assert answer.status == 401
            assert "private words" not in answer.text
    assert request.status == "pending"


def expire(hitl: Hitl) -> tuple[AskedRequest, str]:
    request = hitl.ask("private words", emit=EMIT)
    url = hitl.review_url()
    hitl.advance(days=7)
    assert hitl.page("GET", url).status == 200
    hitl.advance(seconds=1)
    return request, url


@pytest.mark.parametrize("token", ["\x98", "a\U000f7516b", "ç\\"])
def test_a_link_with_characters_that_no_link_has_shows_a_page(hitl: Hitl, token: str) -> None:
    answer = hitl.page("GET", f"https://hitl.test/review/{token}")
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "link" in answer.text


def test_an_expired_link_shows_and_decides_nothing(hitl: Hitl) -> None:
    request, url = expire(hitl)
    for answer in (hitl.page("GET", url), press(hitl, url)):
        assert answer.status == 410
        assert "private words" not in answer.text
    assert request.status == "pending"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"outcome": "maybe", "comment": "keep these words"}, 422),
        ({"outcome": "", "comment": " "}, 422),
        ({"comment": "keep these words" + "x" * 50_001}, 422),
        ({}, 422),
    ],
)
def test_a_wrong_form_decides_nothing_and_keeps_what_was_written(hitl: Hitl, form: dict[str, str], status: int) -> None:
    request = hitl.ask(emit=EMIT)
    answer = hitl.page("POST", hitl.review_url(), form)
    assert answer.status == status
    assert "keep these words" in answer.text or "keep" not in form.get("comment", "")
    assert "<form" in answer.text
    assert request.status == "pending"


def test_a_form_that_is_none_of_ours_is_refused_as_a_page(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT)
    url = hitl.review_url()
    many = hitl.page("POST", url, {f"field{number}": "x" for number in range(50)})
    huge = hitl.page("POST", url, {"outcome": "approved", "comment": "x" * 1024 * 1024})
    assert (many.status, huge.status) == (422, 413)
    for answer in (many, huge):
        assert answer.headers["Content-Type"].startswith("text/html")
    assert request.status == "pending"


def test_free_text_where_one_of_the_options_is_asked_for(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, free_text="ask_again")
    url = hitl.review_url()
    assert press(hitl, url, None, "perhaps").status == 422
    assert request.status == "pending"
    assert press(hitl, url, None, "Approved!").status == 200
    assert request.outcome == "approved"


def test_what_an_ai_wrote_is_no_code_on_the_page(hitl: Hitl) -> None:
    evil = '<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) "><form action=//evil>'
    hitl.ask(evil, emit=['">&<b>'], output=evil, state={evil: evil}, flow_name=evil, method_name=evil[:200])
    page = hitl.page("GET", hitl.review_url()).text.lower()
    assert page.count("<script") == page.count('<script src="/assets/') == 1
    assert "<img" not in page
    assert "javascript:" not in page.replace("[x](javascript:", "")
    assert page.count("<form") == 1
