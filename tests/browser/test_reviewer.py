"""The reviewer's journeys in a real browser: sign in, find, judge, answer, and be told who was faster."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect

from infra.local.hitl_fixture import Hitl
from tests.browser.conftest import PHONE, enter, look
from tests.browser.served import Served
from tests.support.asserts import EMIT, callback

pytestmark = pytest.mark.browser
Window = Callable[..., Page]


def test_signing_in_by_code_leads_to_where_one_was_going_and_out_again(open_window: Window, site: Served) -> None:
    page = open_window()
    page.goto("/d/1/requests?tab=history")
    assert page.url.startswith(f"{site.url}/sign-in?next=")
    page.get_by_label("Your email address").fill("creator@example.com")
    page.keyboard.press("Enter")
    page.wait_for_url("**/sign-in/code")
    page.get_by_label("Code").fill(site.code())
    page.keyboard.press("Enter")
    page.wait_for_url("**/d/1/requests?tab=history")
    page.get_by_text("creator@example.com").first.click()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("You are signed out in this browser.")
    page.goto("/d/1/requests")
    assert "/sign-in?" in page.url


def test_the_link_signs_in_where_it_was_asked_for_and_nowhere_else(open_window: Window, site: Served) -> None:
    here, phone = open_window(), open_window(viewport=PHONE)
    here.goto("/sign-in")
    here.get_by_label("Your email address").fill("creator@example.com")
    here.get_by_role("button", name="Email me a link").click()
    here.wait_for_url("**/sign-in/code")
    link = site.mailed("/sign-in/link/")
    phone.goto(link)
    expect(phone.get_by_role("heading", level=1)).to_have_text("Open this in the other browser")
    here.goto(link)
    here.get_by_role("button", name="Sign in").click()
    here.wait_for_url("**/d/1/requests")


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["", "without script"])
def test_from_the_list_to_the_answer(open_window: Window, site: Served, hitl: Hitl, options: dict[str, bool]) -> None:
    for number in range(3):
        hitl.ask(f"Number {number}", emit=EMIT, method_name=f"review_{number}", output="# Draft", state={"n": number})
    page = open_window(**options)
    enter(page, site)
    expect(page.get_by_role("link", name="Mine 3")).to_have_attribute("aria-current", "page")
    page.get_by_label("Search in these requests").fill("number 1")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("row")).to_have_count(2)
    page.get_by_role("link", name="Review 1").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Review 1 · n 1")
    page.get_by_label("Comment").fill("As good as it gets.")
    page.get_by_role("button", name="approved").first.click()
    expect(page.get_by_role("status").first).to_contain_text("Your answer was recorded")
    expect(page.get_by_text("As good as it gets.").first).to_be_visible()
    page.get_by_role("link", name="Requests").first.click()
    expect(page.get_by_role("link", name="History 1")).to_be_visible()


def test_somebody_elses_answer_appears_while_one_is_writing(open_window: Window, site: Served, hitl: Hitl) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT)
    page = open_window()
    page.clock.install()
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    page.get_by_label("Comment").fill("My long reasons")
    page.clock.fast_forward(15_000)
    expect(page.locator("[data-news]")).to_be_hidden()
    with site.lock:
        callback(hitl, request, "rejected")
    with page.expect_response("**/news"):
        page.clock.fast_forward(15_000)
    expect(page.get_by_text('answered "rejected"')).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("My long reasons")
    page.get_by_role("button", name="approved").first.click()
    expect(page.get_by_role("alert")).to_contain_text("Someone else answered first")
    expect(page.get_by_label("Your text, to copy")).to_have_value("My long reasons")


def test_the_flows_answer_appears_while_one_is_writing(open_window: Window, site: Served, hitl: Hitl) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT, output="# Draft", questions=True)
    url = site.mailed("/review/").partition("?")[0]
    page = open_window()
    page.clock.install()
    page.goto(url)
    page.get_by_text("Ask a question first").click()
    page.get_by_label("Your question to the flow").fill("Why now?")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_text("The flow has not answered yet")).to_be_visible()
    shown = page.locator("input[name=shown]")
    before = shown.input_value()
    page.get_by_label("Comment").fill("My long reasons")
    with site.lock:
        hitl.api("POST", f"/v1/requests/{request.id}/answers", {"text": "It is Monday."})
    with page.expect_response(lambda answer: not answer.url.endswith("/news")):
        page.clock.fast_forward(15_000)
    expect(page.get_by_text("There is an answer to your question.").first).to_be_visible()
    expect(page.get_by_text("It is Monday.")).to_be_visible()
    expect(page.get_by_label("Comment")).to_have_value("My long reasons")
    assert shown.input_value() != before
    page.get_by_role("button", name="Approved").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert (request.outcome, request.response["comment"]) == ("approved", "My long reasons")


LONG = "\n\n".join(f"{number}. Word by word, an article that goes on and on." for number in range(60))


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["", "without script"])
def test_one_answers_from_the_top_of_a_long_output(
    open_window: Window, site: Served, hitl: Hitl, options: dict[str, bool]
) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT, output=LONG, options={"rejected": {"comment": "required"}})
    page = open_window(viewport=PHONE, **options)
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    bar = page.get_by_role("group", name="Answer", exact=True)
    expect(bar).to_be_in_viewport()
    box = bar.bounding_box()
    assert box
    assert box["height"] < PHONE["height"] / 8
    bar.get_by_role("link", name="Rejected…").click()
    expect(page.get_by_label("Comment")).to_be_in_viewport()
    expect(page.get_by_label("Comment")).to_be_focused()
    page.keyboard.type("As good as it gets.")
    page.goto(f"/d/1/requests/{request.id}#content")
    bar.get_by_role("button", name="Approved").click()
    expect(page.get_by_role("status").first).to_contain_text("Your answer was recorded")
    assert request.outcome == "approved"


def test_the_bar_goes_where_the_answer_is_and_comes_to_say_that_somebody_was_faster(
    open_window: Window, site: Served, hitl: Hitl
) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT, output=LONG)
    page = open_window(viewport=PHONE)
    page.clock.install()
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    bar = page.locator(".to-answer")
    expect(bar).to_be_visible()
    page.locator("#answer-form .options").scroll_into_view_if_needed()
    expect(bar).to_be_hidden()
    with site.lock:
        callback(hitl, request, "rejected")
    with page.expect_response("**/news"):
        page.clock.fast_forward(15_000)
    expect(bar).to_contain_text('answered "Rejected"')
    expect(bar.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize(
    "asked",
    [
        {"response_schema": {"type": "object", "properties": {"amount": {"type": "number"}}}},
        {"emit": [f"Option {n}" for n in range(4)]},
    ],
    ids=["typed", "many"],
)
def test_a_form_to_fill_in_and_many_options_are_led_to(
    open_window: Window, site: Served, hitl: Hitl, asked: dict[str, Any]
) -> None:
    request = hitl.ask("Fit to print?", output=LONG, **{"emit": EMIT, **asked})
    page = open_window(viewport=PHONE)
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    page.get_by_role("link", name="Go to your answer").click()
    expect(page.locator("#answer-form")).to_be_in_viewport()


def test_thirty_answers_are_seen_without_scrolling_in_a_table_and_two_corrected(
    open_window: Window, site: Served, hitl: Hitl
) -> None:
    rows = [{"question": f"Is {number} done?", "answer": "Yes", "confidence": 0.9} for number in range(1, 31)]
    request = hitl.ask("Right?", emit=EMIT, output={"vendor": "ACME", "answers": rows}, editable=True)
    page = open_window(viewport=PHONE)
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    cut = "table => table.scrollHeight > table.clientHeight"
    assert page.get_by_role("group", name="Table").evaluate(cut) is False
    page.get_by_role("link", name="correct it").click()
    expect(page.get_by_label("vendor")).to_be_focused()
    for number in (7, 19):
        page.get_by_label(f"answers › {number} › answer").fill("No")
    page.get_by_role("group", name="Answer", exact=True).get_by_role("button", name="Approved").click()
    expect(page.get_by_role("status").first).to_contain_text("Your answer was recorded")
    answers = [row["answer"] for row in request.response["output"]["answers"]]
    assert [number for number, answer in enumerate(answers, 1) if answer == "No"] == [7, 19]


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["", "without script"])
def test_ninety_fields_stand_as_the_table_that_they_are(
    open_window: Window, site: Served, hitl: Hitl, options: dict[str, bool]
) -> None:
    rows = [{"question": f"Is {number} done, and by whom?", "answer": "Yes", "share": 0.9} for number in range(1, 31)]
    request = hitl.ask("Right?", emit=EMIT, output={"vendor": "ACME", "answers": rows}, editable=True)
    page = open_window(**options)
    page.goto(site.mailed("/review/").partition("?")[0])
    page.get_by_text("Edit before you answer").click()
    row = page.locator(".rows tbody tr").nth(18)
    tops = row.evaluate("row => new Set([...row.cells].map(cell => cell.getBoundingClientRect().top)).size")
    assert tops == 1, "the fields of a row stand beside each other"
    assert page.locator(".rows").evaluate("rows => rows.getBoundingClientRect().height") < 3 * 900
    if not options:
        assert look(page, "edit-table") == []
    page.get_by_label("answers › 19 › share").fill("0.5")
    page.get_by_role("button", name="Approved").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert request.response["output"]["answers"][18]["share"] == 0.5


def test_the_page_says_what_became_of_the_last_version_and_leads_to_what_has_changed(
    open_window: Window, site: Served, hitl: Hitl
) -> None:
    for output in ("It costs ten euros.", "It costs nine euros."):
        hitl.advance(seconds=1)
        callback(hitl, hitl.ask("Publish?", emit=EMIT, output=output), "rejected\ntoo long <b>and</b> wrong")
    hitl.advance(seconds=1)
    hitl.ask("Publish?", emit=EMIT, output="It costs nine dollars.")
    page = open_window()
    page.goto(site.mailed("/review/"))
    expect(page.get_by_text("An earlier version was answered “Rejected”: too long <b>and</b> wrong")).to_be_visible()
    page.get_by_role("link", name="See what has changed").click()
    page.locator("details", has_text="Rejected").first.locator("summary").click()
    expect(page.locator(".changes del").first).to_have_text("euros.")
    expect(page.locator(".changes ins").first).to_have_text("dollars.")
    assert look(page, "earlier-rounds") == []


def test_enter_in_a_field_chooses_no_option(open_window: Window, site: Served, hitl: Hitl) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT, output={"total": 12}, editable=True)
    page = open_window()
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    page.get_by_text("Edit before you answer").click()
    page.get_by_label("total").fill("13")
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    assert request.status == "pending"
    page.get_by_role("button", name="Approved").first.click()
    expect(page.get_by_role("status").first).to_contain_text("Your answer was recorded")
    assert request.response["output"] == {"total": 13}


@pytest.mark.parametrize("options", [{}, {"java_script_enabled": False}], ids=["", "without script"])
def test_a_button_of_the_mail_decides_by_one_more_press(
    open_window: Window, site: Served, hitl: Hitl, options: dict[str, bool]
) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT, output="# Draft")
    page = open_window(viewport=PHONE, **options)
    page.goto(site.mailed("/review/"))
    expect(page.get_by_role("heading", name="Confirm your answer")).to_be_visible()
    assert page.get_by_role("button").first.inner_text() == "Approved"
    page.get_by_label("Comment").fill("Go on.")
    page.get_by_role("button", name="approved").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    assert (request.outcome, request.response["comment"]) == ("approved", "Go on.")


def test_everything_can_be_done_by_keyboard(open_window: Window, site: Served, hitl: Hitl) -> None:
    request = hitl.ask("Fit to print?", emit=EMIT)
    page = open_window()
    enter(page, site)
    page.goto(f"/d/1/requests/{request.id}")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == "comment":
            break
    page.keyboard.type("By hand")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**?notice=answered*")
    assert (request.outcome, request.response["comment"]) == ("approved", "By hand")


def test_a_menu_closes_by_escape_and_gives_the_focus_back(open_window: Window, site: Served) -> None:
    page = open_window()
    enter(page, site)
    summary = page.locator(".account > summary")
    summary.click()
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out", exact=True)).to_be_hidden()
    expect(summary).to_be_focused()


def test_what_a_flow_wrote_runs_nothing(open_window: Window, site: Served, hitl: Hitl) -> None:
    evil = "\"'><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>[x](javascript:alert(1))"
    request = hitl.ask(
        evil,
        emit=[evil[:60], "no"],
        output=f"{evil}\n\n```html\n{evil}\n```",
        state={evil: evil},
        metadata={evil: [evil]},
        flow_name=evil,
        method_name=evil[:200],
        history=[{"method": evil, "at": evil, "output": {evil: evil}}],
    )
    ran: list[str] = []
    page = open_window()

    def note(dialog: Dialog) -> None:
        ran.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", note)
    enter(page, site)
    for path in ("/d/1/requests", f"/d/1/requests/{request.id}"):
        page.goto(path)
        for link in page.locator("main a").all():
            assert not (link.get_attribute("href") or "").startswith("javascript:")
    assert ran == []
