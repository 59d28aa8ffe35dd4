"""How the pages look: nothing is cut off on a phone, axe-core finds no serious fault, and pictures are kept of each."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from infra.local.hitl_fixture import AskedRequest, Hitl
from tests.browser.conftest import enter, look
from tests.browser.served import Served
from tests.support.asserts import callback

pytestmark = pytest.mark.browser

ARTICLE = """# Spring campaign

Meet the **planner** that plans itself: *less* typing, more doing.

- Ships in May
- Works with [your calendar](https://example.com/calendar)

| Plan | Price | Seats |
|---|---:|---:|
| Solo | 9 € | 1 |
| Team | 29 € | 10 |

```python
def price(plan: str) -> int:
    # cents, VAT included
    return {"solo": 900, "team": 2_900}[plan]
```

> It changed how we work. — *A customer*
"""
INVOICE = {"invoice": "2026-118", "supplier": {"name": "ACME Ltd."}, "total": 12400, "paid": False, "lines": [{"n": 1}]}
STATE = {"article_id": 12345, "author": "john@example.com", "budget": {"currency": "EUR", "total": 12400}}
ROUND = {"method": "review_content", "at": "2026-01-14T11:20:00Z", "output": "Too *long* by half."}


def some_requests(hitl: Hitl) -> list[AskedRequest]:
    """Ask a handful of things, one of which is answered and one of which is overdue."""
    more: dict[str, Any] = {"emit": ["approved", "rejected", "needs_revision"], "state": STATE, "history": [ROUND]}
    article = hitl.ask(
        "Fit to print? Please check tone and prices before it goes out on Monday.",
        method_name="review_article",
        flow_name="ContentApprovalFlow",
        output=ARTICLE,
        metadata={"run": "7f3c"},
        sla_target_minutes=120,
        **more,
    )
    invoice = hitl.ask(
        "Pay invoice 2026-118 of ACME Ltd. over 12,400 €?",
        method_name="approve_payment",
        flow_name="PaymentsFlow",
        output=INVOICE,
        sla_target_minutes=30,
        **more,
    )
    hitl.advance(minutes=100)
    done = hitl.ask(
        "Brand check", method_name="review_content", flow_name="ContentApprovalFlow", output=ARTICLE, **more
    )
    callback(hitl, done, "approved\nNice.")
    return [article, invoice, done]


def test_the_pages_are_whole_and_accessible(open_window: Callable[..., Page], site: Served, hitl: Hitl) -> None:
    article, invoice, done = some_requests(hitl)
    asked: dict[str, Any] = {
        "method_name": "review_article",
        "flow_name": "ContentApprovalFlow",
        "output": ARTICLE,
        "state": STATE,
    }
    hitl.ask("Fit to print? Please check tone and prices.", emit=["approved", "rejected"], **asked)
    review_link, mail = site.mailed("/review/"), hitl.inbox[-1].html
    page = open_window()
    faults: list[str] = []

    def see(name: str, address: str | None = None) -> None:
        if address is not None:
            page.goto(address)
        faults.extend(look(page, name))

    see("sign-in", "/sign-in")
    page.get_by_label("Your email address").fill("creator@example.com")
    page.get_by_role("button", name="Email me a link").click()
    page.wait_for_url("**/sign-in/code")
    page.get_by_label("Code").fill("1")
    page.get_by_role("button", name="Sign in", exact=True).click()
    see("sign-in-code")
    see("sign-in-link", site.mailed("/sign-in/link/"))
    enter(page, site)
    see("requests")
    see("history", "/d/1/requests?tab=history")
    see("nothing-fits", "/d/1/requests?q=nothing&method=x")
    see("review", f"/d/1/requests/{article.id}")
    see("review-json", f"/d/1/requests/{invoice.id}")
    see("answered", f"/d/1/requests/{done.id}")
    see("not-found", "/d/1/requests/0192f0c1-7e11-7abc-8def-0123456789ab")
    page.goto("/d/1/requests")
    page.locator(".account > summary").click()
    see("account")
    page.context.clear_cookies()
    see("review-link", review_link.partition("?")[0])
    see("confirm", review_link)
    page.goto("about:blank")
    page.set_content(mail)
    see("mail")
    assert faults == []


def test_the_guide_is_whole_and_accessible_and_its_pictures_are_there(
    open_window: Callable[..., Page], site: Served
) -> None:
    page = open_window()
    faults: list[str] = []
    for name, path in {
        "guide": "",
        "guide-manager": "/guides.manager",
        "guide-decision": "/decisions.0009-configuration",
    }.items():
        page.goto(f"{site.url}/docs/guide{path}")
        faults += look(page, name)
        assert page.evaluate("[...document.images].filter(image => !image.naturalWidth).map(image => image.src)") == []
    assert faults == []
