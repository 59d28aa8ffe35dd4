"""The guide at the service: the repository's own Markdown files as pages, read when one is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from flow_hitl.pages.guide.contents import (
    DESCRIPTION,
    FIRST_PAGE,
    IMAGE_TYPES,
    Section,
    anchor_of,
    is_elsewhere,
    listing,
    name_of,
    sections_of,
    target_of,
    title_of,
)
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.records import dataclass
from flow_hitl.rendering.code import highlighted

_ADDRESS = "/docs/guide"
_API = "/docs"


@dataclass(frozen=True)
class GuideLink:
    """A page beside the one that is shown, or that one itself."""

    title: str
    address: str
    is_current: bool


@dataclass(frozen=True)
class GuidePage:
    """A page, and those of its section; `section` is "" on the first page and on pages that no list names."""

    template: ClassVar[str] = "pages/guide.html"
    title: str
    content: Markup
    section: str = ""
    beside: Sequence[GuideLink] = ()


class Guide:
    """Shows the Markdown files and images of `docs/` in a folder, and nothing else that is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def page(self, name: str = "") -> GuidePage:
        """Return a page by its name, "" for the first; raises NotFound."""
        path = self._paths.get(name) if name else FIRST_PAGE
        if path is None or Path(path).suffix in IMAGE_TYPES:
            raise NotFound("There is no such page in the guide.")
        text = self._text(path)
        section = next((one for one in self._sections if any(each.path == path for each in one.entries)), None)
        return GuidePage(
            title_of(text),
            self._rendered(path, text),
            section.title if section else "",
            tuple(self._links(section, path)) if section else (),
        )

    def missing(self) -> GuidePage:
        """Return what people see in place of a page that there is not."""
        title = "There is no such page"
        lead = (
            f'<p>It may have been moved. <a href="{_ADDRESS}">The first page of the guide</a> leads to all others.</p>'
        )
        return GuidePage(title, Markup(f"<h1>{title}</h1>\n{lead}"))  # noqa: S704 - our own text

    def image(self, name: str) -> tuple[str, bytes] | None:
        """Return the type and content of an image, None for another name."""
        path = self._paths.get(name, "")
        media_type = IMAGE_TYPES.get(Path(path).suffix)
        return (media_type, (self._folder / path).read_bytes()) if media_type else None

    @cached_property
    def _paths(self) -> Mapping[str, str]:
        files = sorted((self._folder / "docs").rglob("*"))
        shown = [file.relative_to(self._folder) for file in files if file.suffix in (".md", *IMAGE_TYPES)]
        folders = [one.path for each in self._sections for one in each.entries if one.path.endswith("/")]
        paths = [*folders, *(str(path) for path in shown)]
        return {name_of(path): path for path in paths if path != FIRST_PAGE}

    @cached_property
    def _sections(self) -> Sequence[Section]:
        return sections_of(self._text(FIRST_PAGE))

    def _text(self, path: str) -> str:
        if not path.endswith("/"):
            return (self._folder / path).read_text("utf-8")
        title = next((one.title for each in self._sections for one in each.entries if one.path == path), path)
        pages = [one for one in self._paths.values() if one.startswith(path) and one.endswith(".md")]
        return listing(title, path, [(one, title_of(self._text(one))) for one in pages])

    def _links(self, section: Section, path: str) -> Iterator[GuideLink]:
        for one in section.entries:
            if address := self._address_of(one.path):
                yield GuideLink(one.title, address, one.path == path)

    def _address_of(self, path: str) -> str | None:
        """Return where the service shows a file or folder of the repository, None if nowhere."""
        if path == DESCRIPTION:
            return _API
        if path == FIRST_PAGE:
            return _ADDRESS
        return f"{_ADDRESS}/{name_of(path)}" if name_of(path) in self._paths else None

    def _rendered(self, path: str, text: str) -> Markup:
        parser = MarkdownIt("commonmark", {"html": False}).enable(["table"])
        tokens = parser.parse(text)
        for at, token in enumerate(tokens):
            if token.type == "heading_open":
                written = "".join(child.content for child in tokens[at + 1].children or ())
                token.attrSet("id", anchor_of(written))
            elif token.type == "fence":
                code = highlighted(token.content, token.info)
                shown = escape(token.content) if code is None else code
                token.type, token.content = "html_block", f"<pre><code>{shown}</code></pre>\n"
            elif token.type in ("th_open", "td_open"):
                # The page's content security policy forbids style attributes.
                align = str(token.attrs.pop("style", "")).removeprefix("text-align:")
                token.attrs.update({"align": align} if align else {})
            elif token.children:
                token.children = list(self._with_addresses(path, token.children))
        return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 - our own files

    def _with_addresses(self, page: str, tokens: Sequence[Token]) -> Iterator[Token]:
        """Lead each link to where the service shows its target; what it does not show becomes text."""
        leads_on = True
        for token in tokens:
            if token.type == "link_open":
                address = self._lead(page, str(token.attrs["href"]))
                leads_on = address is not None
                token.attrs["href"] = address or ""
            elif token.type == "image":
                token.attrs["src"] = self._lead(page, str(token.attrs["src"])) or ""
            if leads_on or token.type not in ("link_open", "link_close"):
                yield token

    def _lead(self, page: str, link: str) -> str | None:
        if is_elsewhere(link):
            return link
        path, anchor = target_of(page, link)
        address = self._address_of(path)
        return f"{address}#{anchor}" if address and anchor else address
