"""What a flow asked before and had to ask anew: its next request shows it, to whoever may see the earlier one."""

import re
from collections import Counter
from html import unescape
from typing import Any

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from flow_hitl.platform.dynamodb import item, values
from flow_hitl.requests.store.request_store import document_text
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl
from tests.support.asserts import api_key, callback
from tests.support.aws_calls import Call, When, watched
from tests.support.units import counted

ANNA, BEN = "anna@example.com", "ben@example.com"
EMIT = ("approved", "needs_revision", "rejected")
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)">'


def ask(hitl: Hitl, output: object, **fields: Any) -> AskedRequest:
    """Ask as a flow does that goes on after the last answer."""
    hitl.advance(seconds=1)
    fields = {"flow_id": "run-1", "method_name": "review_draft", "assigned_to_email": ANNA, **fields}
    return hitl.ask("Publish?", emit=fields.pop("emit", EMIT), output=output, **fields)


def browser_of(hitl: Hitl, email: str = ANNA) -> Browser:
    member = Member(email, frozenset({Permission.RESPOND}), ())
    current().manage_deployments.set_member(hitl.deployment_id, member)
    return hitl.signed_in(email)


def press(browser: Browser, request: AskedRequest, outcome: str, comment: str = "") -> None:
    """Open the page and send its form."""
    shown(browser, request)
    answer = browser.post(f"/d/1/requests/{request.id}", {"outcome": outcome, "comment": comment})
    assert answer.status == 303, answer.text


def shown(browser: Browser, request: AskedRequest) -> Answer:
    page = browser.get(f"/d/1/requests/{request.id}")
    assert page.status == 200, page.text
    return page


def words(page: Answer) -> str:
    body = re.sub(r"<(?!/?(?:del|ins)>)[^>]+>", " ", page.text.partition("<main")[2])
    return " ".join(unescape(body).split())


def rounds_kept(hitl: Hitl) -> list[dict[str, Any]]:
    rows = map(values, hitl._clients["dynamodb"].scan(TableName="requests")["Items"])
    return [row for row in rows if row["pk"].startswith("rounds#")]


def put(hitl: Hitl, row: dict[str, Any], **changes: Any) -> None:
    hitl._clients["dynamodb"].put_item(TableName="requests", Item=item({**row, **changes}))


# --- what is shown


def test_a_request_says_that_its_reader_rejected_an_earlier_version(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    first = ask(hitl, "The price is ten.")
    press(browser, first, "rejected", "too long")
    page = shown(browser, ask(hitl, "The price is nine."))
    assert "You rejected an earlier version: too long See what has changed" in words(page)
    assert "by you, 14" in words(page)
    assert "The price is <del>ten.</del><ins>nine.</ins>" in words(page)
    assert f'<a href="/d/1/requests/{first.id}">Open that request</a>' in page.text


def test_an_option_without_a_word_for_it_is_named(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    press(browser, ask(hitl, "One"), "needs_revision", "No source.")
    assert "You answered “ Needs revision ” to an earlier version: No source." in words(
        shown(browser, ask(hitl, "Two"))
    )


def test_the_link_of_an_email_shows_it_too(hitl: Hitl) -> None:
    ask(hitl, "One")
    hitl.reply("rejected\ntoo long")
    ask(hitl, "Two")
    page = hitl.page("GET", hitl.review_url())
    assert "You rejected an earlier version: too long" in words(page)
    assert "Open that request" not in page.text, "a link is for one request alone"


def test_somebody_else_who_answered_is_named_and_a_claim_is_not(hitl: Hitl) -> None:
    hitl.configure(settings={"groups": [{"name": "editors", "members": [ANNA, BEN]}]})
    anna, ben = browser_of(hitl), browser_of(hitl, BEN)
    press(ben, ask(hitl, "One", assigned_to_email="group:editors"), "rejected", "too long")
    second = ask(hitl, "Two", assigned_to_email="group:editors")
    assert f"{BEN} rejected an earlier version: too long" in words(shown(anna, second))
    callback(hitl, second, "too short", outcome="rejected", responder=ANNA)
    text = words(shown(anna, ask(hitl, "Three", assigned_to_email="group:editors")))
    assert "An earlier version was answered “ Rejected ”: too short" in text


def test_free_text_and_the_clock_ask_for_another_round_too(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    ask(hitl, "One")
    hitl.reply("Please add a source.\nAny will do.")
    second = ask(hitl, "Two", auto_response={"timeout_minutes": 5, "default_outcome": "rejected"})
    assert "You answered “ Please add a source. ” to an earlier version: Any will do." in words(shown(browser, second))
    hitl.advance(minutes=6)
    assert second.outcome == "rejected"
    assert "An earlier version was answered “ Rejected ”" in words(shown(browser, ask(hitl, "Three")))


def test_a_request_with_another_title_is_no_version_of_this_one(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    press(browser, ask(hitl, "Pay 10", title="Invoice 17"), "rejected", "paid before")
    text = words(shown(browser, ask(hitl, "Pay 12", title="Invoice 18")))
    assert "You rejected “ Invoice 17 ”: paid before" in text
    assert "earlier version" not in text


def test_the_last_three_are_shown_newest_first_and_none_from_later(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    asked = []
    for number in range(5):
        asked.append(ask(hitl, f"Draft {number}"))
        press(browser, asked[-1], "rejected", f"reason {number}")
    found = re.findall(r'<a href="/d/1/requests/([^"]+)">Open that request', shown(browser, ask(hitl, "Last")).text)
    assert found == [one.id for one in reversed(asked[2:])]
    assert re.findall(r"Open that request", shown(browser, asked[1]).text) == ["Open that request"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"flow_id": "run-2"}, {}),
        ({"method_name": "other"}, {}),
        ({"emit": ("yes", "no"), "outcome": "yes"}, {}),
        ({"emit": ("go", "no"), "options": {"go": {"tone": "positive"}}, "outcome": "go"}, {}),
        ({"outcome": "approved"}, {}),
    ],
    ids=["another flow", "another method", "a word for going on", "an option said to be positive", "approved"],
)
def test_what_is_no_earlier_round_is_not_shown(hitl: Hitl, first: dict[str, Any], second: dict[str, Any]) -> None:
    browser = browser_of(hitl)
    outcome = first.pop("outcome", "rejected")
    press(browser, ask(hitl, "One", **first), outcome)
    page = shown(browser, ask(hitl, "Two", **second))
    assert "earlier version" not in page.text
    assert "Open that request" not in page.text


def test_requests_that_were_open_at_the_same_time_are_no_rounds_of_each_other(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    both = [ask(hitl, "One"), ask(hitl, "Two")]
    press(browser, both[0], "rejected")
    assert "earlier version" not in shown(browser, both[1]).text


def test_a_test_is_nobodys_earlier_round(hitl: Hitl) -> None:
    assert hitl.api("POST", "/v1/deployments/1/test-request", {"to": ANNA}).status == 201
    hitl.reply("This is free text.")
    assert rounds_kept(hitl) == []


def test_a_round_that_the_flow_tells_of_itself_is_shown_once(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    first = ask(hitl, "The price is ten.")
    press(browser, first, "rejected", "too long")
    answered = first.response["responded_at"]
    history = [
        {"method": "write", "at": "2026-01-01T00:00:00Z", "output": "an outline"},
        {"method": "review_draft", "at": answered, "output": "The price is ten.\n\n**rejected**: too long"},
        {"method": "write", "at": answered, "output": "The price is nine."},
    ]
    page = shown(browser, ask(hitl, "The price is nine.", history=history))
    summaries = re.findall(r"<summary><span dir=\"auto\">(.*?)</span>", page.text)
    assert [re.sub("<[^>]+>", "", one) for one in summaries] == ["Write", "Review draft: “Rejected”", "Write"]
    assert "You rejected an earlier version: too long" in words(page)


def test_a_long_output_that_the_client_has_shortened_is_the_same_round(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    output = "A long draft. " * 1000
    press(browser, ask(hitl, output), "rejected", "too long")
    told = f"{output[:10_000]}\n\n[The first 10,000 of {len(output):,} characters.]\n\n**rejected**: too long"
    page = shown(browser, ask(hitl, "short", history=[{"method": "review_draft", "at": None, "output": told}]))
    assert page.text.count("“<bdi>Rejected</bdi>”") == 1
    assert "Open that request" in page.text


def test_nothing_in_an_earlier_round_is_markup(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    looks = {"rejected": {"label": f"No {EVIL}"[:100]}}
    for output in (f"{EVIL} one", {"name": EVIL, EVIL: 1}):
        first = ask(hitl, output, emit=["approved", "rejected"], options=looks, title=f"First {EVIL}")
        press(browser, first, "rejected", EVIL)
    page = shown(browser, ask(hitl, f"{EVIL} two", title="Second"))
    assert page.text.count("alert(1)") > 6
    assert "<script>alert" not in page.text
    assert "<img" not in page.text


# --- who may see it


def test_an_outsider_who_is_asked_in_the_same_flow_learns_nothing(hitl: Hitl) -> None:
    press(browser_of(hitl), ask(hitl, "The secret price is ten."), "rejected", "too secret")
    key = api_key(hitl, Permission.CREATE_REQUESTS)
    body = {"flow_id": "run-1", "method_name": "review_draft", "message": "?", "assigned_to_email": "eve@example.com"}
    hitl.advance(seconds=1)
    made = hitl.api("POST", "/v1/requests", body, key=key)
    assert made.status == 201
    by_link = hitl.page("GET", hitl.review_url())
    assert by_link.status == 200
    by_session = shown(browser_of(hitl, "eve@example.com"), AskedRequest(made.json["request"]["id"], "", hitl))
    for page in (by_link, by_session):
        assert "secret" not in page.text
        assert ANNA not in page.text
    manager = shown(hitl.signed_in(), AskedRequest(made.json["request"]["id"], "", hitl))
    assert f"{ANNA} rejected an earlier version: too secret" in words(manager)


def test_another_deployments_flow_of_the_same_name_is_another_flow(hitl: Hitl) -> None:
    press(browser_of(hitl), ask(hitl, "One"), "rejected")
    (row,) = rounds_kept(hitl)
    assert row["pk"].startswith("rounds#1#")


# --- what nobody of us wrote


def forged_pointer_to_another_flow(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    other = ask(hitl, "The secret price is ten.", flow_id="run-9")
    press(hitl.signed_in(ANNA), other, "rejected", "too secret")
    put(hitl, row, sk=row["sk"].replace(first.id, other.id), seq=3)


def content_changed(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    key = {"pk": {"S": first.id}, "sk": {"S": "r#content"}}
    found = values(hitl._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"])
    put(hitl, found, doc=document_text(found["doc"]).replace("One", "The secret price"))


def answer_changed(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    key = {"pk": {"S": first.id}, "sk": {"S": "r#head"}}
    found = values(hitl._clients["dynamodb"].get_item(TableName="requests", Key=key)["Item"])
    put(hitl, found, doc=document_text(found["doc"]).replace("too long", "the secret reason"))


def request_gone(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    hitl._clients["dynamodb"].delete_item(TableName="requests", Key=item({"pk": first.id, "sk": "r#head"}))


def head_is_nonsense(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    put(hitl, {"pk": first.id, "sk": "r#head", "doc": "{", "seq": "x"})


def pointer_without_place(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    put(hitl, {"pk": row["pk"], "sk": row["sk"]})


def pointer_with_nonsense(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    put(hitl, row, seq="x")


def pointer_to_the_first_event(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    put(hitl, row, seq=1)


def pointer_before_the_first_event(hitl: Hitl, first: AskedRequest, row: dict[str, Any]) -> None:
    put(hitl, row, seq=-1)


FORGERIES = [
    forged_pointer_to_another_flow,
    content_changed,
    answer_changed,
    request_gone,
    head_is_nonsense,
    pointer_without_place,
    pointer_with_nonsense,
    pointer_to_the_first_event,
    pointer_before_the_first_event,
]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda one: one.__name__)
def test_a_round_that_the_log_does_not_say_is_not_shown(hitl: Hitl, forge: Any) -> None:
    browser = browser_of(hitl)
    first = ask(hitl, "One")
    press(browser, first, "rejected", "too long")
    (row,) = rounds_kept(hitl)
    if forge is forged_pointer_to_another_flow:
        hitl._clients["dynamodb"].delete_item(TableName="requests", Key=item({"pk": row["pk"], "sk": row["sk"]}))
    forge(hitl, first, row)
    second = ask(hitl, "Two")
    for page in (shown(browser, second), hitl.page("GET", hitl.review_url())):
        assert page.status == 200
        assert "secret" not in page.text
        assert "earlier version" not in page.text
    press(browser, second, "approved")


def test_a_pointer_beyond_the_last_event_shows_what_is_so(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    press(browser, ask(hitl, "One"), "rejected", "too long")
    (row,) = rounds_kept(hitl)
    put(hitl, row, seq=1_000_000)
    assert "You rejected an earlier version: too long" in words(shown(browser, ask(hitl, "Two")))


def test_what_was_erased_is_not_shown_again(hitl: Hitl) -> None:
    hitl.configure(settings={"keep_content_days": 15})
    browser = browser_of(hitl)
    press(browser, ask(hitl, "The secret price is ten."), "rejected")
    hitl.advance(days=16)
    hitl.keep_retention()
    assert rounds_kept(hitl) != []
    page = shown(hitl.signed_in(ANNA), ask(hitl, "Two"))
    assert "secret" not in page.text
    assert "earlier version" not in page.text


# --- what it costs


def test_two_decisions_at_once_both_count_and_both_are_shown(hitl: Hitl) -> None:
    browser = browser_of(hitl)
    one, other = ask(hitl, "One"), ask(hitl, "Two")
    met: list[str] = []

    def in_between(call: Call, when: When) -> None:
        if call.operation == "dynamodb.TransactWriteItems" and when == "before" and not met:
            met.append(other.id)
            callback(hitl, other, "rejected")

    with watched(hitl, in_between) as calls:
        callback(hitl, one, "rejected")
    assert met
    decided = [call for call in calls.begun if call.function == "respond" and "Transact" in call.operation]
    assert len(decided) == 2, "neither had to try again"
    assert len({(row["pk"], row["sk"]) for row in rounds_kept(hitl)}) == 2, "they write no item in common"
    assert len({row["pk"] for row in rounds_kept(hitl)}) == 1
    assert shown(browser, ask(hitl, "Three")).text.count("Open that request") == 2


def test_an_answer_that_goes_on_writes_nothing_and_any_other_two_units(hitl: Hitl) -> None:
    written = {}
    for outcome in ("approved", "rejected"):
        request = ask(hitl, "One")
        with counted() as units:
            callback(hitl, request, outcome)
        written[outcome] = units
    assert written["rejected"].writes == written["approved"].writes + 2
    assert [name for name in written["approved"].written if "rounds" in name] == []


def test_a_page_costs_one_query_and_one_call_for_each_round(hitl: Hitl) -> None:
    browser = browser_of(hitl)

    def calls_of(request: AskedRequest) -> list[str]:
        shown(browser, request)
        with watched(hitl) as calls:
            shown(browser, request)
        return [operation.partition(".")[2] for operation in calls.operations]

    first = ask(hitl, "One")
    without = calls_of(first)
    press(browser, first, "rejected")
    assert Counter(calls_of(ask(hitl, "Two"))) == Counter([*without, "BatchGetItem"])


def test_a_round_is_kept_for_ninety_days(hitl: Hitl) -> None:
    callback(hitl, ask(hitl, "One"), "rejected")
    (row,) = rounds_kept(hitl)
    assert set(row) == {"pk", "sk", "seq", "ttl"}
    assert int(row["ttl"]) - int(hitl.clock.now().timestamp()) == pytest.approx(90 * 24 * 3600, abs=5)
