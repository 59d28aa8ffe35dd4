"""The guide as the service shows it: `docs/` of the repository as pages, beside the API's description."""

import base64
import re
from pathlib import Path

import pytest

from flow_hitl.pages.guide.contents import Entry, Section, anchor_of, listing, name_of, sections_of, target_of
from infra.local.hitl_fixture import Answer, Hitl
from tests.support.asserts import assert_problem

ROOT = Path(__file__).parents[2]
LINK = re.compile(r'(?:href|src)="([^"]*)"')
GUIDE = "/docs/guide"


def read(hitl: Hitl, path: str) -> Answer:
    answer = hitl.api("GET", path, key=None)
    assert answer.status == 200, path
    return answer


def pages(hitl: Hitl) -> dict[str, str]:
    """Return every page that can be reached from the first one, by its path."""
    found: dict[str, str] = {}
    left = [GUIDE]
    while left:
        path = left.pop()
        answer = read(hitl, path)
        if answer.headers["Content-Type"].startswith("text/html"):
            found[path] = answer.text
            links = {link.partition("#")[0] for link in LINK.findall(answer.text)}
            left += sorted(link for link in links if link.startswith(GUIDE) and link not in {*found, *left})
    return found


def test_every_page_is_reached_from_the_first_one_and_no_link_leads_nowhere(hitl: Hitl) -> None:
    found = pages(hitl)
    written = {name_of(str(path.relative_to(ROOT))) for path in (ROOT / "docs").rglob("*.md")} - {"README"}
    assert {path.removeprefix(f"{GUIDE}/") for path in found} == {GUIDE, "decisions", *written}
    ids = {path: set(re.findall(r' id="([^"]+)"', text)) for path, text in found.items()}
    for path, text in found.items():
        for link in LINK.findall(text):
            target, _, anchor = link.partition("#")
            assert not anchor or target not in found or anchor in ids[target], f"{path} links to {link}"
            assert link.startswith(("/", "#", "https://", "http://127.0.0.1:")), f"{path} links to {link}"


def test_a_page_runs_and_loads_nothing_of_others(hitl: Hitl) -> None:
    page = read(hitl, f"{GUIDE}/guides.reviewer")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=|src=\"http", page.text)
    assert page.headers["X-Content-Type-Options"] == "nosniff"


def test_images_are_there(hitl: Hitl) -> None:
    picture = hitl.api("GET", f"{GUIDE}/images.mail.png", key=None, headers={"Accept-Encoding": "gzip"})
    assert picture.headers["Content-Type"] == "image/png"
    assert "Content-Encoding" not in picture.headers
    assert base64.b64decode(picture.text) == (ROOT / "docs/images/mail.png").read_bytes()
    drawing = read(hitl, f"{GUIDE}/images.overview.svg")
    assert drawing.headers["Content-Type"] == "image/svg+xml"
    assert drawing.text.startswith("<svg")


@pytest.mark.parametrize(
    "name", ["nothing", "..", "openapi.json", "README", "%2e%2e%2fREADME", "..README.md", "images", "guides"]
)
def test_nothing_else_of_the_service_is_shown(hitl: Hitl, name: str) -> None:
    assert_problem(hitl.api("GET", f"{GUIDE}/{name}", key=None), 404, "not-found")


def test_the_api_and_the_guide_lead_to_each_other_and_help_leads_to_both(hitl: Hitl) -> None:
    assert 'href="docs/guide"' in read(hitl, "/docs").text
    assert 'href="/docs"' in read(hitl, GUIDE).text
    links = LINK.findall(hitl.page("GET", "/help").text)
    guides = [link for link in links if link.startswith(GUIDE)]
    assert len(guides) > 5
    for link in guides:
        read(hitl, link)


def test_settings_lead_to_the_managers_guide(hitl: Hitl) -> None:
    page = hitl.signed_in().get(f"/d/{hitl.deployment_id}/settings/rules")
    links = LINK.findall(page.text)
    (guide,) = [link for link in links if link.startswith(GUIDE)]
    read(hitl, guide)


def test_a_page_says_where_it_belongs(hitl: Hitl) -> None:
    page = read(hitl, f"{GUIDE}/runbooks").text
    assert '<nav class="places" aria-label="Run it">' in page
    assert '<a href="/docs/guide/runbooks" aria-current="page">Runbooks</a>' in page
    assert '<h2 id="late-messages">Late messages</h2>' in page


def test_a_wrong_address_leads_a_person_back_and_tells_a_program(hitl: Hitl) -> None:
    person = hitl._http("GET", "/docs/guide/nothing", None, {"accept": "text/html,*/*;q=0.8"})
    assert (person.status, person.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert "There is no such page" in person.text
    assert 'href="/docs/guide"' in person.text
    program = hitl._http("GET", "/docs/guide/nothing", None, {"accept": "*/*"})
    assert (program.status, program.headers["Content-Type"]) == (404, "application/problem+json")


# --- rules


def test_the_first_pages_lists_are_the_order() -> None:
    text = "# Guide\n- [No](no.md)\n## Run it\nText\n- [Cost](cost.md): dollars\n- [Why](decisions/)\n## Empty\n"
    assert sections_of(text) == [
        Section("Run it", [Entry("Cost", "docs/cost.md"), Entry("Why", "docs/decisions/")]),
    ]


@pytest.mark.parametrize(
    ("page", "link", "target"),
    [
        ("docs/flows/durable.md", "../runbooks.md#errors", ("docs/runbooks.md", "errors")),
        ("docs/flows/durable.md", "#next", ("docs/flows/durable.md", "next")),
        ("docs/README.md", "../CHANGELOG.md", ("CHANGELOG.md", "")),
        ("docs/README.md", "decisions/", ("docs/decisions/", "")),
    ],
)
def test_a_link_leads_from_its_page(page: str, link: str, target: tuple[str, str]) -> None:
    assert target_of(page, link) == target


def test_names_and_anchors_and_lists() -> None:
    assert name_of("docs/flows/traps/README.md") == "flows.traps"
    assert name_of("docs/images/mail.png") == "images.mail.png"
    assert anchor_of("What stops you first?") == "what-stops-you-first"
    assert listing("Why", "docs/decisions/", [("docs/decisions/0001-x.md", "1. X")]) == "# Why\n\n- [1. X](0001-x.md)\n"
