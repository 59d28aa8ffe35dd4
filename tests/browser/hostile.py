"""Hostile texts, and a window that notices whatever one of them achieves."""

import re
import socketserver
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request

from infra.local.patience import HANG_SECONDS

PAYLOADS = Path(__file__).parents[1] / "data" / "xss_payloads.txt"
# Nothing resolves it: what asks for it is seen in the browser, and at the proxy that it is sent to.
OUTSIDE = "outside.test"
# Chromium's own viewer of PDFs is a part of the browser.
_VIEWER = ("chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai/", "chrome://resources/", "chrome://theme/")
_MARK = re.compile(rf"__ran\((\d+)\)|{re.escape(OUTSIDE)}/(\d+)")
# What `{{ 31337 * 3 }}` and its like come to.
_WORKED_OUT = re.compile("94011|313373133731337")

# Every element that our templates and the sanitiser make; others came out of somebody's text.
_ELEMENTS = [
    "a",
    "article",
    "aside",
    "b",
    "bdi",
    "blockquote",
    "body",
    "br",
    "button",
    "caption",
    "circle",
    "code",
    "datalist",
    "dd",
    "del",
    "dialog",
    "desc",
    "details",
    "div",
    "dl",
    "dt",
    "em",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "g",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "head",
    "header",
    "hr",
    "html",
    "img",
    "input",
    "ins",
    "kbd",
    "label",
    "legend",
    "li",
    "line",
    "link",
    "main",
    "meta",
    "nav",
    "ol",
    "optgroup",
    "option",
    "p",
    "path",
    "polyline",
    "pre",
    "rect",
    "s",
    "script",
    "section",
    "select",
    "small",
    "span",
    "strong",
    "summary",
    "sup",
    "svg",
    "table",
    "tbody",
    "td",
    "text",
    "textarea",
    "th",
    "thead",
    "time",
    "title",
    "tr",
    "ul",
]
# Whatever could run, load or lead away by itself, or stand in front of something of the page's own.
_LOOK = r"""([elements, mail]) => {
  const own = location.origin, found = [], ids = new Set();
  const known = new Set(elements);
  const tell = (what, element) => found.push(what + ": " + element.outerHTML.slice(0, 200));
  for (const element of document.querySelectorAll("*")) {
    const name = element.localName;
    // PDFs beside an output only, each in the frame that is made for it.
    const file = /^\/v1\/attachments\/[\w.-]+\?embedded=yes#navpanes=0&view=FitH$/;
    const frame = name === "iframe" && !mail && element.className === "pdf" && file.test(element.getAttribute("src"));
    if (!known.has(name) && !frame) tell("element", element);
    if (element.id && ids.has(element.id)) tell("second of this id", element);
    ids.add(element.id);
    if (name === "script" && (mail || !element.src.startsWith(own + "/") || element.text)) tell("script", element);
    if (name === "link" && (mail || !element.href.startsWith(own + "/"))) tell("link", element);
    // Attachments only, and in mails those that the mail carries itself.
    const picture = name === "img" && (mail ? /^cid:[0-9a-f]+@/ : /^\/v1\/attachments\/[\w.-]+$/);
    if (picture && !picture.test(element.getAttribute("src"))) tell("image", element);
    if (name === "meta" && element.httpEquiv) tell("meta", element);
    if (name === "form" && (mail || new URL(element.getAttribute("action") || "", location).origin !== own))
      tell("form", element);
    for (const { name: attribute, value } of element.attributes) {
      if (/^on|^(srcdoc|formaction|ping|background|srcset|poster|data|autofocus-|is|slot|nonce)$/.test(attribute))
        tell("attribute", element);
      if (attribute === "style" && !mail) tell("style", element);
      if (attribute === "style" && /url|expression|import|position/i.test(value)) tell("style", element);
      if (["href", "xlink:href", "src"].includes(attribute) && !(mail && picture)) {
        const url = new URL(value, location);
        if (name !== "a" && url.origin !== own) tell("loads", element);
        if (name === "a" && !["http:", "https:", "mailto:"].includes(url.protocol)) tell("link", element);
        if (name === "a" && element.closest(".content") && url.protocol !== "mailto:"
            && !["noopener", "noreferrer"].every((word) => element.relList.contains(word)))
          tell("tells where it came from", element);
      }
    }
    if (element.closest(".content") && (element.id || element.getAttribute("name"))) tell("name", element);
  }
  return found;
}"""


@dataclass(frozen=True)
class Payload:
    """One hostile text; what it runs or asks for carries its number."""

    number: int
    text: str


def payloads() -> list[Payload]:
    """Return all of them, in the order of the file, where § begins a comment."""
    lines = [line for line in PAYLOADS.read_text("utf-8").splitlines() if line and not line.startswith("§")]
    return [Payload(number, _made(line, number)) for number, line in enumerate(lines, 1)]


def packed(texts: Iterable[Payload], longest: int, end: str) -> list[str]:
    """Return the texts joined by spaces to as few fields of at most `longest` characters as there must be.

    Each ends with the word `end`, by which it is found again.
    """
    fields: list[str] = []
    for text in (payload.text for payload in texts):
        if fields and len(fields[-1]) + len(text) + len(end) + 2 <= longest:
            fields[-1] += f" {text}"
        else:
            fields.append(text)
    return [f"{one} {end}" for one in fields]


def numbers_in(text: str) -> set[int]:
    """Return which payloads a text has in it."""
    return {int(found[1] or found[2]) for found in _MARK.finditer(text)}


@dataclass
class Outside:
    """A proxy that nobody should ever ask: `asked` is what was, as the first line of each call."""

    port: int
    asked: list[str] = field(default_factory=list)


@contextmanager
def outside() -> Iterator[Outside]:
    """Run the proxy; it hears of whatever leaves the machine, also of what browsers do not report as a request."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            # What the browser's makers ask on its behalf is none of ours.
            line = self.rfile.readline(2000).decode("latin-1").strip()
            if line and "googleapis.com" not in line:
                heard.asked.append(line)

    socketserver.ThreadingTCPServer.daemon_threads = True
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        heard = Outside(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield heard
        server.shutdown()
        thread.join()


class Watched:
    """A window that keeps what ran, what asked somewhere else, and what does not belong on a page of ours."""

    def __init__(self, browser: Browser, heard: Outside, own: str, **options: Any) -> None:
        """`own` is the only origin that may be asked."""
        self._own, self._heard = own, heard
        self.ran: set[int] = set()
        self.faults: list[str] = []
        self.left: list[str] = []
        self.shown = ""
        self.context: BrowserContext = browser.new_context(
            base_url=own,
            proxy={"server": f"http://127.0.0.1:{heard.port}", "bypass": "127.0.0.1"},
            **options,
        )
        self.context.set_default_timeout(HANG_SECONDS * 1000)
        self.context.expose_binding("__ran", lambda _source, number: self.ran.add(number))
        self.context.on("request", self._note)
        self.page: Page = self.context.new_page()
        self.context.on("page", lambda page: self.faults.append(f"a window opened: {page.url}"))
        self.page.on("dialog", self._dismiss)
        self.page.on("websocket", lambda socket: self.left.append(socket.url))
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        # What the content security policy holds back is told here: it should have had nothing to do.
        self.page.on("console", self._complain)

    @property
    def asked_outside(self) -> list[str]:
        """What has been asked of anything that is not ours."""
        return [*self.left, *self._heard.asked]

    def look(self, address: str | None = None, *, mail: bool = False) -> None:
        """Open a page (or take what is open), and note what is wrong with it."""
        if address is not None:
            self.page.goto(address)
            wanted = address if "://" in address else self._own + address
            if self.page.url != wanted:
                self.faults.append(f"{address} led to {self.page.url}")
        html = self.page.content()
        self.shown += html
        for wrong in self.page.evaluate(_LOOK, [[*_ELEMENTS, *(["style", "center"] if mail else [])], mail]):
            self.faults.append(f"{self.page.url}: {wrong}")
        if _WORKED_OUT.search(html):
            self.faults.append(f"{self.page.url}: a template worked out what somebody wrote")

    def look_at(self, addresses: Sequence[str]) -> None:
        """Open several pages."""
        for address in addresses:
            self.look(address)

    def _dismiss(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _complain(self, said: ConsoleMessage) -> None:
        # A page that says what is wrong has such a status; pictures that a mail carries have no address outside of it.
        expected = ("status of 4", "ERR_UNKNOWN_URL_SCHEME")
        if said.type == "error" and not any(part in said.text for part in expected):
            self.faults.append(said.text)

    def _note(self, request: Request) -> None:
        if not request.url.startswith((f"{self._own}/", "data:", "blob:", "about:", "cid:", *_VIEWER)):
            self.left.append(request.url)


def _made(line: str, number: int) -> str:
    line = line.replace("RUN", f"__ran({number})").replace("OUT", f"{OUTSIDE}/{number}")
    return re.sub("⟦([0-9A-F]+)⟧", lambda found: chr(int(found[1], 16)), line)
