"""The API's description as one page of Markdown."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

_METHODS = ("get", "head", "post", "put", "patch", "delete")


def api_reference(document: Mapping[str, Any]) -> str:
    """Return the reference of an OpenAPI 3.1 document: each call by tag, then each shape."""
    return "\n".join(_lines(document)) + "\n"


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield "# API reference"
    yield from ("", document["info"].get("description", ""))
    yield from ("", "The service has the same as a page on which you can try each call, at `/docs`.")
    tags = [tag["name"] for tag in document.get("tags", ())]
    calls = [
        (path, method, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    tags += [tag for _, _, call in calls for tag in call.get("tags", ()) if tag not in tags]
    for tag in dict.fromkeys(tags):
        yield from ("", f"## {tag}")
        for path, method, call in calls:
            if tag in call.get("tags", ()):
                yield from _call(path, method, call)
    yield from ("", "## Shapes")
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield from _shape(name, schema)


def _call(path: str, method: str, call: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### {method.upper()} {path}", "", f"{call['summary']}.")
    if call.get("description"):
        yield from ("", call["description"])
    if call.get("parameters"):
        yield from ("", "| parameter | in | type | |", "|---|---|---|---|")
        for one in call["parameters"]:
            yield f"| `{one['name']}` | {one['in']} | {_type(one['schema'])} | {_cell(one.get('description', ''))} |"
    for media_type, body in call.get("requestBody", {}).get("content", {}).items():
        yield from ("", f"Body (`{media_type}`): {_type(body['schema'])}")
        if "example" in body:
            yield from ("", "```json", json.dumps(body["example"], indent=1, ensure_ascii=False), "```")
    yield from ("", "| status | answer | |", "|---|---|---|")
    for status, answer in call["responses"].items():
        types = ", ".join(
            _type(content["schema"]) for content in answer.get("content", {}).values() if "schema" in content
        )
        yield f"| {status} | {types} | {_cell(answer.get('description', ''))} |"


def _shape(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    yield from ("", f"### {name}", "", _cell(schema.get("description", "")))
    if "properties" not in schema:
        yield from ("", f"Type: {_type(schema)}")
        return
    needed = schema.get("required", ())
    yield from ("", "| field | type | |", "|---|---|---|")
    for field, one in schema["properties"].items():
        note = _cell(one.get("description", ""))
        yield f"| `{field}`{'' if field in needed else ' (optional)'} | {_type(one)} | {note} |"


def _type(schema: Mapping[str, Any] | bool) -> str:
    if isinstance(schema, bool):
        return "any JSON"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[key])))
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    kind = schema.get("type", "any JSON")
    if isinstance(kind, list):
        return " or ".join(kind)
    return f"list of {_type(schema.get('items', {}))}" if kind == "array" else str(kind)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
