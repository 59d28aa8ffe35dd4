"""The documents lead somewhere: every relative link resolves, and every file that they name exists."""

import json
import re
import shutil
from functools import cache
from pathlib import Path
from unittest.mock import patch

import pytest

from tests.browser.pictures import MADE_FROM, PICTURES, SHOWN, TEMPLATES, made_from

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "layers" / "flow_hitl" / "python" / "flow_hitl"
# What a reader calls their own files.
THEIRS = {"my_flows.py"}
NO_DOCUMENTS = {"node_modules", "cdk.out", "artifacts"}
SOURCES = [ROOT / name for name in ("layers", "functions", "infra", "client", "docs", "examples", "templates", "tests")]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
SOURCE = re.compile(r"(?<![\w./:-])\.?[\w-]+(?:/[\w.-]+)*\.(?:py|md|html|css)(?![\w/])")


def documents() -> list[Path]:
    found = [
        path
        for path in ROOT.rglob("*.md")
        if not any(part in NO_DOCUMENTS or part.startswith(".") for part in path.relative_to(ROOT).parts)
    ]
    assert ROOT / "README.md" in found
    return sorted(found)


def files_named_in(text: str) -> set[str]:
    """Return what the code of a document names: paths of sources anywhere in it, and folders of the project."""
    fenced = "\n".join(FENCE.findall(text))
    codes = CODE.findall(FENCE.sub("", text))
    sources = {one for code in codes for one in SOURCE.findall(code)}
    folders = {code for code in codes if re.fullmatch(r"\.?[\w-]+(?:/[\w.-]+)*/", code)}
    return (sources | folders | {one for one in SOURCE.findall(fenced) if "/" in one}) - THEIRS


@cache
def names() -> set[str]:
    return {path.name for within in SOURCES for path in within.rglob("*")}


def exists(name: str, folder: Path) -> bool:
    """Tell whether there is such a file; a name without a folder may be that of any file of the project."""
    if "/" not in name:
        return name in names() or (ROOT / name).exists()
    return any((within / name).exists() for within in (ROOT, PACKAGE, folder))


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    links = [link for link in LINK.findall(FENCE.sub("", path.read_text("utf-8"))) if not re.match(r"\w+:", link)]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_exist(path: Path) -> None:
    missing = [name for name in files_named_in(path.read_text("utf-8")) if not exists(name, path.parent)]
    assert missing == []


@pytest.mark.parametrize("picture", SHOWN)
def test_a_picture_shows_the_pages_as_they_are(picture: str) -> None:
    assert json.loads(MADE_FROM.read_text("utf-8"))[picture] == made_from(picture), (
        f"docs/images/{picture}.png has aged: run `make browser`, then `.venv/bin/python -m tests.browser.pictures`, "
        "and look at the pictures"
    )


def test_each_picture_of_a_page_is_known_by_what_it_shows() -> None:
    assert {path.stem for path in PICTURES.glob("*.png")} == SHOWN.keys()


def test_a_picture_ages_by_what_its_page_includes(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATES, tmp_path / "templates")
    before = {picture: made_from(picture) for picture in SHOWN}
    with patch("tests.browser.pictures.TEMPLATES", tmp_path / "templates"):
        assert {picture: made_from(picture) for picture in SHOWN} == before
        with (tmp_path / "templates/email/parts.html").open("a") as file:
            file.write("more")
        assert [picture for picture in SHOWN if made_from(picture) != before[picture]] == ["mail"]
