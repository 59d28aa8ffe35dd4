"""The schemas of the description: of documents by their classes, and of problems by the errors that are raised."""

import ast
import inspect
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from itertools import pairwise
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from flow_hitl.contract.shapes import ABSENT, LEFT_OUT, NAMES, TIME, Channel
from flow_hitl.platform.errors import FlowHitlError, NothingToResume
from flow_hitl.requests.request import Status
from infra.openapi import examples

Json = dict[str, Any]

# Documents in which a field that is left out means something else than any value of it.
_NO_DEFAULTS = ("Tests",)
# Documents in which null is refused, although a field may be left out.
_NO_NULLS = ("WebhookPatch",)
# A field cannot be called `from`.
_NAMED = ConfigDict(alias_generator=lambda name: NAMES.get(name, name))
_CALLED = {
    "AuditEvent": "TimelineEvent",
    "DayVolume": "DayFigures",
    "DeploymentSettings": "Settings",
    "Group": "GroupSetting",
    "Reminder": "ReminderSetting",
}
# What can only go wrong on the dashboard, whose pages say it to people.
_OF_PAGES = (NothingToResume,)
_PROBLEM: Json = {
    "type": {"description": "Which error this is; programs decide by it.", "type": "string", "format": "uri"},
    "title": {"description": "The error in a few words.", "type": "string"},
    "status": {"description": "The HTTP status.", "type": "integer"},
    "detail": {"description": "What is wrong here, and what to do about it.", "type": "string"},
}
# What the members of problems may be, beyond their types.
_NARROWED: dict[str, Json] = {
    "responded_via": {"enum": list(Channel)},
    "responded_at": {"format": "date-time"},
    "request_status": {"enum": list(Status)},
}


def document_schemas(bodies: set[type], answers: set[type]) -> dict[str, Json]:
    """Return the schemas of what is taken and of what is answered or sent, by their public names."""
    wanted: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        *((document.__name__, "validation", TypeAdapter(list[document])) for document in _by_name(bodies)),  # type: ignore[valid-type]
        *(
            (document.__name__, "serialization", TypeAdapter(list[document], config=_NAMED))  # type: ignore[valid-type]
            for document in _by_name(answers)
        ),
    ]
    _, generated = TypeAdapter.json_schemas(
        wanted, ref_template="#/components/schemas/{model}", schema_generator=_Schemas
    )
    renamed = re.sub(
        r"(#/components/schemas/)(\w+)", lambda found: found[1] + public(found[2]), json.dumps(generated["$defs"])
    )
    schemas: dict[str, Json] = {public(name): schema for name, schema in json.loads(renamed).items()}
    for name, schema in schemas.items():
        schema["title"] = name
        for field, property_schema in schema.get("properties", {}).items():
            if property_schema.get("default", ...) is None or name in _NO_DEFAULTS:
                property_schema.pop("default", None)
            if name in _NO_NULLS:
                schema["properties"][field] = _not_null(property_schema)
    return schemas


def problem_schema(error: type[FlowHitlError]) -> Json:
    """Return the schema of an error's problem document."""
    texts, hints = _texts_of(error), get_type_hints(error)
    type_urn = f"urn:flow-hitl:problem:{error.slug}"
    properties = {
        **_PROBLEM,
        "type": {**_PROBLEM["type"], "const": type_urn},
        "status": {**_PROBLEM["status"], "const": error.status},
        **{
            name: {**_inline(hints[name]), **_NARROWED.get(name, {}), "description": texts[name]}
            for name in error.members
        },
    }
    example = {"type": type_urn, "title": error.title, "status": error.status, "detail": examples.DETAILS[error.slug]}
    return {
        "title": error.title,
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "examples": [{**example, **{name: examples.MEMBERS_OF_PROBLEMS[name] for name in error.members}}],
    }


def all_errors() -> list[type[FlowHitlError]]:
    """Return one class for each slug that the API has, the most general."""
    by_slug: dict[str, type[FlowHitlError]] = {}
    for error in _subclasses(FlowHitlError):
        if hasattr(error, "slug") and error not in _OF_PAGES:
            by_slug.setdefault(error.slug, error)
    return sorted(by_slug.values(), key=lambda error: (error.status, error.slug))


def schema_name(error: type[FlowHitlError]) -> str:
    """Return the name of an error's schema: `AlreadyRespondedProblem` for `already-responded`."""
    return "".join(word.capitalize() for word in error.slug.split("-")) + "Problem"


def public(name: str) -> str:
    """Return how the description calls a class: bodies' parts are private to the module that parses them."""
    return _CALLED.get(name, name.lstrip("_").removesuffix("Shown"))


class _Schemas(GenerateJsonSchema):
    """Shorter than pydantic has it: no titles that repeat a field's name, and `null` as one of a field's types."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - the base class names it so
        return False

    def nullable_schema(self, schema: Any) -> Json:
        inner = self.generate_inner(schema["schema"])
        if isinstance(inner.get("type"), str) and not inner.keys() & {"enum", "const"}:
            return {**inner, "type": [inner["type"], "null"]}
        return super().nullable_schema(schema)

    def field_is_required(self, field: Any, total: bool) -> bool:
        if field["type"] == "dataclass-field":
            return bool(field["schema"].get("default") is not ABSENT)
        return super().field_is_required(field, total)

    def default_schema(self, schema: Any) -> Json:
        # An answer has a value where its class has a default.
        return self.generate_inner(schema["schema"]) if self.mode == "serialization" else super().default_schema(schema)

    def dataclass_schema(self, schema: Any) -> Json:
        found = _explained(super().dataclass_schema(schema), schema["cls"])
        for field in fields(schema["cls"]):
            if field.metadata == LEFT_OUT:
                found["properties"][field.name] = _not_null(found["properties"][field.name])
                found["required"] = [name for name in found["required"] if name != field.name]
        return {name: value for name, value in found.items() if value or name != "required"}

    def model_schema(self, schema: Any) -> Json:
        return _explained(super().model_schema(schema), schema["cls"])

    def datetime_schema(self, schema: Any) -> Json:  # noqa: ARG002
        return dict(TIME)

    def date_schema(self, schema: Any) -> Json:  # noqa: ARG002
        return {"type": "string", "format": "date"}


def _not_null(schema: Json) -> Json:
    """Return a schema without its null."""
    if "anyOf" in schema:
        (other,) = (one for one in schema["anyOf"] if one != {"type": "null"})
        return {**other, **{name: value for name, value in schema.items() if name != "anyOf"}}
    (only,) = set(schema["type"]) - {"null"}
    return {**schema, "type": only}


def _explained(schema: Json, cls: type) -> Json:
    """Return the schema of a class with the descriptions of its fields."""
    texts = _texts_of(cls)
    for name, field in schema.get("properties", {}).items():
        if name in texts and "description" not in field:
            field["description"] = texts[name]
    return schema


def _texts_of(cls: type) -> dict[str, str]:
    """Return what is said of each field of a class: below it, in a parent, or in the answer that explains a body."""
    explained_by = getattr(cls, "explained_by", None)
    texts = _texts_of(explained_by) if explained_by else {}
    for parent in reversed(cls.__mro__):
        if parent.__module__ != "builtins":
            texts |= _texts_in(parent.__module__).get(parent.__name__, {})
    names = {**NAMES, **{name: field.alias for name, field in getattr(cls, "model_fields", {}).items() if field.alias}}
    return {names.get(name, name): text for name, text in texts.items()}


@cache
def _texts_in(module: str) -> dict[str, dict[str, str]]:
    """Return the text below each field of each class of a module."""
    classes = [one for one in ast.parse(inspect.getsource(sys.modules[module])).body if isinstance(one, ast.ClassDef)]
    return {one.name: dict(_texts_below(one.body)) for one in classes}


def _texts_below(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for field, below in pairwise(body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


def _inline(hint: Any) -> Json:
    """Return the schema of a type; of a list, with that of its entries inside."""
    schema = TypeAdapter(hint).json_schema(schema_generator=_Schemas)
    for definition in schema.pop("$defs", {}).values():
        schema["items"] = definition
    return schema


def _subclasses(parent: type[FlowHitlError]) -> Iterator[type[FlowHitlError]]:
    for child in parent.__subclasses__():
        yield child
    for child in parent.__subclasses__():
        yield from _subclasses(child)


def _by_name(documents: set[type]) -> list[type]:
    return sorted(documents, key=lambda document: document.__name__)
