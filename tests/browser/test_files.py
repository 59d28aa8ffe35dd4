"""PDFs beside an output: seen in place where the browser has a viewer, and led to where it has none."""

import base64
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from infra.local.hitl_fixture import Hitl
from tests.browser.conftest import PHONE, look
from tests.browser.served import Served

pytestmark = pytest.mark.browser

Window = Callable[..., Page]

_RED = """async (png) => {
  const picture = new Image();
  picture.src = `data:image/png;base64,${png}`;
  await picture.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  const drawn = canvas.getContext("2d");
  drawn.drawImage(picture, 0, 0);
  const { data } = drawn.getImageData(0, 0, picture.width, picture.height);
  let red = 0;
  for (let at = 0; at < data.length; at += 4) red += data[at] > 200 && data[at + 1] < 60 && data[at + 2] < 60;
  return red / (data.length / 4);
}"""


def a_red_page() -> bytes:
    """Return a PDF of one page that is red all over."""
    drawing = b"1 0 0 rg 0 0 300 300 re f"
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawing), drawing),
    )
    written, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(b"%010d 00000 n \n" % len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"xref\n0 5\n0000000000 65535 f \n" + b"".join(places)
    return written + table + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(written)


def asked_with_a_pdf(site: Served, hitl: Hitl) -> str:
    content = base64.b64encode(a_red_page()).decode()
    file = {"name": "invoice.pdf", "media_type": "application/pdf", "content": content}
    hitl.ask("Pay it?", emit=["approved", "rejected"], output={"invoice": "2026-118"}, attachments=[file])
    return site.mailed("/review/").partition("?")[0]


def test_a_pdf_is_seen_on_the_page(open_window: Window, site: Served, hitl: Hitl) -> None:
    link = asked_with_a_pdf(site, hitl)
    page = open_window()
    page.goto(link)
    page.locator("iframe.pdf").scroll_into_view_if_needed()
    judge = open_window()
    judge.goto("about:blank")
    for _ in range(40):
        picture = base64.b64encode(page.locator("iframe.pdf").screenshot()).decode()
        if (seen := judge.evaluate(_RED, picture)) > 0.3:
            break
        page.wait_for_timeout(250)
    assert seen > 0.3
    assert page.frames[1].url.partition("?")[0].startswith(f"{site.url}/v1/attachments/")
    assert look(page, "pdf") == []


def test_a_phone_is_led_to_the_pdf_and_loads_none(open_window: Window, site: Served, hitl: Hitl) -> None:
    link = asked_with_a_pdf(site, hitl)
    page = open_window(viewport=PHONE, has_touch=True, is_mobile=True)
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    page.goto(link)
    page.locator(".attachments").scroll_into_view_if_needed()
    expect(page.get_by_role("link", name="invoice.pdf")).to_be_visible()
    expect(page.locator("iframe.pdf")).to_be_hidden()
    page.wait_for_load_state("networkidle")
    assert [url for url in fetched if "/v1/attachments/" in url] == []


def test_a_browser_that_saves_pdfs_is_led_to_it_too(open_window: Window, site: Served, hitl: Hitl) -> None:
    link = asked_with_a_pdf(site, hitl)
    page = open_window()
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'pdfViewerEnabled', { get: () => false })")
    page.goto(link)
    expect(page.locator("iframe.pdf")).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("link", name="invoice.pdf").click()
    assert saved.value.suggested_filename == "invoice.pdf"
