"""Signing in by mail: the code or the link proves an address once, in the browser that asked, and to nobody else."""

import json
import re
from typing import Any
from urllib.parse import quote

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from infra.local.hitl_fixture import Answer, Browser, Hitl, sqs_record
from tests.support.asserts import everything_written
from tests.support.aws_calls import When, crashing, deaths, unsettled, watched

REQUESTS = "/d/1/requests"
CREATOR = "creator@example.com"


def ask(hitl: Hitl, browser: Browser | None = None, email: str = CREATOR, **form: str) -> Browser:
    """Ask to sign in, in a browser of its own unless one is given."""
    browser = browser or hitl.browser()
    assert browser.post("/sign-in", {"email": email, **form}).status == 303
    return browser


def link(hitl: Hitl) -> str:
    found = re.search(r"<https://hitl\.test(/sign-in/link/[^>]+)>", hitl.inbox[-1].text)
    assert found, "this mail has no link"
    return found[1]


def type_code(browser: Browser, code: str) -> Answer:
    return browser.post("/sign-in/code", {"code": code})


def add_member(hitl: Hitl, email: str, *permissions: Permission, aliases: tuple[str, ...] = ()) -> None:
    manage = current().manage_deployments
    manage.set_member(hitl.deployment_id, Member(email, frozenset(permissions), aliases))


def may_see(browser: Browser, path: str = REQUESTS) -> bool:
    return browser.get(path).status == 200


def test_the_code_out_of_the_mail_signs_in(hitl: Hitl) -> None:
    browser = ask(hitl)
    assert browser.location == "/sign-in/code"
    assert CREATOR in browser.get("/sign-in/code").text
    assert hitl.inbox[-1].to == CREATOR
    assert type_code(browser, hitl.sign_in_code()).status == 303
    assert browser.get(browser.location).status in (200, 303)
    assert may_see(browser)


@pytest.mark.parametrize("spelled", ["{}", " {} ", "{:.4}-{:.4}", "code: {}."])
def test_a_code_may_be_typed_as_people_type(hitl: Hitl, spelled: str) -> None:
    browser = ask(hitl)
    first, last = hitl.sign_in_code().split()
    type_code(browser, f"{first}-{last}" if "-" in spelled else spelled.format(first + last))
    assert may_see(browser)


def test_full_width_digits_are_digits_too(hitl: Hitl) -> None:
    browser = ask(hitl)
    wide = {ord(str(digit)): 0xFF10 + digit for digit in range(10)}
    type_code(browser, hitl.sign_in_code().translate(wide))
    assert may_see(browser)


def test_the_link_signs_in_by_the_press_of_a_button(hitl: Hitl) -> None:
    browser = ask(hitl)
    page = browser.get(link(hitl))
    assert page.status == 200
    assert CREATOR in page.text
    assert not may_see(browser)
    assert browser.post(link(hitl)).status == 303
    assert may_see(browser)


def test_a_mail_scanner_that_opens_the_link_uses_nothing_up(hitl: Hitl) -> None:
    browser, scanner = ask(hitl), hitl.browser(source_ip="198.51.100.9")
    for method in ("GET", "HEAD"):
        for visitor in (scanner, browser):
            before = everything_written(hitl)
            visitor.get(link(hitl), method)
            assert everything_written(hitl) == before
    # Some scanners press buttons, too.
    assert scanner.post(link(hitl)).status == 401
    assert not scanner.session
    browser.post(link(hitl))
    assert may_see(browser)


def test_in_another_browser_the_link_says_where_to_type_the_code(hitl: Hitl) -> None:
    asked, phone = ask(hitl), hitl.browser()
    page = phone.get(link(hitl))
    assert "Enter the code or open the link there" in page.text
    assert "<form" not in page.text
    assert hitl.sign_in_code().replace(" ", "") not in page.text.replace(" ", "")
    assert phone.post(link(hitl)).status == 401
    assert not phone.session
    type_code(asked, hitl.sign_in_code())
    assert may_see(asked)


def test_the_code_is_good_in_no_other_browser(hitl: Hitl) -> None:
    ask(hitl)
    code = hitl.sign_in_code()
    fresh, other = hitl.browser(), ask(hitl, email="somebody@example.com")
    for browser in (fresh, other):
        assert type_code(browser, code).status in (401, 422)
        assert not browser.session


@pytest.mark.parametrize("first", ["code", "link"])
@pytest.mark.parametrize("second", ["code", "link"])
def test_code_and_link_sign_in_once(hitl: Hitl, first: str, second: str) -> None:
    browser = ask(hitl)
    code, url, asking = hitl.sign_in_code(), link(hitl), dict(browser.cookies)

    def use(way: str) -> None:
        browser.cookies.update(asking)
        browser.post(url) if way == "link" else type_code(browser, code)

    use(first)
    assert browser.session
    browser.cookies.clear()
    use(second)
    assert not browser.session


def test_code_and_link_are_good_for_a_quarter_of_an_hour(hitl: Hitl) -> None:
    in_time, late = ask(hitl), ask(hitl)
    code, url = hitl.sign_in_code(), link(hitl)
    hitl.advance(seconds=15 * 60)
    for answer in (type_code(late, code), late.post(url), late.get(url)):
        assert answer.status == 401
        assert "This code has expired" in answer.text
    assert not late.session
    again = ask(hitl, in_time)
    hitl.advance(seconds=15 * 60 - 1)
    type_code(again, hitl.sign_in_code())
    assert may_see(again)


def test_after_five_wrong_codes_the_right_one_is_too_late(hitl: Hitl) -> None:
    browser = ask(hitl)
    code = hitl.sign_in_code()
    for _ in range(5):
        assert type_code(browser, "0000 0000").status == 422
    answer = type_code(browser, code)
    assert answer.status == 401
    assert "Too many wrong codes" in answer.text
    assert not browser.session
    # A new mail starts anew, and the older link of the same browser is still good.
    ask(hitl, browser)
    type_code(browser, hitl.sign_in_code())
    assert may_see(browser)


def test_the_fifth_code_may_be_the_right_one(hitl: Hitl) -> None:
    browser = ask(hitl)
    for _ in range(4):
        type_code(browser, "")
    type_code(browser, hitl.sign_in_code())
    assert may_see(browser)


def test_guesses_at_the_same_time_are_all_counted(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    from flow_hitl.people.sign_in_store import DynamoSignInTries

    browser = ask(hitl)
    commit, left = DynamoSignInTries.commit, [4]

    def beaten(self: DynamoSignInTries, changed: Any) -> None:
        if left[0]:
            left[0] -= 1
            type_code(browser, "0000 0000")
        commit(self, changed)

    monkeypatch.setattr(DynamoSignInTries, "commit", beaten)
    type_code(browser, "0000 0000")
    monkeypatch.undo()
    assert type_code(browser, hitl.sign_in_code()).status == 401
    assert not browser.session


# --- nobody learns who may sign in


def test_a_stranger_sees_the_same_and_gets_no_mail(hitl: Hitl) -> None:
    add_member(hitl, "idle@example.com")
    pages = []
    for email in (CREATOR, "stranger@example.com", "idle@example.com"):
        browser = ask(hitl, email=email)
        page = browser.get("/sign-in/code")
        pages.append((page.status, page.text.replace(email, "somebody")))
    assert pages[0] == pages[1] == pages[2]
    assert [mail.to for mail in hitl.inbox] == [CREATOR]


def test_asking_does_the_same_work_for_everybody(hitl: Hitl) -> None:
    ask(hitl)
    made = []
    for email in (CREATOR, "stranger@example.com"):
        with unsettled(hitl), watched(hitl) as calls:
            ask(hitl, email=email)
        made.append(calls.operations)
    assert made[0] == made[1] != []


@pytest.mark.parametrize(
    "email", ["", "alice", "a@b", "a@example.com, b@example.com", "Alice <a@example.com>", "ä@example.com"]
)
def test_what_is_no_address_is_said_so(hitl: Hitl, email: str) -> None:
    answer = hitl.browser().post("/sign-in", {"email": email})
    assert answer.status == 422
    assert "must be one plain email address" in answer.text
    assert not hitl.inbox


def test_an_address_that_bounced_gets_no_sign_in_mail_either(hitl: Hitl) -> None:
    current().suppressed.add(CREATOR, "bounced", hitl.clock.now())
    ask(hitl)
    assert not hitl.inbox


def test_a_bounce_of_a_sign_in_mail_is_taken_in(hitl: Hitl) -> None:
    bounce = {
        "eventType": "Bounce",
        "mail": {"messageId": "m", "tags": {"kind": ["sign_in"]}},
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": CREATOR}],
            "feedbackId": "f",
        },
    }
    hitl._deliver("mail_feedback", [sqs_record("f", json.dumps(bounce))])
    ask(hitl)
    assert not hitl.inbox


# --- limits


def besieged(hitl: Hitl) -> None:
    """Have a stranger ask for mails to the creator: from the creator's own network, and from many others."""
    for number in range(40):
        ask(hitl, hitl.browser(source_ip="203.0.113.7" if number % 2 else f"198.51.100.{number}"))


def test_whoever_asks_for_mails_to_somebody_they_are_few(hitl: Hitl) -> None:
    besieged(hitl)
    assert len(hitl.inbox) == 3
    for _ in range(59):
        hitl.advance(minutes=1)
        ask(hitl)
    assert len(hitl.inbox) <= 8


@pytest.mark.parametrize("way", ["code", "link"])
@pytest.mark.parametrize("minutes", [0, 9, 10, 14, 60])
def test_nobody_is_locked_out_by_what_strangers_do(hitl: Hitl, way: str, minutes: int) -> None:
    besieged(hitl)
    for _ in range(minutes):
        hitl.advance(minutes=1)
        ask(hitl, hitl.browser(source_ip="198.51.100.9"))
    browser = ask(hitl)
    browser.post(link(hitl)) if way == "link" else type_code(browser, hitl.sign_in_code())
    assert may_see(browser)


def test_strangers_guesses_use_up_nothing_of_the_person(hitl: Hitl) -> None:
    browser = ask(hitl)
    mail = hitl.inbox[-1]
    for number in range(20):
        stranger = ask(hitl, hitl.browser(source_ip=f"198.51.100.{number}"))
        for _ in range(6):
            type_code(stranger, "0000 0000")
    assert len(hitl.inbox) == 3
    type_code(browser, hitl.sign_in_code(mail))
    assert may_see(browser)


def test_many_guesses_at_a_mail_of_another_browser_leave_its_link(hitl: Hitl) -> None:
    besieged(hitl)
    for number in range(11):
        stranger = ask(hitl, hitl.browser(source_ip=f"198.51.100.{number}"))
        for _ in range(5):
            type_code(stranger, "0000 0000")
    browser = ask(hitl)
    assert type_code(browser, hitl.sign_in_code()).status == 422
    assert "open its link in this browser" in browser.get("/sign-in/code").text
    browser.post(link(hitl))
    assert may_see(browser)


@pytest.mark.parametrize("way", ["code", "link"])
def test_a_mail_signs_in_once_in_whichever_browser(hitl: Hitl, way: str) -> None:
    first, second, third = ask(hitl), ask(hitl), ask(hitl)
    mail, url = hitl.inbox[-1], link(hitl)
    first.post(url) if way == "link" else type_code(first, hitl.sign_in_code(mail))
    assert may_see(first)
    for browser in (second, third):
        browser.post(url)
        type_code(browser, hitl.sign_in_code(mail))
        assert not browser.session


def test_a_mail_to_somebody_else_proves_nothing(hitl: Hitl) -> None:
    add_member(hitl, "m@example.com", Permission.RESPOND)
    ask(hitl)
    url, code = link(hitl), hitl.sign_in_code()
    other = ask(hitl, email="m@example.com")
    assert other.get(url).status == 200
    assert "<form" not in other.get(url).text
    assert other.post(url).status == 401
    assert type_code(other, code).status == 422
    assert not other.session


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", ["code", "link"])
def test_wherever_a_process_dies_a_code_is_used_up_only_with_a_session(hitl: Hitl, way: str) -> None:
    browser = ask(hitl)
    asking, url, code = dict(browser.cookies), link(hitl), hitl.sign_in_code()

    def use() -> None:
        browser.cookies.clear()
        browser.cookies.update(asking)
        browser.post(url) if way == "link" else type_code(browser, code)

    go_back, died = hitl.checkpoint(), []
    moments: tuple[When, ...] = ("before", "after")
    for when in moments:
        for number in deaths(hitl, when, use, surely=lambda call, _: call.operation == "dynamodb.TransactWriteItems"):
            go_back()
            with crashing(hitl, number, when) as calls:
                use()
            if calls.died_at:
                died.append(calls.died_at.operation)
                begun = current().visits.sessions.load(CREATOR).sessions
                if not begun:
                    use()
                    assert may_see(browser), (when, calls.died_at)
        go_back()
    assert died.count("dynamodb.TransactWriteItems") == 2


def test_somebody_signs_in_as_often_as_they_like(hitl: Hitl) -> None:
    for _ in range(12):
        assert may_see(hitl.signed_in())


def test_one_place_asks_a_hundred_times_an_hour(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    from flow_hitl.people import sign_in

    monkeypatch.setattr(sign_in, "_PER_SOURCE", 3)
    for number, place in enumerate(("2001:db8::1", "2001:db8::2", "2001:db8:0:0:ffff::3")):
        ask(hitl, hitl.browser(source_ip=place), email=f"a{number}@example.com")
    assert hitl.browser(source_ip="2001:db8::9").post("/sign-in", {"email": "b@example.com"}).status == 429
    ask(hitl, hitl.browser(source_ip="2001:db8:0:1::1"), email="b@example.com")


def test_the_limits_tell_nothing_of_who_may_sign_in(hitl: Hitl) -> None:
    answers = []
    for email in (CREATOR, "stranger@example.com"):
        browsers = [ask(hitl, email=email) for _ in range(5)]
        answers.append([(one.status, one.text.replace(email, "")) for one in map(wrong_code, browsers)])
    assert answers[0] == answers[1]


def wrong_code(browser: Browser) -> Answer:
    return type_code(browser, "0000 0000")


# --- where to go on


@pytest.mark.parametrize(
    "page", ["/d/1/requests", "/d/1/requests?tab=history&q=x%20y", "/d/1/settings/email", "/d/1/analytics", "/d"]
)
def test_who_signs_in_comes_back_to_where_they_were_going(hitl: Hitl, page: str) -> None:
    browser = hitl.browser()
    browser.get(page)
    if page in ("/d", REQUESTS):
        assert browser.location == f"/sign-in?next={quote(page, safe='')}"
    ask(hitl, browser, next=page)
    type_code(browser, hitl.sign_in_code())
    assert browser.location == page


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example/",
        "//evil.example/d",
        "/\\evil.example",
        "/d//evil.example",
        "/d/../../evil",
        "/d/1/requests\r\nSet-Cookie: x=y",
        "/d@evil.example",
        "javascript:alert(1)",
        "/sign-out",
        "/review/x",
        "/d?next=https://evil.example/\n",
        "d/1/requests",
        "",
    ],
)
def test_no_address_leads_out_of_our_pages(hitl: Hitl, elsewhere: str) -> None:
    browser = hitl.browser()
    assert "evil" not in browser.get(f"/sign-in?next={quote(elsewhere, safe='')}").text
    ask(hitl, browser, next=elsewhere)
    type_code(browser, hitl.sign_in_code())
    assert browser.location == "/d"
    assert browser.get(f"/sign-in?next={quote(elsewhere, safe='')}").status == 303
    assert browser.location == "/d"


# --- sessions


def test_the_cookies_are_for_this_host_alone_and_for_no_script(hitl: Hitl) -> None:
    browser = hitl.browser()
    asked = browser.post("/sign-in", {"email": CREATOR})
    signed_in = type_code(browser, hitl.sign_in_code())
    for cookie in (*asked.cookies, *signed_in.cookies):
        name, *attributes = cookie.split("; ")
        assert name.startswith("__Host-hitl-")
        assert {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"} <= set(attributes)
        assert not [one for one in attributes if one.startswith("Domain")]
    assert CREATOR not in "".join(asked.cookies)
    assert "__Host-hitl-sign-in" not in browser.cookies


def test_signing_out_ends_this_session_and_no_other(hitl: Hitl) -> None:
    here, there = hitl.signed_in(), hitl.signed_in()
    here.get(REQUESTS)
    stolen = here.session
    assert here.post("/sign-out").status == 303
    assert not here.session
    here.cookies["__Host-hitl-session"] = stolen or ""
    assert not may_see(here)
    assert may_see(there)


def test_signing_out_everywhere_ends_all(hitl: Hitl) -> None:
    here, there = hitl.signed_in(), hitl.signed_in()
    here.get(REQUESTS)
    here.post("/sign-out", {"everywhere": "yes"})
    assert here.location == "/sign-in?notice=signed_out_everywhere"
    assert "signed out in every browser" in here.get(here.location).text
    assert not may_see(there)
    assert may_see(hitl.signed_in())


def test_signing_out_twice_does_no_harm(hitl: Hitl) -> None:
    browser = hitl.signed_in()
    browser.get(REQUESTS)
    for _ in range(2):
        assert browser.post("/sign-out").status == 303


def test_a_session_ends_after_seven_days(hitl: Hitl) -> None:
    browser = hitl.signed_in()
    hitl.advance(days=7, seconds=-1)
    assert may_see(browser)
    hitl.advance(seconds=1)
    assert not may_see(browser)


def test_the_twentieth_session_ends_the_oldest(hitl: Hitl) -> None:
    oldest, second = hitl.signed_in(), hitl.signed_in()
    for _ in range(19):
        hitl.advance(minutes=60)
        newest = hitl.signed_in()
    assert not may_see(oldest)
    assert may_see(second)
    assert may_see(newest)


def test_a_session_outlives_the_rotation_of_the_signing_keys(hitl: Hitl) -> None:
    browser = hitl.signed_in()
    current().manage_signing_keys.rotate()
    assert may_see(browser)
    assert may_see(hitl.signed_in())


def test_an_altered_cookie_is_none(hitl: Hitl) -> None:
    browser = hitl.signed_in()
    session = browser.session or ""
    for altered in ("", "x", session[:-1], session[1:], session + "A", "." + session, hitl.browser().session or "é"):
        browser.cookies["__Host-hitl-session"] = altered
        assert not may_see(browser)
    other = hitl.browser()
    other.cookies["hitl-session"] = session
    assert not may_see(other)


def test_a_token_of_another_purpose_is_no_session(hitl: Hitl) -> None:
    browser = ask(hitl)
    hitl.ask()
    tokens = [browser.cookies["__Host-hitl-sign-in"], hitl.review_url().rpartition("/")[2]]
    for token in tokens:
        thief = hitl.browser()
        thief.cookies["__Host-hitl-session"] = token
        assert not may_see(thief)


# --- who is let in


def test_whoever_is_removed_is_out_at_once(hitl: Hitl) -> None:
    add_member(hitl, "m@example.com", Permission.MANAGE)
    browser = hitl.signed_in("m@example.com")
    assert may_see(browser)
    current().manage_deployments.remove_member(hitl.deployment_id, "m@example.com")
    assert browser.get(REQUESTS).status == 404
    # They also get no mail any more.
    before = len(hitl.inbox)
    ask(hitl, email="m@example.com")
    assert len(hitl.inbox) == before


def test_whoever_loses_their_permissions_is_out_at_once(hitl: Hitl) -> None:
    add_member(hitl, "m@example.com", Permission.RESPOND)
    browser = hitl.signed_in("m@example.com")
    add_member(hitl, "m@example.com")
    assert browser.get(REQUESTS).status == 404


def test_an_alias_signs_in_as_its_member(hitl: Hitl) -> None:
    add_member(hitl, "m@example.com", Permission.MANAGE, aliases=("m@private.example.com",))
    assert may_see(hitl.signed_in("M@Private.example.com"))
    add_member(hitl, "m@example.com", Permission.MANAGE)
    before = len(hitl.inbox)
    ask(hitl, email="m@private.example.com")
    assert len(hitl.inbox) == before


def test_a_person_chooses_among_the_deployments_that_let_them_in(hitl: Hitl) -> None:
    manage = current().manage_deployments
    other = manage.create(name="Payments", creator_email="other@example.com", organization_id=1).deployment_id
    browser = hitl.signed_in()
    browser.get("/d")
    assert browser.location == REQUESTS
    assert "Payments" not in browser.get(REQUESTS).text
    assert browser.get(f"/d/{other}/requests").status == 404
    manage.set_member(other, Member(CREATOR, frozenset({Permission.RESPOND})))
    page = browser.get("/d")
    assert page.status == 200
    assert "Payments" in page.text
    assert "Content Review" in page.text
    assert f'href="/d/{other}/requests"' in browser.get(REQUESTS).text
    assert may_see(browser, f"/d/{other}/requests")


def test_without_a_deployment_a_page_says_what_to_do(hitl: Hitl) -> None:
    add_member(hitl, "m@example.com", Permission.RESPOND)
    browser = hitl.signed_in("m@example.com")
    current().manage_deployments.remove_member(hitl.deployment_id, "m@example.com")
    page = browser.get("/d")
    assert page.status == 200
    assert "You are not a member of any deployment" in page.text
    assert browser.post("/sign-out").status == 303


@pytest.mark.parametrize("spelled", ["01", "٤", "1x", "-1", "0", "9" * 20, "1.0"])
def test_a_deployment_has_one_address(hitl: Hitl, spelled: str) -> None:
    assert hitl.signed_in().get(f"/d/{spelled}/requests").status == 404


def test_deployments_from_before_are_found_once_they_are_indexed(hitl: Hitl) -> None:
    add_member(hitl, "m@example.com", Permission.RESPOND)
    table = current().settings.deployments_table
    dynamodb = hitl._clients["dynamodb"]
    for row in dynamodb.scan(TableName=table)["Items"]:
        if row["pk"]["S"].startswith("person#"):
            dynamodb.delete_item(TableName=table, Key={name: row[name] for name in ("pk", "sk")})
    ask(hitl)
    assert not hitl.inbox
    assert current().manage_deployments.index_people() == 1
    assert may_see(hitl.signed_in("m@example.com"))
    assert may_see(hitl.signed_in())


# --- the audit log


def signed_in_events(hitl: Hitl) -> list[dict[str, Any]]:
    items = hitl._clients["dynamodb"].scan(TableName=current().settings.audit_table)["Items"]
    return [item for item in items if item["kind"]["S"] == "member_signed_in"]


def test_the_deployment_notes_who_came_in_once_a_session(hitl: Hitl) -> None:
    browser = hitl.signed_in()
    assert not signed_in_events(hitl)
    for _ in range(3):
        browser.get(REQUESTS)
    (event,) = signed_in_events(hitl)
    assert event["actor"]["S"] == f"member/{CREATOR}"
    assert event["subject"]["S"] == f"deployment#{hitl.deployment_id}"
    hitl.signed_in().get(REQUESTS)
    assert len(signed_in_events(hitl)) == 2


def test_strangers_add_nothing_to_the_audit_log(hitl: Hitl) -> None:
    def events() -> int:
        return len(hitl._clients["dynamodb"].scan(TableName=current().settings.audit_table)["Items"])

    before = events()
    browser = ask(hitl, email="stranger@example.com")
    type_code(browser, "1234 5678")
    add_member(hitl, "m@example.com", Permission.RESPOND)
    other = current().manage_deployments.create(name="Other", creator_email="o@example.com", organization_id=1)
    with_setup = events()
    hitl.signed_in("m@example.com").get(f"/d/{other.deployment_id}/requests")
    assert events() == with_setup
    assert with_setup == before + 2


# --- forms


@pytest.mark.parametrize("path", ["/sign-in", "/sign-in/code", "/sign-out"])
@pytest.mark.parametrize("headers", [{"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}])
def test_a_form_of_another_site_does_nothing(hitl: Hitl, path: str, headers: dict[str, str]) -> None:
    browser = hitl.signed_in()
    browser.get(REQUESTS)
    form = {"email": CREATOR, "code": "0000 0000"}
    before = len(hitl.inbox)
    assert browser.post(path, form, **headers).status == 403
    assert len(hitl.inbox) == before
    assert may_see(browser)


@pytest.mark.parametrize("token", ["", "x", None])
def test_a_form_of_no_session_does_nothing(hitl: Hitl, token: str | None) -> None:
    browser, thief = hitl.signed_in(), hitl.signed_in()
    thief.get(REQUESTS)
    browser.get(REQUESTS)
    form = {"csrf": thief._form_token if token is None else token}
    assert browser.post("/sign-out", form).status == 403
    assert may_see(browser)
