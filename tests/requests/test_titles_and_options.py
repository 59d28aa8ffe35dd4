"""What a request is called, and how its options read, can be named, and may ask for a comment."""

from dataclasses import MISSING, fields, replace
from typing import Any
from urllib.parse import quote

import pytest

from flow_hitl.audit.bound import bound_digest
from flow_hitl.contract.shapes import as_json
from flow_hitl.platform.digests import digest
from flow_hitl.requests.wording import OptionLook, option_label, option_shown, title_of
from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.support.asserts import NEW, assert_invalid, assert_problem, callback
from tests.support.examples import CONTENT

LOOKS: dict[str, Any] = {
    "pay": {"label": "Pay it now", "hint": "The money leaves today.", "tone": "positive"},
    "escalate_to_ciso": {"hint": "The CISO decides."},
    "rejected": {"label": "Send back", "comment": "required"},
}
EMIT = list(LOOKS)


def ask(hitl: Hitl, **fields: Any) -> AskedRequest:
    return hitl.ask("Pay this invoice?", emit=EMIT, options=LOOKS, method_name="approve_payment", **fields)


@pytest.mark.parametrize(
    ("state", "title"),
    [
        ({}, "Approve payment"),
        ({"invoice": "INV-20931", "vendor": "Acme GmbH"}, "Approve payment · INV-20931 · Acme GmbH"),
        ({"amount": 1250.5, "urgent": True, "note": None}, "Approve payment · amount 1250.5"),
        ({"id": "0192f0c1-7e11-7abc-8def-0123456789ab", "order": "A-7"}, "Approve payment · A-7"),
        ({"by": "ann@example.com", "page": "https://x.org/1", "sum": "9f86d081884c7d659a2feaa0c55ad015"}, None),
        ({"text": "long " * 20, "lines": ["a"], "nested": {"a": 1}, "blank": " ", "name": "B"}, "Approve payment · B"),
        ({"a": "one\ntwo\u202e", "b": "2", "c": "3", "d": "4"}, "Approve payment · one two · 2 · 3"),
        ({"a": "x" * 40, "b": "y" * 40, "c": "z"}, f"Approve payment · {'x' * 40} · {'y' * 40}"),
    ],
)
def test_a_request_without_a_title_is_called_by_what_tells_it_apart(state: dict[str, Any], title: str | None) -> None:
    assert title_of(None, "approve_payment", state) == (title or "Approve payment")


@pytest.mark.parametrize(
    ("value", "label", "tone"),
    [
        ("needs_revision", "Needs revision", "neutral"),
        ("approved", "Approved", "positive"),
        ("NO", "NO", "negative"),
        ("escalate_to_ciso", "Escalate to ciso", "neutral"),
        ("+1", "+1", "neutral"),
        ("ısrar", "ısrar", "neutral"),
    ],
)
def test_an_option_reads_as_words_and_looks_like_what_it_means(value: str, label: str, tone: str) -> None:
    shown = option_shown(value, {})
    assert (shown.label, shown.tone, shown.hint, shown.comment) == (label, tone, None, "optional")
    assert option_label(value, {value: OptionLook(label="Mine")}) == "Mine"


def test_what_a_request_of_before_did_not_say_leaves_its_digest_alone() -> None:
    required = [one.name for one in fields(CONTENT) if one.default is MISSING and one.default_factory is MISSING]
    plain = {name: getattr(CONTENT, name) for name in required}
    assert bound_digest(CONTENT) == digest(as_json(plain))
    assert bound_digest(CONTENT) != bound_digest(replace(CONTENT, title="Invoice"))
    assert bound_digest(CONTENT) != bound_digest(replace(CONTENT, options={"approved": OptionLook(label="Go")}))


def test_the_request_object_says_how_its_options_read(hitl: Hitl) -> None:
    shown = ask(hitl, title="Invoice INV-20931").now()
    assert shown["title"] == "Invoice INV-20931"
    assert shown["emit_options"] == EMIT
    assert shown["options"] == {
        "pay": {"label": "Pay it now", "hint": "The money leaves today.", "tone": "positive", "comment": "optional"},
        "escalate_to_ciso": {
            "label": "Escalate to ciso",
            "hint": "The CISO decides.",
            "tone": "neutral",
            "comment": "optional",
        },
        "rejected": {"label": "Send back", "hint": None, "tone": "negative", "comment": "required"},
    }


def test_a_title_is_in_the_subject_the_page_the_list_and_what_comes_after(hitl: Hitl) -> None:
    ask(hitl, title="Invoice INV-20931")
    asked = hitl.inbox[-1]
    assert asked.subject.startswith("Invoice INV-20931: your answer is needed")
    assert "Invoice INV-20931" in hitl.page("GET", hitl.review_url()).text
    url = hitl.review_url()
    browser = hitl.signed_in()
    assert "Invoice INV-20931" in browser.get("/d/1/requests?tab=pending").text
    assert "Invoice INV-20931" in browser.get("/d/1/requests?q=inv-20931").text
    hitl.reply("Pay it now", to=asked)
    assert "Recorded: Pay it now · Invoice INV-20931" in hitl.inbox[-1].subject
    late = hitl.page("GET", url).text
    assert "Invoice INV-20931" in late
    assert "Pay it now" in late


@pytest.mark.parametrize("line", ["pay", "Pay it now", "PAY-IT_NOW!", "“pay it now”"])
def test_a_mail_may_name_an_option_by_its_value_or_its_label(hitl: Hitl, line: str) -> None:
    request = ask(hitl)
    hitl.reply(f"{line}\nplease")
    assert (request.outcome, request.response["comment"]) == ("pay", "please")


def test_a_label_in_a_later_line_is_asked_about(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("Thanks for the file\nPay it now")
    assert request.status == "pending"
    assert "Pay it now" in hitl.inbox[-1].text


def test_buttons_carry_labels_hints_and_tones(hitl: Hitl) -> None:
    ask(hitl)
    mail, page = hitl.inbox[-1], hitl.page("GET", hitl.review_url()).text
    for shown in ("Pay it now", "Escalate to ciso", "Send back", "The CISO decides.", "The money leaves today."):
        assert shown in mail.text
        assert shown in mail.html
        assert shown in page
    assert "?answer=escalate_to_ciso" in mail.html
    for tone in ("positive", "neutral", "negative"):
        assert f'class="button choice {tone}"' in page
    assert len({'class="go"' in mail.html, 'class="no"' in mail.html, 'class="choice"' in mail.html}) == 1


def test_an_option_that_needs_a_comment_is_asked_for_it_on_the_page(hitl: Hitl) -> None:
    request, url = ask(hitl), hitl.review_url()
    page = hitl.page("GET", url).text
    assert page.count("formnovalidate") == 2
    refused = hitl.page("POST", url, {"outcome": "rejected", "comment": "  "})
    assert "needs a comment" in refused.text
    assert request.status == "pending"
    hitl.page("POST", url, {"outcome": "rejected", "comment": "No order number"})
    assert (request.outcome, request.response["comment"]) == ("rejected", "No order number")


def test_an_option_that_needs_a_comment_is_asked_for_it_on_the_dashboard(hitl: Hitl) -> None:
    request = ask(hitl)
    browser = hitl.signed_in()
    path = f"/d/1/requests/{request.id}"
    browser.get(path)
    assert "needs a comment" in browser.post(path, {"outcome": "rejected", "comment": ""}).text
    assert request.status == "pending"


def test_an_option_that_needs_a_comment_is_asked_for_it_by_mail(hitl: Hitl) -> None:
    request = ask(hitl)
    hitl.reply("Send back")
    asked_again = hitl.inbox[-1]
    assert request.status == "pending"
    assert "needs a comment" in asked_again.subject
    assert "Send back" in asked_again.text
    hitl.reply("Send back\n\nNo order number", to=asked_again)
    assert (request.outcome, request.response["comment"]) == ("rejected", "No order number")


def test_an_option_that_needs_a_comment_is_refused_without_one_by_callback(hitl: Hitl) -> None:
    request = ask(hitl)
    for said in ({"feedback": "rejected"}, {"feedback": "Send back", "outcome": "rejected"}):
        assert_invalid(callback(hitl, request, **said), "/feedback")
    assert callback(hitl, request, "No order number", outcome="rejected").status == 200
    assert (request.outcome, request.response["feedback"]) == ("rejected", "No order number")


def test_the_clock_has_nothing_to_comment(hitl: Hitl) -> None:
    request = ask(hitl, auto_response={"timeout_minutes": 5, "default_outcome": "rejected"})
    assert "the answer will be &#34;Send back&#34;" in hitl.inbox[-1].html
    hitl.advance(minutes=6)
    assert (request.outcome, request.response["responded_via"]) == ("rejected", "auto_response")


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"title": "x" * 201}, "/title"),
        ({"title": "two\nlines"}, "/title"),
        ({"title": "  "}, "/title"),
        ({"title": "\u202eevil"}, "/title"),
        ({"options": {"unknown": {"label": "x"}}}, "/options/unknown"),
        ({"options": {"approved": {"label": "Rejected"}}}, "/options/approved/label"),
        ({"options": {"approved": {"label": "Yes"}, "rejected": {"label": "YES"}}}, None),
        ({"options": {"approved": {"label": "x" * 101}}}, "/options/approved/label"),
        ({"options": {"approved": {"label": "a\nb"}}}, "/options/approved/label"),
        ({"options": {"approved": {"hint": "x" * 301}}}, "/options/approved/hint"),
        ({"options": {"approved": {"tone": "loud"}}}, "/options/approved/tone"),
        ({"options": {"approved": {"comment": "never"}}}, "/options/approved/comment"),
        ({"options": {"approved": {"color": "red"}}}, "/options/approved/color"),
    ],
)
def test_what_could_not_be_told_apart_or_shown_is_refused(
    hitl: Hitl, fields: dict[str, Any], pointer: str | None
) -> None:
    answer = hitl.api("POST", "/v1/requests", {**NEW, **fields})
    if pointer is None:
        assert_invalid(answer, "/options/approved/label", "/options/rejected/label")
    else:
        assert_invalid(answer, pointer)


def test_a_label_may_be_the_options_own_value_in_other_letters(hitl: Hitl) -> None:
    body = {**NEW, "options": {"approved": {"label": "APPROVED"}}}
    assert hitl.api("POST", "/v1/requests", body).status == 201


def test_the_same_id_with_another_title_is_another_request(hitl: Hitl) -> None:
    body = {**NEW, "id": "0192f0c1-7e11-7abc-8def-0123456789ab", "title": "One"}
    assert hitl.api("POST", "/v1/requests", body).status == 201
    assert_problem(hitl.api("POST", "/v1/requests", {**body, "title": "Two"}), 422, "idempotency-mismatch")


def test_a_long_option_is_chosen_by_its_place_also_in_the_mail_that_asks_again(hitl: Hitl) -> None:
    long = "ж" * 90
    request = hitl.ask("Which?", emit=["first", long])
    hitl.reply(f"I think\n{long}")
    url = f"{hitl.review_url()}?option=2"
    assert quote(long) not in url
    assert url in hitl.inbox[-1].html
    assert request.status == "pending"
