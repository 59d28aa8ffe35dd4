"""The client's documentation is true: the reference is current, every link leads somewhere."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / "docs/flows").rglob("*.md"),
    *(ROOT / "client").glob("*.md"),
    *(ROOT / "client/vectors").glob("*.md"),
    *(ROOT / "examples").rglob("*.md"),
]


def test_the_reference_is_what_the_docstrings_say() -> None:
    made = runpy.run_path(str(ROOT / "client/make_reference.py"))
    assert (ROOT / "docs/flows/reference.md").read_text() == made["reference"](), "run `make docs`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_overview_names_every_trap() -> None:
    traps = ROOT / "docs/flows/traps"
    named = set(re.findall(r"\]\(([a-z-]+\.md)\)", (traps / "README.md").read_text()))
    assert named == {page.name for page in traps.glob("*.md")} - {"README.md"}
