"""The dashboard's list and review page: a signed-in person sees what they may, answers once, and loses no word."""

import re
from html import unescape
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl, made_once
from tests.support.asserts import EMIT, callback, everything_written

ANNA, BEN, CREATOR = "anna@example.com", "ben@example.com", "creator@example.com"
LIST = "/d/1/requests"


def member(hitl: Hitl, email: str, *permissions: Permission, aliases: tuple[str, ...] = ()) -> Browser:
    """Return a browser in which a member with these permissions is signed in."""
    manage = current().manage_deployments
    manage.set_member(hitl.deployment_id, Member(email, frozenset(permissions), aliases))
    return hitl.signed_in(email)


def reviewer(hitl: Hitl, email: str = ANNA, **more: Any) -> Browser:
    return member(hitl, email, Permission.RESPOND, **more)


def url(request: AskedRequest) -> str:
    return f"{LIST}/{request.id}"


def answer(browser: Browser, request: AskedRequest, outcome: str | None = "approved", comment: str = "") -> Answer:
    """Open the page and send its form."""
    shown = hidden(browser.get(url(request)), "shown")
    form = {"comment": comment, "shown": shown, **({"outcome": outcome} if outcome else {})}
    return browser.post(url(request), form)


def hidden(page: Answer, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    return found[1] if found else ""


def listed(page: Answer) -> list[str]:
    """Return the ids of the requests that a list shows, in order."""
    return re.findall(r'<th role="rowheader"[^>]*><a href="/d/1/requests/([0-9a-f-]{36})"', page.text)


def words(page: Answer) -> str:
    """Return what a page says, without markup."""
    body = page.text.partition("<main")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


# --- the list


def test_a_manager_sees_every_request_and_a_reviewer_their_own(hitl: Hitl) -> None:
    browser = reviewer(hitl)
    own, other = hitl.ask(assigned_to_email=ANNA), hitl.ask(assigned_to_email=BEN)
    assert listed(browser.get(LIST)) == [own.id]
    assert set(listed(hitl.signed_in().get(LIST))) == {own.id, other.id}


def test_a_request_of_a_group_is_in_the_list_of_each_of_its_people(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "finance", "members": [ANNA, BEN]}]})
    request = hitl.ask(assigned_to_email="group:finance")
    for email in (ANNA, BEN):
        assert listed(reviewer(hitl, email).get(LIST)) == [request.id]
    assert listed(reviewer(hitl, "c@example.com").get(LIST)) == []


def test_an_alias_has_the_list_of_its_member(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    reviewer(hitl, aliases=("anna@private.example.com",))
    browser = hitl.signed_in("anna@private.example.com")
    assert listed(browser.get(LIST)) == [request.id]
    answer(browser, request)
    assert (request.outcome, request.response["responder"]) == ("approved", ANNA)


def test_a_row_says_what_is_asked_of_whom_and_since_when(hitl: Hitl) -> None:
    hitl.ask("Fit to\nprint?", method_name="review_article", flow_name="Content", assigned_to_email=ANNA)
    hitl.advance(minutes=125)
    text = words(hitl.signed_in().get(LIST))
    for shown in ("Review article", "Fit to print?", "Content", ANNA, "2 hours"):
        assert shown in text


@pytest.mark.parametrize(
    ("minutes", "shown"),
    [(0, "due in 1 hour"), (44, "due in 16 minutes"), (59, "due in 1 minute"), (63, "overdue by 3 minutes")],
)
def test_a_row_says_how_it_stands_against_its_target(hitl: Hitl, minutes: int, shown: str) -> None:
    hitl.ask(sla_target_minutes=60)
    hitl.advance(minutes=minutes)
    assert shown in words(hitl.signed_in().get(LIST))


@pytest.mark.parametrize(("minutes", "shown"), [(60, "met"), (61, "missed")])
def test_history_says_whether_the_target_was_met(hitl: Hitl, minutes: int, shown: str) -> None:
    request = hitl.ask(emit=EMIT, sla_target_minutes=60)
    hitl.advance(minutes=minutes)
    callback(hitl, request)
    assert shown in words(hitl.signed_in().get(f"{LIST}?tab=history"))


def test_an_automatic_answer_is_none_in_time(hitl: Hitl) -> None:
    timeout = {"timeout_minutes": 1, "default_outcome": "rejected"}
    hitl.ask(emit=EMIT, sla_target_minutes=60, auto_response=timeout)
    hitl.advance(minutes=1)
    text = words(hitl.signed_in().get(f"{LIST}?tab=history"))
    assert "missed" in text
    assert "automatic" in text


def test_the_tabs_tell_what_waits_from_what_is_done(hitl: Hitl) -> None:
    waiting, decided, cancelled = hitl.ask(), hitl.ask(emit=EMIT), hitl.ask()
    callback(hitl, decided)
    hitl.api("DELETE", f"/v1/requests/{cancelled.id}")
    browser = hitl.signed_in()
    pending, history = browser.get(LIST), browser.get(f"{LIST}?tab=history")
    assert listed(pending) == [waiting.id]
    assert set(listed(history)) == {decided.id, cancelled.id}
    for page in (pending, history):
        assert "Pending 1 History 2" in words(page)
    assert "cancelled" in words(history)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("method=review_article", 0),
        ("flow=Payments", 1),
        (f"assignee={BEN}", 1),
        ("q=invoice", 1),
        ("q=REVIEW_ARTICLE", 0),
        ("method=nothing", None),
        ("q=nothing", None),
    ],
)
def test_filters_and_search_leave_what_fits(hitl: Hitl, query: str, found: int | None) -> None:
    asked = [
        hitl.ask("Fit to print?", method_name="review_article", flow_name="Content", assigned_to_email=ANNA),
        hitl.ask("Pay the invoice?", method_name="approve_payment", flow_name="Payments", assigned_to_email=BEN),
    ]
    page = hitl.signed_in().get(f"{LIST}?{query}")
    assert listed(page) == ([asked[found].id] if found is not None else [])
    assert found is not None or "No request matches" in words(page)


def test_history_can_be_filtered_by_the_answer(hitl: Hitl) -> None:
    approved, rejected = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
    callback(hitl, approved, "approved")
    callback(hitl, rejected, "rejected")
    assert listed(hitl.signed_in().get(f"{LIST}?tab=history&outcome=rejected")) == [rejected.id]


def link(page: Answer, rel: str) -> str | None:
    """Return where a link of the pager leads."""
    found = re.search(rf'<a class="button quiet[^"]*" href="([^"]+)" rel="{rel}"', page.text)
    return unescape(found[1]) if found else None


@made_once
def fifty_five(hitl: Hitl) -> tuple[Browser, set[str]]:
    """A browser in which somebody is signed in, and the ids of what it can list."""
    asked = {hitl.ask(f"number {number}", sla_target_minutes=number % 3 + 1).id for number in range(55)}
    return hitl.signed_in(), asked


@pytest.mark.parametrize("order", ["", "newest", "due", "title", "-assignee"])
def test_a_long_list_goes_on_page_by_page_and_back(hitl: Hitl, order: str) -> None:
    browser, asked = fifty_five(hitl)
    path, pages = f"{LIST}?order={order}", list[list[str]]()
    for place in ("1–25 of 55", "26–50 of 55", "51–55 of 55"):
        page = browser.get(path)
        assert place in words(page)
        pages.append(listed(page))
        path = link(page, "next") or ""
    assert sorted(one for rows in pages for one in rows) == sorted(asked)
    assert not path
    path = link(page, "prev") or ""
    for place, rows in (("26–50 of 55", pages[1]), ("1–25 of 55", pages[0])):
        page = browser.get(path)
        assert (place in words(page), listed(page)) == (True, rows)
        path = link(page, "prev") or ""
    assert not path


def test_columns_sort_both_ways_and_the_filters_stay(hitl: Hitl) -> None:
    asked = [hitl.ask(flow_name=flow, method_name=f"m{number}") for number, flow in enumerate("bca")]
    browser = hitl.signed_in()
    page = browser.get(f"{LIST}?tab=pending&assignee={CREATOR}")
    (path,) = re.findall(r'<a href="([^"]+)">Flow', page.text)
    assert "assignee=" in path
    up = browser.get(unescape(path))
    assert listed(up) == [asked[2].id, asked[0].id, asked[1].id]
    assert 'aria-sort="ascending"' in up.text
    (path,) = re.findall(r'<a href="([^"]+)">Flow', up.text)
    assert listed(browser.get(unescape(path))) == listed(up)[::-1]


def test_history_says_who_answered_and_when_and_sorts_by_it(hitl: Hitl) -> None:
    first, second = hitl.ask(emit=EMIT, assigned_to_email=ANNA), hitl.ask(emit=EMIT)
    answer(reviewer(hitl), second if second.now()["assigned_to_email"] == ANNA else first)
    hitl.advance(minutes=90)
    callback(hitl, second, "rejected", source="Jira")
    page = hitl.signed_in().get(f"{LIST}?tab=history&order=decided")
    assert listed(page) == [first.id, second.id]
    for shown in (ANNA, "Jira", "14 Jan 2026", "1 hour"):
        assert shown in words(page), shown
    assert listed(hitl.signed_in().get(f"{LIST}?tab=history&order=-took")) == [second.id, first.id]


def test_who_is_asked_sees_their_own_first_and_a_manager_can_see_all(hitl: Hitl) -> None:
    own, other = hitl.ask(assigned_to_email=CREATOR), hitl.ask(assigned_to_email=ANNA)
    browser = hitl.signed_in()
    page = browser.get(LIST)
    assert listed(page) == [own.id]
    assert "Mine 1 Pending 2 History 0" in words(page)
    assert set(listed(browser.get(f"{LIST}?tab=pending"))) == {own.id, other.id}
    assert "Mine" not in words(reviewer(hitl).get(LIST))


def test_the_list_can_be_cut_to_days(hitl: Hitl) -> None:
    first = hitl.ask()
    hitl.advance(days=1)
    second = hitl.ask()
    browser = hitl.signed_in()
    assert listed(browser.get(f"{LIST}?to=2026-01-14")) == [first.id]
    assert listed(browser.get(f"{LIST}?from=2026-01-15")) == [second.id]
    assert len(listed(browser.get(f"{LIST}?from=tomorrow&to=9999-99-99"))) == 2


@pytest.mark.parametrize("more", ["", "&q=print", "&order=-decided"])
def test_the_list_can_be_cut_to_what_was_answered_in_some_days(hitl: Hitl, more: str) -> None:
    first, second, _, cancelled = (hitl.ask("Fit to print?", emit=EMIT) for _ in range(4))
    callback(hitl, first)
    hitl.advance(days=1)
    callback(hitl, second)
    hitl.api("DELETE", f"/v1/requests/{cancelled.id}")
    browser = hitl.signed_in()

    def answered(first_day: str, last_day: str) -> list[str]:
        days = f"answered_from={first_day}&answered_to={last_day}"
        return listed(browser.get(f"{LIST}?tab=history&{days}{more}"))

    assert answered("2026-01-14", "2026-01-14") == [first.id]
    assert answered("2026-01-15", "2026-01-15") == [second.id]
    assert set(answered("2026-01-14", "2026-01-15")) == {first.id, second.id}
    assert answered("2026-01-16", "") == []
    page = browser.get(f"{LIST}?tab=history&answered_from=2026-01-15&answered_to=2026-01-15").text
    assert 'name="answered_from"' in page
    assert "Answered from" in page


@pytest.mark.parametrize("cursor", ["x", "e30", "'", "%00"])
def test_an_address_with_a_wrong_place_in_it_is_no_page(hitl: Hitl, cursor: str) -> None:
    answer = hitl.signed_in().get(f"{LIST}?after={cursor}")
    assert answer.status == 422
    assert answer.headers["Content-Type"].startswith("text/html")


def test_an_empty_list_teaches(hitl: Hitl) -> None:
    assert "POST /v1/requests" in words(hitl.signed_in().get(LIST))
    assert "you get an email" in words(reviewer(hitl).get(LIST))


def test_what_a_stranger_wrote_is_no_markup_in_the_list(hitl: Hitl) -> None:
    evil = '"><script>alert(1)</script>'
    hitl.ask(evil, method_name=evil, flow_name=evil)
    browser = hitl.signed_in()
    for path in (LIST, f"{LIST}?q=%22%3E%3Cscript%3E&method=%22%3E%3Cb%3E&order=%3Cb%3E"):
        page = browser.get(path).text
        assert page.count("<script") == 1
        assert "<b>" not in page


def test_all_requests_are_listed_where_figures_lead(hitl: Hitl) -> None:
    waiting, decided = hitl.ask(emit=EMIT), hitl.ask(emit=EMIT)
    callback(hitl, decided)
    page = hitl.signed_in().get(f"{LIST}?tab=all")
    assert set(listed(page)) == {waiting.id, decided.id}
    assert 'aria-current="page">All' in page.text
    assert ">All" not in hitl.signed_in().get(LIST).text


def test_first_steps_show_what_is_left_and_go_when_it_is_done(hitl: Hitl) -> None:
    browser = hitl.signed_in()
    page = words(browser.get(LIST))
    assert "First steps" in page
    assert "done Issue an API key to do Send a test email to yourself" in page
    assert "to do Add a routing rule" in page
    hitl.api("POST", "/v1/deployments/1/test-request", {"to": CREATOR})
    hitl.ask()
    hitl.configure(rules=[{"name": "r", "match": {"method_name": "x"}, "assign_to_email": ANNA}])
    assert "First steps" not in words(browser.get(LIST))
    assert "First steps" not in words(reviewer(hitl).get(LIST))


def test_the_overview_says_what_waits_where(hitl: Hitl) -> None:
    manage = current().manage_deployments
    other = manage.create(name="Payments", creator_email=BEN, organization_id=1)
    manage.set_member(other.deployment_id, Member(CREATOR, frozenset({Permission.RESPOND}), ()))
    hitl.ask(assigned_to_email=CREATOR)
    hitl.ask(assigned_to_email=ANNA)
    text = words(hitl.signed_in().get("/d"))
    assert "Content Review 1 for you 2 pending" in text
    assert "Payments 0 for you" in text
    assert "Payments 0 for you 0 pending" not in text


def test_an_open_list_can_ask_whether_it_is_still_what_it_was(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    page = browser.get(LIST)
    address = unescape(re.findall(r'data-live="([^"]+)"', page.text)[0])
    (mark,) = re.findall(r'data-mark="([^"]+)"', page.text)
    assert browser.get(address).json == {"text": mark}
    answer(browser, request)
    assert browser.get(address).json["text"] != mark
    assert hitl.browser().get(address).status == 303


# --- several at once


def select(browser: Browser, *requests: AskedRequest, **form: str) -> Answer:
    """Send the form below the list, or that of the page it leads to."""
    browser.get(LIST)
    return browser.post("/d/1/answers", {"request": [one.id for one in requests], **form})


def test_several_are_answered_alike_after_one_page_that_lists_them(hitl: Hitl) -> None:
    asked = [hitl.ask(f"Invoice {number}", emit=EMIT, assigned_to_email=ANNA) for number in range(3)]
    browser = reviewer(hitl)
    assert browser.get(LIST).text.count('name="request"') == 3
    page = select(browser, *asked)
    assert "Answer 3 requests" in words(page)
    assert all(f"Invoice {number}" in words(page) for number in range(3))
    assert {one.status for one in asked} == {"pending"}
    done = select(browser, *asked, outcome="approved", comment="All fine.")
    assert "Answered 3 requests: Approved" in words(done)
    for one in asked:
        assert (one.outcome, one.response["comment"], one.response["responder"]) == ("approved", "All fine.", ANNA)
        (event,) = [event for event in one.timeline if event["kind"] == "response_submitted"]
        assert event["data"]["verification"]["method"] == "session"
        assert event["data"]["shown"] is None


def test_only_what_all_have_can_be_chosen_for_all(hitl: Hitl) -> None:
    first = hitl.ask(emit=["approved", "rejected", "later"], assigned_to_email=ANNA)
    second = hitl.ask(emit=["later", "approved"], assigned_to_email=ANNA)
    third = hitl.ask(assigned_to_email=ANNA)
    browser = reviewer(hitl)
    assert re.findall(r'name="outcome" value="([^"]*)"', select(browser, first, second).text) == ["approved", "later"]
    assert "no option in common" in words(select(browser, first, third))


def test_what_fails_is_said_in_its_row_and_the_others_are_answered(hitl: Hitl) -> None:
    hitl.configure(settings={"forbid_self_approval": True, "groups": [{"name": "both", "members": [ANNA, BEN]}]})
    mine = hitl.ask(emit=EMIT, assigned_to_email="group:both", metadata={"requested_by": ANNA})
    late, other = hitl.ask(emit=EMIT, assigned_to_email=ANNA), hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    theirs = hitl.ask(emit=EMIT, assigned_to_email=BEN)
    browser = reviewer(hitl)
    hitl.api("DELETE", f"/v1/requests/{late.id}")
    done = select(browser, mine, late, other, theirs, outcome="approved")
    assert "2 of 3 could not be answered" in words(done)
    assert "lets nobody approve what they asked for" in words(done)
    assert theirs.id not in done.text
    assert [one.status for one in (mine, late, other, theirs)] == ["pending", "cancelled", "responded", "pending"]


def test_what_asks_for_more_than_a_choice_is_left_to_its_own_page(hitl: Hitl) -> None:
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]}
    typed = hitl.ask(emit=EMIT, assigned_to_email=ANNA, response_schema=schema)
    plain = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    done = select(reviewer(hitl), typed, plain, outcome="approved")
    assert "It asks for more than a choice." in words(done)
    assert (typed.status, plain.status) == ("pending", "responded")


def test_who_manages_selects_only_among_their_own(hitl: Hitl) -> None:
    own, other = hitl.ask(emit=EMIT, assigned_to_email=CREATOR), hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = hitl.signed_in()
    assert f'value="{own.id}"' in browser.get(LIST).text
    assert 'name="request"' not in browser.get(f"{LIST}?tab=pending").text
    assert other.id not in select(browser, own, other).text


# --- one leads to the next


def test_an_answer_leads_to_what_waits_next(hitl: Hitl) -> None:
    asked = [hitl.ask(f"Number {number}", emit=EMIT, assigned_to_email=ANNA) for number in range(3)]
    browser = reviewer(hitl)
    for number, following in ((0, "Number 1 (2 left)"), (1, "Number 2 (1 left)"), (2, "Nothing else is waiting")):
        answer(browser, asked[number], "rejected")
        page = browser.get(browser.location)
        assert "Rejected. Your answer was recorded." in words(page)
        assert following in words(page)
    assert "left)" not in words(browser.get(url(asked[0])))


# --- the review page


def test_the_page_shows_all_there_is_to_judge_by(hitl: Hitl) -> None:
    request = hitl.ask(
        "Fit to print?",
        emit=EMIT,
        method_name="review_article",
        output="# Draft\n\n```python\ndef price():\n    return 1\n```",
        state={"budget": {"total": 12400}},
        metadata={"run": "7f3c"},
        history=[{"method": "generate", "at": "2026-01-14T11:00:00Z", "output": "the *first* draft"}],
        assigned_to_email=ANNA,
    )
    page = reviewer(hitl).get(url(request))
    for shown in ("Fit to print?", "Draft", "Budget", "12,400", "Run", "7f3c", "first draft", f"Email sent to {ANNA}"):
        assert shown in words(page), shown
    assert '<span class="k">def</span>' in page.text
    assert '<span class="n">price</span>' in page.text
    assert [hidden(page, "outcome")] == ["approved"]


def test_json_is_shown_as_facts(hitl: Hitl) -> None:
    request = hitl.ask(output={"lines": [{"amount": 1}, "<b>x</b>"]}, assigned_to_email=ANNA)
    page = reviewer(hitl).get(url(request)).text
    assert '<dt dir="auto">Lines</dt>' in page
    assert "<b>" not in page


def test_a_button_decides_and_its_comment_is_kept(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    sent = answer(browser, request, "rejected", "Wrong price.\nAgain.")
    assert (sent.status, browser.location) == (303, f"{url(request)}?notice=answered")
    response = request.response
    assert (response["outcome"], response["comment"]) == ("rejected", "Wrong price.\nAgain.")
    assert (response["responded_via"], response["responder"]) == ("dashboard", ANNA)
    assert response["responder_verified"] is True
    page = browser.get(browser.location)
    assert "Your answer was recorded" in words(page)
    assert "Wrong price." in words(page)
    assert 'name="outcome"' not in page.text


def test_the_decision_says_how_the_responder_was_known(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    answer(reviewer(hitl), request)
    (event,) = [one for one in request.timeline if one["kind"] == "response_submitted"]
    assert event["data"]["verification"]["method"] == "session"
    assert event["data"]["verification"]["address"] == ANNA
    assert event["data"]["shown"]["kind"] == "page"


def test_without_options_the_text_is_the_answer(hitl: Hitl) -> None:
    request = hitl.ask(assigned_to_email=ANNA)
    answer(reviewer(hitl), request, None, "Shorter, please\nand less purple")
    assert (request.outcome, request.response["feedback"]) == (None, "Shorter, please")


@pytest.mark.parametrize(("outcome", "comment"), [(None, " "), ("maybe", "keep these words"), (None, "x" * 50_001)])
def test_a_wrong_form_decides_nothing_and_keeps_what_was_written(hitl: Hitl, outcome: str | None, comment: str) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    page = answer(reviewer(hitl), request, outcome, comment)
    assert page.status == 422
    assert comment.strip() in page.text
    assert 'name="outcome"' in page.text
    assert request.status == "pending"


def test_who_asked_for_it_is_told_that_somebody_else_must_answer(hitl: Hitl) -> None:
    hitl.configure(settings={"forbid_self_approval": True})
    browser = reviewer(hitl)
    request = hitl.ask(emit=EMIT, assigned_to_email=BEN, metadata={"requested_by": ANNA})
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BEN})
    assert browser.get(url(request)).status == 404
    hitl.configure(settings={"groups": [{"name": "both", "members": [ANNA, BEN]}]})
    shared = hitl.ask(emit=EMIT, assigned_to_email="group:both", metadata={"requested_by": ANNA})
    page = answer(browser, shared, "approved", "my words")
    assert page.status == 422
    assert "lets nobody approve what they asked for" in words(page)
    assert "my words" in page.text
    assert shared.status == "pending"


def test_somebody_elses_answer_is_told_and_no_word_is_lost(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    opened = browser.get(url(request))
    news = re.search(r'data-news="([^"]+)"', opened.text)
    assert news
    assert browser.get(news[1]).json == {"text": None, "remarks": 0}
    callback(hitl, request, "rejected")
    assert 'answered "Rejected"' in browser.get(news[1]).json["text"]
    page = browser.post(url(request), {"outcome": "approved", "comment": "my long reasons"})
    assert page.status == 409
    assert "Someone else answered first" in words(page)
    assert "my long reasons" in page.text
    assert request.outcome == "rejected"


@pytest.mark.parametrize("how", ["answer", "cancel", "reassign"])
def test_a_moment_too_late_is_too_late(hitl: Hitl, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    from flow_hitl.requests.deciding.record_response import RecordResponse

    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser, record = reviewer(hitl), RecordResponse.__call__

    def beaten(self: RecordResponse, submission: Any, known: Any) -> Any:
        monkeypatch.setattr(RecordResponse, "__call__", record)
        if how == "answer":
            callback(hitl, request, "rejected")
        elif how == "cancel":
            hitl.api("DELETE", f"/v1/requests/{request.id}")
        else:
            hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BEN})
        return record(self, submission, known)

    monkeypatch.setattr(RecordResponse, "__call__", beaten)
    page = answer(browser, request, "approved", "my long reasons")
    assert page.status == {"answer": 409, "cancel": 409, "reassign": 404}[how]
    assert how == "reassign" or "my long reasons" in page.text
    assert request.outcome == ("rejected" if how == "answer" else None)


def test_pressing_twice_decides_once(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    answer(browser, request)
    before = everything_written(hitl)
    again = browser.post(url(request), {"outcome": "approved"})
    assert (again.status, "Your answer counts" in again.text) == (200, True)
    other = browser.post(url(request), {"outcome": "rejected"})
    assert (other.status, "your first answer counts" in other.text) == (409, True)
    assert everything_written(hitl) == before


def test_a_request_can_be_passed_on_where_that_is_allowed(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    assert "Pass it on" not in browser.get(url(request)).text
    assert browser.post(f"{url(request)}/pass-on", {"delegate_to": BEN}).status == 403
    hitl.configure(settings={"allow_delegation": True})
    assert "Pass it on" in browser.get(url(request)).text
    wrong = browser.post(f"{url(request)}/pass-on", {"delegate_to": "ben"})
    assert wrong.status == 422
    assert 'value="ben"' in wrong.text
    assert browser.post(f"{url(request)}/pass-on", {"delegate_to": BEN}).status == 303
    assert "with someone else now" in words(browser.get(browser.location))
    assert request.now()["assigned_to_email"] == BEN
    assert browser.get(url(request)).status == 404


def test_a_manager_who_passes_on_and_presses_again_is_told_that_it_is_somebody_elses(hitl: Hitl) -> None:
    hitl.configure(settings={"allow_delegation": True})
    browser = member(hitl, BEN, Permission.MANAGE)
    request = hitl.ask(emit=EMIT, assigned_to_email=BEN)
    browser.get(url(request))
    assert browser.post(f"{url(request)}/pass-on", {"delegate_to": ANNA}).status == 303
    again = browser.post(f"{url(request)}/pass-on", {"delegate_to": ANNA})
    assert (again.status, "It is assigned to someone else" in again.text) == (403, True)


def test_a_manager_sees_what_somebody_else_is_asked_but_does_not_answer_it(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = member(hitl, BEN, Permission.MANAGE)
    page = browser.get(url(request))
    assert f"Waiting for {ANNA}" in words(page)
    assert 'name="outcome"' not in page.text
    assert browser.post(url(request), {"outcome": "approved"}).status == 403
    hitl.api("POST", f"/v1/requests/{request.id}/reassign", {"assigned_to_email": BEN})
    answer(browser, request)
    assert request.outcome == "approved"


@pytest.mark.parametrize("number", ["x", "0192f0c1-7e11-7abc-8def-0123456789ab", "..", "%00"])
def test_what_is_no_request_is_no_page(hitl: Hitl, number: str) -> None:
    assert hitl.signed_in().get(f"{LIST}/{number}").status == 404


def test_a_form_without_the_sessions_token_answers_nothing(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    browser.get(url(request))
    for form in ({"csrf": ""}, {"csrf": "x"}, {"csrf": hitl.browser().cookies.get("x", "y")}):
        refused = browser.post(url(request), {"outcome": "approved", **form})
        assert refused.status == 403
        assert "out of date" in words(refused)
    assert browser.post(url(request), {"outcome": "approved"}, origin="https://evil.example").status == 403
    assert request.status == "pending"


def test_when_the_session_has_ended_the_words_are_kept_and_the_way_back(hitl: Hitl) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email=ANNA)
    browser = reviewer(hitl)
    browser.get(url(request))
    hitl.advance(days=7)
    page = browser.post(url(request), {"outcome": "approved", "comment": "my long reasons"})
    assert page.status == 401
    assert "my long reasons" in page.text
    assert f'href="/sign-in?next={url(request)}"' in page.text
    assert request.status == "pending"


def test_pages_have_the_headers_that_keep_them_ours(hitl: Hitl) -> None:
    request = hitl.ask(assigned_to_email=CREATOR)
    browser = hitl.signed_in()
    for path in (LIST, url(request), "/sign-in?x=1", f"{LIST}/x"):
        headers = browser.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Strict-Transport-Security"]


def test_style_and_script_are_kept_by_browsers_for_ever(hitl: Hitl) -> None:
    browser = hitl.browser()
    for path in re.findall(r'(?:href|src)="(/assets/[^"]+)"', browser.get("/sign-in").text):
        asset = browser.get(path)
        assert asset.status == 200
        assert "immutable" in asset.headers["Cache-Control"]
        assert asset.headers["X-Content-Type-Options"] == "nosniff"
        assert browser.get(path.replace("-", "-0")).status == 404


def test_what_is_nowhere_is_a_page_for_people_and_a_problem_for_programs(hitl: Hitl) -> None:
    browser = hitl.browser()
    page = browser.get("/d/1/nowhere", accept="text/html,application/xhtml+xml")
    assert page.status == 404
    assert "Not found" in words(page)
    assert browser.get("/d/1/nowhere", accept="application/json").json["type"] == "urn:flow-hitl:problem:not-found"
