"""The pages' style sheet, script, and icon, each served under a name with its content's digest."""

import hashlib
from functools import cache
from pathlib import Path

from flow_hitl.platform.code_folder import code_folder
from flow_hitl.platform.records import dataclass

_CONTENT_TYPES = {
    "style.css": "text/css; charset=utf-8",
    "app.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Asset:
    url: str
    content_type: str
    text: str


def asset_url(name: str) -> str:
    """Return the path of a file: `/assets/<stem>-<digest>.<suffix>`; raises KeyError."""
    return _assets()[name].url


def find_asset(file_name: str) -> Asset | None:
    """Return the file with a name, None for unknown names and those of older versions."""
    return next((asset for asset in _assets().values() if asset.url == f"/assets/{file_name}"), None)


def templates_folder() -> Path:
    return code_folder() / "templates"


def compiled_templates_folder() -> Path:
    """Return where Lambda's code has the templates as Python modules; elsewhere there is no such folder."""
    return code_folder() / "compiled_templates"


@cache
def _assets() -> dict[str, Asset]:
    return {name: _read(name, content_type) for name, content_type in _CONTENT_TYPES.items()}


def _read(name: str, content_type: str) -> Asset:
    text = (templates_folder() / "pages" / name).read_text("utf-8")
    stem, _, suffix = name.partition(".")
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Asset(f"/assets/{stem}-{digest}.{suffix}", content_type, text)
