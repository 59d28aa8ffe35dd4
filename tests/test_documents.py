"""The documents lead somewhere: every relative link resolves, and every file that they name exists."""

import re
from functools import cache
from pathlib import Path

import pytest

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
