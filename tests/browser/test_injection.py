"""Nothing that anybody wrote runs, loads or leads away, wherever it is shown; in a real browser."""

import re
from collections.abc import Iterator, Sequence
from html import unescape
from itertools import product
from urllib.parse import quote, urlencode

import pytest
from markdown_it import MarkdownIt
from markupsafe import escape
from playwright.sync_api import Browser, Error, Route

from flow_hitl.rendering.rendering import PAGE_SECURITY_POLICY
from infra.local.hitl_fixture import hitl_on_moto
from infra.routes import routes_of
from tests.browser.arena import CREATOR, MEMBER, Arena, fill
from tests.browser.hostile import OUTSIDE, Payload, Watched, numbers_in, outside, packed, payloads
from tests.browser.served import Served, served
from tests.support.slices import WHOLE

pytestmark = [pytest.mark.browser, pytest.mark.exhaustive]

ALL = payloads()
SHOWN = ALL if WHOLE else ALL[::3]
# They lead to another, or are none.
_NO_PAGES = ("/news", "/manage", "/pass-on", "/export", "/settings", "/settings/advanced")
_AT_ONCE = 100
RICHER = "title label hint file talk edited gone"
_CARELESS = "http://careless.test"
# As a person would: over everything, and on everything.
_PRESS = """() => {
  for (const frame of document.querySelectorAll("iframe")) {
    try {
      for (const element of frame.contentDocument.querySelectorAll("*")) {
        for (const kind of ["pointerenter", "mouseover"]) element.dispatchEvent(new MouseEvent(kind));
        element.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
      }
    } catch {}
  }
}"""


# The names of what can be typed into each form of the page, which tell the forms apart.
_FORMS = """() => [...document.querySelectorAll("main form")].map((form) => [...form.elements]
  .filter((control) => control.matches("textarea, input:not([type=hidden], [type=checkbox], [type=radio])"))
  .map((control) => control.name).join())"""
# All of it is filled in, also with what browsers would not let through; and off with it.
_FILL_IN = """([number, names, text]) => {
  const form = document.querySelectorAll("main form")[number];
  for (const control of form.elements) {
    if (names.includes(control.name)) {
      control.type = "text";
      control.value = text;
    }
  }
  form.submit();
}"""


def review_links(site: Served) -> list[str]:
    """Return the link of the first button in each mail that asks somebody."""
    with site.lock:
        texts = [mail.text for mail in site.hitl.inbox]
    found = [re.search(rf"{re.escape(site.url)}/review/[^\s>]+", text) for text in texts]
    return [one[0] for one in found if one]


def careless(payload: Payload) -> str:
    """Return a document that shows a text as somebody does who has never heard of any of this."""
    text = payload.text
    if text[0] in "\"'`$\\" or text.startswith("</textarea"):
        quote = "'" if text[0] == "'" else '"'
        body = f"<input value={quote}{text}{quote}><script>var x = {quote}{text}{quote};</script>"
        return f"{body}<textarea>{text}</textarea>"
    if not text.startswith("<") and "script:" in text[:15]:
        return f'<a href="{text}">x</a>'
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    markdown.validateLink = bool  # type: ignore[method-assign, assignment]
    return str(markdown.render(text))


def _number_of(route: Route) -> int:
    return int(route.request.url.rpartition("/")[2])


def show_carelessly(watched: Watched, some: Sequence[Payload], headers: dict[str, str]) -> None:
    """Show each payload in a careless document of its own, and press everything there."""
    pages = [some[start : start + _AT_ONCE] for start in range(0, len(some), _AT_ONCE)]

    def serve(route: Route) -> None:
        frames = (f'<iframe srcdoc="{escape(careless(payload))}"></iframe>' for payload in pages[_number_of(route)])
        body = f"<!doctype html><title>x</title>{''.join(frames)}"
        route.fulfill(body=body, content_type="text/html; charset=utf-8", headers=headers)

    watched.context.route(re.compile(rf"{_CARELESS}/page/\d+"), serve)
    for number in range(len(pages)):
        # With all its frames, and then once more around the event loop of each.
        open_carelessly(watched, f"{_CARELESS}/page/{number}")
        watched.page.evaluate(_PRESS)
        watched.page.wait_for_timeout(200)


def open_carelessly(watched: Watched, url: str) -> None:
    """Open a page although the one before may just be leading away by itself."""
    for _ in range(20):
        try:
            watched.page.goto(url, wait_until="load")
        except Error as error:
            if "interrupted by another navigation" not in error.message:
                raise
        else:
            return
    raise AssertionError(f"{url} could not be opened: another page was always in between")


def fill_in(watched: Watched, names: str, text: str) -> None:
    """Type a text into every field of the form that has these, and send it."""
    number = watched.page.evaluate(_FORMS).index(names)
    with watched.page.expect_navigation():
        watched.page.evaluate(_FILL_IN, [number, names.split(","), text])


def test_on_a_careless_page_they_run_and_were_one_careless_the_policy_would_hold(chromium: Browser) -> None:
    """What the other tests rest on: these texts do harm, and it is noticed."""
    with outside() as heard:
        watched = Watched(chromium, heard, _CARELESS)
        assert len(ALL) > 300

        def harm_is_noticed() -> bool:
            show_carelessly(watched, ALL[::2], {})
            acted = watched.ran | {number for url in watched.left for number in numbers_in(url)}
            return len(watched.ran) > 80 and len(acted) > 110 and any(OUTSIDE in line for line in heard.asked)

        # A slow machine does not get to the end of each page in the time that it is shown.
        assert any(harm_is_noticed() for _ in range(20))

    with outside() as heard:
        strict = Watched(chromium, heard, _CARELESS)
        those_that_run = [payload for payload in ALL if payload.number in watched.ran]
        show_carelessly(strict, those_that_run, {"Content-Security-Policy": PAGE_SECURITY_POLICY})
        assert strict.ran == set()


def test_what_does_not_belong_on_a_page_is_noticed(chromium: Browser) -> None:
    wrong = (
        '<p onclick="x">x</p>',
        '<p style="color:red">x</p>',
        '<p id="twice">x</p><p id="twice">y</p>',
        '<a href="javascript:x">x</a>',
        "<iframe></iframe>",
        '<iframe class="pdf" src="/review/x?embedded=yes#navpanes=0&view=FitH"></iframe>',
        '<img src="x">',
        "<script>x</script>",
        f'<form action="https://{OUTSIDE}"></form>',
        '<meta http-equiv="refresh" content="99;url=x">',
        f'<link rel="preconnect" href="https://{OUTSIDE}">',
        f'<div class="content"><a href="https://{OUTSIDE}">x</a></div>',
        '<div class="content"><a name="forms">x</a></div>',
        "<p>94011</p>",
    )
    with outside() as heard:
        watched = Watched(chromium, heard, _CARELESS)
        watched.context.route(
            re.compile(rf"{_CARELESS}/page/\d+"),
            lambda route: route.fulfill(body=wrong[_number_of(route)], content_type="text/html"),
        )
        for number, one in enumerate(wrong):
            seen = len(watched.faults)
            watched.look(f"/page/{number}")
            assert watched.faults[seen:], one


@pytest.fixture(scope="module")
def site() -> Iterator[Served]:
    with hitl_on_moto() as hitl, served(hitl) as made:
        yield made


@pytest.fixture(scope="module")
def arena(site: Served) -> Arena:
    return fill(site.hitl, SHOWN)


@pytest.fixture
def watched(chromium: Browser, site: Served, arena: Arena) -> Iterator[Watched]:
    """A window in front of the arena, which in the end has seen nothing happen that nobody wanted."""
    with outside() as heard:
        made = Watched(chromium, heard, site.url)
        yield made
        made.context.close()
    assert made.faults == []
    assert made.asked_outside == []
    assert made.ran == set()


def enter(watched: Watched, site: Served, email: str = CREATOR) -> str:
    """Sign in, and return the address of the arena's deployment."""
    watched.context.request.post(f"{site.url}/sign-in", form={"email": email})
    watched.context.request.post(f"{site.url}/sign-in/code", form={"code": site.code()})
    return f"/d/{site.hitl.deployment_id}"


def every_page(site: Served, arena: Arena) -> list[str]:
    """Return an address for each page that signed-in people can open, by the routes that there are."""
    with site.lock:
        hooks = site.hitl.api("GET", f"/v1/deployments/{site.hitl.deployment_id}/webhooks").json["webhooks"]
    values = {
        "deployment_id": [str(site.hitl.deployment_id)],
        "request_id": [arena.open[0].id, arena.decided[0].id],
        "webhook_id": [hooks[-1]["id"]],
        "rule": ["1", "2", "new"],
        "group": ["1", "new"],
    }
    inside = [one.path for one in routes_of("dashboard") if one.method == "GET" and one.path.startswith("/d")]
    # It leads to the list, where one selects.
    inside.remove("/d/{deployment_id}/answers")
    addresses = []
    for path in inside:
        names = re.findall(r"{(\w+)}", path)
        for chosen in product(*(values[name] for name in names)):
            addresses.append(path.format(**dict(zip(names, chosen, strict=True))))
    return [address for address in addresses if not address.endswith(_NO_PAGES)]


def assert_shown(watched: Watched, words: str, most: Sequence[Payload] = SHOWN) -> None:
    """Check that the pages had the payloads, and each field's own word; a text that no page shows proves nothing."""
    missing = [word for word in words.split() if f"in:{word}" not in watched.shown]
    assert missing == []
    marked = {number for payload in most for number in numbers_in(payload.text)}
    assert marked - numbers_in(unescape(watched.shown)) == set()


def test_behind_the_link_of_a_mail(watched: Watched, site: Served, arena: Arena) -> None:
    links = review_links(site)
    watched.look_at([link.partition("?")[0] for link in links])
    # A button of the mail, and an answer that is no option at all.
    watched.look_at([links[0], links[0].partition("?")[0] + "?answer=" + quote(SHOWN[0].text)])
    assert_shown(watched, f"message output state metadata history flow_name method_name deployment {RICHER}")


def test_in_the_list_and_on_the_review_page(watched: Watched, site: Served, arena: Arena) -> None:
    root = enter(watched, site)
    watched.look_at(["/d", f"{root}/requests", f"{root}/requests?tab=history"])
    watched.look_at([f"{root}/requests/{request.id}" for request in (*arena.open, *arena.decided)])
    assert_shown(
        watched,
        "message output state metadata history flow_name method_name deployment deployments feedback comment responder "
        + RICHER,
    )


def test_signed_in_as_somebody_whose_address_is_hostile(watched: Watched, site: Served, arena: Arena) -> None:
    root = enter(watched, site, MEMBER)
    watched.look_at([f"{root}/requests", f"{root}/requests?tab=history", f"{root}/requests/{arena.open[0].id}"])
    assert "onfocus=__ran`1`" in watched.shown


def test_in_the_mails(watched: Watched, site: Served, arena: Arena) -> None:
    """As a webmail does that lets through whatever a mail says."""
    with site.lock:
        mails = list(site.hitl.inbox)
    watched.context.route(
        re.compile(r".*/mail/\d+"),
        lambda route: route.fulfill(body=mails[_number_of(route)].html, content_type="text/html; charset=utf-8"),
    )
    for number, mail in enumerate(mails):
        assert {"bcc", "cc", "set-cookie"}.isdisjoint(name.lower() for name in mail.message)
        assert all(len(mail.message.get_all(name, [])) == 1 for name in ("From", "To", "Subject", "Content-Type"))
        watched.look(f"/mail/{number}", mail=True)
    assert_shown(watched, "message output flow_name method_name deployment name quoted group", ())
    for kind in ("Reminder:", "Your answer was recorded", "Answered by", "You passed the request on", "is from"):
        assert kind in watched.shown


def test_typed_into_the_search_and_every_other_parameter(watched: Watched, site: Served, arena: Arena) -> None:
    root = enter(watched, site)
    names = (
        "q",
        "method",
        "flow",
        "assignee",
        "outcome",
        "order",
        "tab",
        "notice",
        "from",
        "to",
        "group_by",
        "next",
        "member",
    )
    for page in (f"{root}/requests", f"{root}/analytics", f"{root}/settings/members"):
        for text in packed(SHOWN[::4], 1500, "in:query"):
            watched.look(f"{page}?" + urlencode(dict.fromkeys(names, text)))


def test_on_every_page_there_is_and_typed_into_every_form(watched: Watched, site: Served, arena: Arena) -> None:
    enter(watched, site)
    forms: dict[str, str] = {}
    for address in every_page(site, arena):
        watched.look(address)
        for form in watched.page.evaluate(_FORMS):
            forms.setdefault(form, address)
    assert_shown(watched, "rule group key webhook url condition", ())
    texts = packed(SHOWN, 3000, "in:typed")
    # The answer comes last: once it is given, the other forms of its page are gone.
    for number, (form, address) in enumerate(sorted(forms.items(), key=lambda item: "comment" in item[0])):
        if form:
            watched.page.goto(address)
            fill_in(watched, form, texts[number % len(texts)])
            watched.look()
    assert len(forms) > 10
