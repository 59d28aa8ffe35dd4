"""The guide's order, names, and links. The service and `make site` both show `docs/` by these rules.

A page, an image, or a folder has its path in the repository, such as `docs/runbooks.md`. `docs/README.md` is the first
page, and its lists are the order of the others. A link to a folder stands for all pages in it.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FIRST_PAGE = "docs/README.md"
DESCRIPTION = "docs/openapi.json"
IMAGE_TYPES = {".png": "image/png", ".svg": "image/svg+xml"}

_FOLDER = "docs/"
_HEADING = re.compile(r"## (.+)")
_ENTRY = re.compile(r"- \[([^\]]+)\]\(([^)#\s]+)\)")
_TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
_NO_PART_OF_AN_ANCHOR = re.compile(r"[^\w\- ]")
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """A page, or a folder (its path then ends in `/`), by the title that the first page gives it."""

    title: str
    path: str


@dataclass(frozen=True)
class Section:
    """Pages that belong together."""

    title: str
    entries: Sequence[Entry]


def sections_of(first_page: str) -> Sequence[Section]:
    """Return the guide's sections by the text of its first page: each heading with a list of links below it."""
    found: list[tuple[str, list[Entry]]] = []
    for line in first_page.splitlines():
        if heading := _HEADING.fullmatch(line):
            found.append((heading[1], []))
        elif found and (entry := _ENTRY.match(line)):
            path, _ = target_of(FIRST_PAGE, entry[2])
            found[-1][1].append(Entry(entry[1], path))
    return [Section(title, entries) for title, entries in found if entries]


def is_elsewhere(link: str) -> bool:
    """Tell whether a link has a scheme, and so leads out of the repository."""
    return _ADDRESS.match(link) is not None


def target_of(page: str, link: str) -> tuple[str, str]:
    """Return the path and the anchor, or "", to which a relative link on a page leads; a folder's path ends in `/`."""
    path, _, anchor = link.partition("#")
    if not path:
        return page, anchor
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(page), path))
    return (f"{joined}/" if path.endswith("/") else joined), anchor


def name_of(path: str) -> str:
    """Return a page's, image's, or folder's name at the service: `docs/flows/durable.md` is `flows.durable`."""
    within = path.removeprefix(_FOLDER).removesuffix("/").removesuffix(".md").removesuffix("/README")
    return within.replace("/", ".")


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return _NO_PART_OF_AN_ANCHOR.sub("", heading.lower()).replace(" ", "-")


def title_of(page: str) -> str:
    """Return the text of a page's first heading."""
    found = _TITLE.search(page)
    return found[1] if found else ""


def listing(title: str, folder: str, pages: Iterable[tuple[str, str]]) -> str:
    """Return the page of a folder: a list of the path and title of each page in it."""
    lines = (f"- [{named}]({path.removeprefix(folder)})" for path, named in pages)
    return "\n".join([f"# {title}", "", *lines, ""])
