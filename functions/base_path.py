"""A custom domain that maps only a path to this API, such as `https://api.example.com/hitl`.

API Gateway leaves that path in what it hands on, and browsers need it in every link of a page. All other code knows
nothing of it: it is cut off an event, and set before the links of an answer, here.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

Resolve = Callable[[dict[str, Any], Any], dict[str, Any]]

# A text in a page has no plain quotation mark, so these are attributes. `//` begins another host.
_LINK = re.compile(r"""\b(href|action|src|data-news)="/(?!/)""")


def below(base_path: str, resolve: Resolve, event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Return the answer of `resolve` to an event whose path begins with `base_path`, such as `/hitl`."""
    path = str(event["rawPath"])
    if path != base_path and not path.startswith(f"{base_path}/"):
        return resolve(event, context)
    answer = resolve(event | {"rawPath": path.removeprefix(base_path) or "/"}, context)
    headers: Mapping[str, str] = answer.get("headers") or {}
    location = headers.get("Location", "")
    if location.startswith("/"):
        answer["headers"] = {**headers, "Location": base_path + location}
    if headers.get("Content-Type", "").startswith("text/html") and not answer.get("isBase64Encoded"):
        answer["body"] = _LINK.sub(rf'\1="{base_path}/', answer["body"])
    return answer
