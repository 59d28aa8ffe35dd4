"""How managers see on the dashboard if all works: test requests, and why nothing has happened with a request."""

import re
from html import unescape

import pytest

from flow_hitl.bootstrap import current
from flow_hitl.deployments.deployment import Member, Permission
from flow_hitl.platform.times import with_readable_times
from infra.local.hitl_fixture import Answer, AskedRequest, Browser, Hitl
from tests.support.asserts import EMIT
from tests.support.forms import followed, form_of, submit

ANN = "ann@example.com"
CHECKS = "/d/1/settings/checks"
MAIL, REPLY, FLOW = "Was the email sent?", "Was a reply processed?", "Did the flow resume?"


def send_test(browser: Browser, **changes: str) -> Answer:
    return submit(browser, CHECKS, "to", changes)


def path(request: AskedRequest) -> str:
    return f"/d/1/requests/{request.id}"


def words(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def diagnosed(browser: Browser, request: AskedRequest) -> dict[str, str]:
    """Follow the link on a request's page; returns what is said to each question, its answer first."""
    assert f'<a href="{path(request)}/diagnosis">Why has nothing happened?</a>' in browser.get(path(request)).text
    page = browser.get(f"{path(request)}/diagnosis")
    assert page.status == 200, page.text
    sections = re.findall(r"<section.*?<h2[^>]*>(.*?)<span(.*?)</section>", page.text, re.DOTALL)
    return {words(question): words(f"<span{said}") for question, said in sections}


# --- a test request


def test_a_manager_sends_a_test_to_themselves_and_sees_it(hitl: Hitl, manager: Browser) -> None:
    page = followed(manager, send_test(manager))
    assert "The test request is on its way." in page.text
    assert "This is a test. No flow is waiting for the answer." in page.text
    mail = hitl.inbox[-1]
    assert mail.to == "creator@example.com"
    assert mail.subject.startswith("[Test] ")
    hitl.reply("it works", to=mail)
    assert "The test worked: the email arrived, and the reply came back." in manager.get(address_of(page)).text


def test_it_goes_to_whom_they_say_in_their_name(hitl: Hitl, manager: Browser) -> None:
    page = followed(manager, send_test(manager, to=f" {ANN} "))
    assert hitl.inbox[-1].to == ANN
    request = AskedRequest(address_of(page).rpartition("/")[2], "", hitl)
    assert request.now()["test"] is True
    assert request.timeline[0]["actor"] == "member/creator@example.com"


def test_it_goes_to_all_of_a_group(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"groups": [{"name": "legal", "members": [ANN, "al@example.com"]}]})
    followed(manager, send_test(manager, to="group:legal"))
    assert {mail.to for mail in hitl.inbox[-2:]} == {ANN, "al@example.com"}


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ("nobody", "nobody: must be one plain email address"),
        ("", "This: must be one plain email address"),
        ("x@elsewhere.org", "elsewhere.org is not among the allowed assignee domains"),
        ("group:none", "group:none: is no group of this deployment."),
    ],
)
def test_a_bad_address_is_told_at_the_field(hitl: Hitl, manager: Browser, to: str, problem: str) -> None:
    hitl.configure(settings={"allowed_assignee_domains": ["example.com"]})
    mails = len(hitl.inbox)
    page = send_test(manager, to=to)
    assert page.status == 422
    assert problem in page.text.partition('id="to-error">')[2].partition("</p>")[0]
    assert form_of(page, "to").fields["to"] == to
    assert len(hitl.inbox) == mails


def test_a_form_of_another_site_sends_none(hitl: Hitl, manager: Browser) -> None:
    mails = len(hitl.inbox)
    elsewhere = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert manager.post(CHECKS, {"to": ANN}, **elsewhere).status == 403
    assert manager.post(CHECKS, {"to": ANN, "csrf": "x"}).status == 403
    assert len(hitl.inbox) == mails


# --- why has nothing happened?


def test_a_request_that_is_well_is_said_to_be(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT)
    found = diagnosed(manager, request)
    assert [*found] == [MAIL, REPLY, FLOW]
    assert found[MAIL].startswith("yes")
    assert found[REPLY].startswith("not yet")
    assert found[FLOW].startswith("not yet")
    hitl.reply("approved", to=hitl.inbox[-1])
    assert diagnosed(manager, request)[REPLY].startswith("yes")


def test_it_names_the_address_that_gets_no_mail_and_what_to_do(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT)
    hitl.bounce(request, "creator@example.com", "Complaint")
    said = diagnosed(manager, request)[MAIL]
    assert said.startswith("problem")
    assert "creator@example.com no longer gets email" in said
    assert "What to do: Reassign the request." in said
    assert "<code>flow-hitl mail allow creator@example.com</code>" in manager.get(f"{path(request)}/diagnosis").text


def test_it_names_mails_that_are_off(hitl: Hitl, manager: Browser) -> None:
    hitl.configure(settings={"email_notifications": False})
    found = diagnosed(manager, hitl.ask(emit=EMIT))
    assert "Email notifications were off when the responder was asked" in found[MAIL]
    assert "What to do: Turn on email_notifications" in found[MAIL]
    assert "See the previous question: was the email sent?" in found[REPLY]


def test_it_says_the_same_as_the_api_with_the_times_as_people_read_them(hitl: Hitl, manager: Browser) -> None:
    request = hitl.ask(emit=EMIT, assigned_to_email="gone@example.com")
    hitl.bounce(request, "gone@example.com")
    said = " ".join(diagnosed(manager, request).values())
    for question in hitl.api("GET", f"/v1/requests/{request.id}/diagnosis").json["diagnosis"]["questions"]:
        for finding in question["findings"]:
            for text in filter(None, (finding["fact"], finding["next_step"])):
                assert all(part.strip() in said for part in with_readable_times(text).split("`")), text
    assert "as reported at 14 Jan 2026, 12:00 UTC" in said


def test_nothing_of_a_stranger_becomes_markup_and_nothing_comes_from_elsewhere(hitl: Hitl, manager: Browser) -> None:
    evil = "<script>alert(1)</script>"
    hitl.configure(rules=[{"name": evil, "match": {"method_name": "*"}, "assign_to_email": ANN}])
    page = manager.get(f"{path(hitl.ask(emit=EMIT))}/diagnosis")
    assert "&lt;script&gt;alert" in page.text
    assert page.text.count("<script") == 1, "but for the one file"
    assert " style=" not in page.text
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page.text)


# --- who may


def test_who_only_responds_may_do_neither(hitl: Hitl) -> None:
    for email in (ANN, "al@example.com"):
        current().manage_deployments.set_member(1, Member(email, frozenset({Permission.RESPOND})))
    request = hitl.ask(emit=EMIT, assigned_to_email=ANN)
    ann, al = hitl.signed_in(ANN), hitl.signed_in("al@example.com")
    page = ann.get(path(request))
    assert page.status == 200
    assert "diagnosis" not in page.text
    assert ann.get(f"{path(request)}/diagnosis").status == 403
    assert al.get(f"{path(request)}/diagnosis").status == 404
    mails = len(hitl.inbox)
    assert ann.get(CHECKS).status == ann.post(CHECKS, {"to": ANN}).status == 403
    assert len(hitl.inbox) == mails


@pytest.mark.parametrize("name", ["x", "00000000-0000-4000-8000-000000000000"])
def test_there_is_no_diagnosis_of_what_is_not_there(manager: Browser, name: str) -> None:
    assert manager.get(f"/d/1/requests/{name}/diagnosis").status == 404


def address_of(page: Answer) -> str:
    """Return the address of the request that a page shows."""
    found = re.search(r'href="(/d/1/requests/[^"/]+)/diagnosis"', page.text)
    assert found
    return found[1]
