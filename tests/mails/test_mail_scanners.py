"""What opens every link of a mail before a person does: it decides nothing, and uses nothing up."""

import re
from html import unescape

import pytest

from infra.local.hitl_fixture import Hitl, Mail
from tests.people.test_web_security import everything
from tests.support.asserts import EMIT

ANN = "ann@example.com"


def links_of(mail: Mail) -> list[str]:
    """Return every address that a mail leads to, by its HTML and by its text."""
    html = [unescape(link) for link in re.findall(r'(?:href|src|action)="([^"]+)"', mail.html)]
    return sorted({link for link in (*html, *re.findall(r"https?://[^\s>]+", mail.text)) if link.startswith("http")})


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_link_of_every_mail_may_be_opened_by_a_machine(hitl: Hitl, method: str) -> None:
    hitl.configure(settings={"reminders": [{"share_of_sla": 0.5}]})
    request = hitl.ask(
        "Fit to print?",
        emit=EMIT,
        output="# Draft " * 500,
        assigned_to_email=ANN,
        sla_target_minutes=60,
        free_text="ask_again",
    )
    hitl.reply("perhaps")
    hitl.advance(minutes=31)
    person = hitl.browser()
    person.post("/sign-in", {"email": "creator@example.com"})
    links, before = [link for mail in hitl.inbox for link in links_of(mail)], everything(hitl)
    assert sum("?answer=" in link for link in links) >= 4
    assert any("/sign-in/link/" in link for link in links)

    for scanner in (hitl.browser(source_ip="198.51.100.9"), person):
        for link in links:
            answer = scanner.get(link, method)
            assert answer.status in (200, 401), link
            assert person.session is None

    assert everything(hitl) == before
    assert request.status == "pending"
    (signing_in,) = [link for link in set(links) if "/sign-in/link/" in link]
    assert person.post(signing_in).status == 303
    assert person.session
    review = next(link for link in links if "/review/" in link).partition("?")[0]
    assert hitl.page("POST", review, {"outcome": EMIT[0]}).status in (200, 303)
    assert request.outcome == EMIT[0]


def test_one_that_presses_the_sign_in_button_gets_in_nowhere(hitl: Hitl) -> None:
    person, scanner = hitl.browser(), hitl.browser(source_ip="198.51.100.9")
    person.post("/sign-in", {"email": "creator@example.com"})
    (link,) = [link for link in links_of(hitl.inbox[-1]) if "/sign-in/link/" in link]
    scanner.get(link)
    scanner.post(link)
    assert scanner.session is None
    assert person.post(link).status == 303
    assert person.session
