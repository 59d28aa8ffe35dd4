"""Forms as a browser without JavaScript sends them: what the page holds, changed in a field or two."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from flow_hitl.bootstrap import current
from infra.local.hitl_fixture import Answer, Browser, Hitl


@dataclass
class Form:
    """One form of a page: where it leads, what its fields hold, and its buttons by name and value."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._area, self._select = "", ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name = found.get("name", "")
        if tag == "form":
            self.forms.append(Form(found.get("action", "")))
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((name, found.get("value", "")))
        elif tag == "input" and name:
            self.forms[-1].known.add(name)
            if found.get("type") not in ("checkbox", "radio") or "checked" in found:
                self.forms[-1].fields[name] = found.get("value", "on")
        elif tag == "textarea":
            self._area = name
            self.forms[-1].known.add(name)
            self.forms[-1].fields[name] = ""
        elif tag == "select":
            self._select = name
            self.forms[-1].known.add(name)
        elif tag == "option" and self._select:
            first = self._select not in self.forms[-1].fields
            if first or "selected" in found:
                self.forms[-1].fields[self._select] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            # Browsers leave out the line end behind the tag.
            self.forms[-1].fields[self._area] = self.forms[-1].fields[self._area].removeprefix("\n")
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            self.forms[-1].fields[self._area] += data


def forms_of(page: Answer) -> list[Form]:
    """Return the forms of a page, in their order."""
    parser = _Forms()
    parser.feed(page.text)
    return parser.forms


def form_of(page: Answer, having: str) -> Form:
    """Return the form of a page in which there is a field or a button of this name (or `name=value`)."""
    forms = forms_of(page)
    name, _, value = having.partition("=")
    for form in forms:
        if name in form.known or any(name == one and value in ("", other) for one, other in form.buttons):
            return form
    raise AssertionError(f"no form of this page has {having}: {forms}")


def send(browser: Browser, form: Form, changes: Mapping[str, str | None] = {}, press: str = "") -> Answer:
    """Send a form with other values in some fields, None for an empty box; `press` is the button, as `name=value`."""
    unknown = set(changes) - form.known
    assert not unknown, f"the form has no {unknown}"
    fields = {name: value for name, value in {**form.fields, **changes}.items() if value is not None}
    if press:
        name, _, value = press.partition("=")
        assert (name, value) in form.buttons, f"the form has no button {press}: {form.buttons}"
        fields[name] = value
    return browser.post(form.action.partition("#")[0], fields)


def submit(browser: Browser, path: str, having: str, changes: Mapping[str, str | None] = {}, press: str = "") -> Answer:
    """Open a page and send one of its forms, as `send` does."""
    page = browser.get(path)
    assert page.status == 200, page.text
    return send(browser, form_of(page, having), changes, press)


def followed(browser: Browser, answer: Answer) -> Answer:
    """Return the page that an answer leads to."""
    assert answer.status == 303, (answer.status, answer.text)
    return browser.get(browser.location.partition("#")[0])


def configuration_events(hitl: Hitl) -> list[dict[str, Any]]:
    """Return what was done to the deployment, oldest first: kind, actor, before and after of each event."""
    chain = current()._audit.changes(hitl.deployment_id, 0, 100)
    return [{"kind": event.kind.value, "actor": event.actor, **event.data} for event in chain]


def documents(hitl: Hitl, name: str) -> Any:
    """Return what the API shows under a deployment."""
    return hitl.api("GET", f"/v1/deployments/{hitl.deployment_id}/{name}").json
