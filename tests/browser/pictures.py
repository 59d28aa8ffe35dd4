"""The pictures in the documents are screenshots of the browser tests; beside them is what they were made from.

`make browser`, then `.venv/bin/python -m tests.browser.pictures`, makes them anew.
"""

import hashlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence

from jinja2 import Environment, meta

from infra.packaging import ROOT

# The CI keeps what is in artifacts/.
SCREENSHOTS = ROOT / "artifacts" / "screenshots"
PICTURES = ROOT / "docs" / "images"
MADE_FROM = PICTURES / "made-from.json"
TEMPLATES = ROOT / "templates"
_VIEW = "desk-light"
_STYLE = "pages/style.css"
SHOWN: Mapping[str, tuple[str, Sequence[str]]] = {
    "mail": ("mail", ("email/notify/body.html",)),
    "review": ("review", ("pages/request.html", _STYLE)),
    "requests": ("requests", ("pages/requests.html", _STYLE)),
    "rules": ("settings-rules", ("pages/settings_rules.html", _STYLE)),
    "analytics": ("analytics", ("pages/analytics.html", _STYLE)),
}
"""The screenshot of each picture, and the templates and styles that it shows; what these include counts, too."""


def made_from(picture: str) -> str:
    """Return the hash of all that a picture shows, as it is now."""
    digest, left, seen = hashlib.sha256(), [*SHOWN[picture][1]], set[str]()
    while left:
        name = left.pop()
        if name not in seen:
            seen.add(name)
            if name.endswith(".html"):
                parsed = Environment(autoescape=True).parse((TEMPLATES / name).read_text("utf-8"))
                left += [one for one in meta.find_referenced_templates(parsed) if one is not None]
    for name in sorted(seen):
        digest.update(f"{name}\n".encode() + (TEMPLATES / name).read_bytes())
    return digest.hexdigest()


def main() -> str | None:
    """Copy the screenshots, and write down what they were made from; return what is in the way."""
    newest = max(path.stat().st_mtime for path in TEMPLATES.rglob("*") if path.is_file())
    found = {picture: SCREENSHOTS / f"{name}-{_VIEW}.png" for picture, (name, _) in SHOWN.items()}
    old = [path.name for path in found.values() if not path.exists() or path.stat().st_mtime < newest]
    if old:
        return f"Run `make browser` first: missing or older than the templates are {', '.join(old)}."
    for picture, path in found.items():
        shutil.copyfile(path, PICTURES / f"{picture}.png")
    MADE_FROM.write_text(f"{json.dumps({picture: made_from(picture) for picture in SHOWN}, indent=2)}\n", "utf-8")
    return None


if __name__ == "__main__":
    sys.exit(main())
