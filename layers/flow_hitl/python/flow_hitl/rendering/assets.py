"""Style sheet, script and icon of the pages: each is served under the name of its content, and never changes there."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flow_hitl.platform.code_folder import code_folder

_CONTENT_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    """A file of ours, as browsers get it."""

    url: str
    content_type: str
    text: str


def asset_url(name: str) -> str:
    """Return the path at which a file is served: `/assets/<stem>-<digest>.<suffix>`; raises KeyError for no file."""
    return _assets()[name].url


def find_asset(file_name: str) -> Asset | None:
    """Return the file that is served under a name, None for a name that is none, or is one of an older version."""
    return next((asset for asset in _assets().values() if asset.url == f"/assets/{file_name}"), None)


def templates_folder() -> Path:
    """Return the folder of templates and assets."""
    return code_folder() / "templates"


@cache
def _assets() -> dict[str, Asset]:
    return {name: _read(name, content_type) for name, content_type in _CONTENT_TYPES.items()}


def _read(name: str, content_type: str) -> Asset:
    text = (templates_folder() / "pages" / name).read_text("utf-8")
    stem, _, suffix = name.partition(".")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Asset(f"/assets/{stem}-{digest}.{suffix}", content_type, text)
