"""What MkDocs does not know: the order of the pages, links out of `docs/`, and pages made from other files."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from flow_hitl.pages.guide.contents import (
    DESCRIPTION,
    FIRST_PAGE,
    Entry,
    anchor_of,
    is_elsewhere,
    listing,
    sections_of,
    target_of,
    title_of,
)
from infra.site.api_reference import api_reference

ROOT = Path(__file__).parents[2]
API_PAGE = "api.md"
_LINK = re.compile(r"(?<!!)\[((?:`[^`]*`|[^\]`])*)\]\(([^)\s]+)\)")
# CommonMark lets a list or a table follow at once, and an inner list begin at the outer's text; MkDocs does not.
_LIST = re.compile(r"^(?!- |\s|\d+\. )(.+\n)(?=(?:-|\d+\.) )", re.MULTILINE)
_TABLE = re.compile(r"^(?!\|)(.+\n)(?=\|)", re.MULTILINE)
_INNER_LIST = re.compile(r"^  (?=- )", re.MULTILINE)
_FROM_ELSEWHERE = re.compile(r'<(?:script|img|iframe)\b[^>]*\bsrc="https?:[^>]*>|<link\b[^>]*\bhref="https?:[^>]*>')
_COUNTED = ("h1", "h2", "h3", "img", "li", "ol", "pre", "table", "tr", "ul")
_FENCE = re.compile(r"^ *```.*?^ *```$", re.DOTALL | re.MULTILINE)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the order of the first page, and the anchors of GitHub."""
    config.mdx_configs["toc"]["slugify"] = lambda text, _separator: anchor_of(text)
    sections = sections_of((ROOT / FIRST_PAGE).read_text("utf-8"))
    config.nav = [
        {"Home": "README.md"},
        *({section.title: [_in_order(entry) for entry in section.entries]} for section in sections),
    ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is not in `docs/`: pages that the first one links to, the API's reference, and lists of folders."""
    entries = [entry for section in sections_of((ROOT / FIRST_PAGE).read_text("utf-8")) for entry in section.entries]
    for entry in entries:
        if entry.path.endswith("/"):
            pages = [(str(path.relative_to(ROOT)), title_of(path.read_text("utf-8"))) for path in _pages_of(entry)]
            text = listing(entry.title, entry.path, pages)
            files.append(File.generated(config, _place(entry.path), content=text))
        elif entry.path == DESCRIPTION:
            text = api_reference(json.loads((ROOT / DESCRIPTION).read_text("utf-8")))
            files.append(File.generated(config, API_PAGE, content=text))
        elif not entry.path.startswith("docs/"):
            files.append(File.generated(config, _place(entry.path), abs_src_path=str(ROOT / entry.path)))
    return files


def on_page_markdown(markdown: str, page: Page, files: Files, **_: object) -> str:
    """Lead links to where the site has their target; one to a file of the repository alone becomes its text."""
    source = _source(page.file.src_uri)

    def lead(found: re.Match[str]) -> str:
        text, link = found.groups()
        if is_elsewhere(link):
            return found[0]
        path, anchor = target_of(source, link)
        place = _place(path)
        if files.get_file_from_path(place) is None:
            return text
        up = "../" * page.file.src_uri.count("/")
        return f"[{text}]({up}{place}{'#' if anchor else ''}{anchor})"

    parts, end = [], 0
    for fence in _FENCE.finditer(markdown):
        parts += [_as_written_for_mkdocs(markdown[end : fence.start()], lead), fence[0], "\n"]
        end = fence.end()
    return "".join([*parts, _as_written_for_mkdocs(markdown[end:], lead)])


def on_page_content(html: str, page: Page, **_: object) -> str:
    """Fail if the site shows other headings, lists, tables, or code than the service, which reads CommonMark."""
    common = MarkdownIt("commonmark").enable("table").render(page.markdown or "")
    told = {tag: (_count(tag, common), _count(tag, html)) for tag in _COUNTED}
    if wrong := {tag: counts for tag, counts in told.items() if len(set(counts)) > 1}:
        raise PluginError(f"{page.file.src_uri}: CommonMark and MkDocs read this differently: {wrong}")
    return html


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Fail if the page would load something from elsewhere."""
    if found := _FROM_ELSEWHERE.search(output):
        raise PluginError(f"{page.file.src_uri} would load {found[0]}")
    return output


def _as_written_for_mkdocs(text: str, lead: Callable[[re.Match[str]], str]) -> str:
    text = _LINK.sub(lead, text)
    return _INNER_LIST.sub("    ", _TABLE.sub(r"\1\n", _LIST.sub(r"\1\n", text)))


def _count(tag: str, html: str) -> int:
    return len(re.findall(rf"<{tag}[ />]", html))


def _in_order(entry: Entry) -> dict[str, Any]:
    if entry.path.endswith("/"):
        return {entry.title: [_place(entry.path), *(_place(str(one.relative_to(ROOT))) for one in _pages_of(entry))]}
    return {entry.title: _place(entry.path)}


def _pages_of(folder: Entry) -> list[Path]:
    return sorted((ROOT / folder.path).glob("*.md"))


def _place(path: str) -> str:
    """Return the path within the site of a page's source."""
    if path == DESCRIPTION:
        return API_PAGE
    within = path.removeprefix("docs/")
    return f"{within}index.md" if path.endswith("/") else within


def _source(place: str) -> str:
    """Return the path in the repository of a page of the site."""
    if (ROOT / "docs" / place).exists():
        return f"docs/{place}"
    return place if (ROOT / place).exists() else f"docs/{place}"
