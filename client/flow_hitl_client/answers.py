"""What was approved: the output as the reviewer left it, and their typed answer as a pydantic model.

pydantic is not needed unless a model is passed.
"""

from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

from flow_hitl_client.types import Request

# What a flat schema may say of a property, beside its type.
_OF_PROPERTY = ("title", "description", "default", "enum", "format", "maxLength", "minimum", "maximum")


class _Model(Protocol):
    @classmethod
    def model_json_schema(cls) -> dict[str, Any]: ...

    @classmethod
    def model_validate(cls, obj: Any) -> Any: ...


M = TypeVar("M", bound=_Model)


def approved_output(request: Request) -> Any:
    """Return the output that was answered: as the reviewer changed it, else as it was asked; for `editable` requests.

    Raises ValueError for a request without an answer.
    """
    response = request["response"]
    if response is None:
        raise ValueError(f"request {request['id']} is {request['status']} and has no answer")
    changed = response.get("output")
    return request["output"] if changed is None else changed


def typed_answer(request: Request, model: type[M]) -> M:
    """Return the typed answer as an instance of the model that the request was made with.

    Raises ValueError for a request without one (the clock answers with null if a required field has no default), and
    what `model_validate` raises.
    """
    data = request["response"] and request["response"].get("data")
    if data is None:
        raise ValueError(f"request {request['id']} is {request['status']} and has no typed answer")
    answer: M = model.model_validate(data)
    return answer


def schema_of(model: Any) -> dict[str, Any]:
    """Return the flat JSON Schema of a pydantic model, or the schema that was passed, unchanged.

    Fields may be str, int, float, bool, date, an enum or Literal of texts, EmailStr, AnyUrl, and each of these or None.
    Raises ValueError that names a field of any other type.
    """
    if isinstance(model, Mapping):
        return dict(model)
    whole: dict[str, Any] = model.model_json_schema()
    properties = {name: _flat(name, one, whole.get("$defs", {})) for name, one in whole.get("properties", {}).items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    required = [name for name in whole.get("required", ()) if name in properties]
    return {**schema, "required": required} if required else schema


def _flat(name: str, one: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**one}
    choices = [choice for choice in merged.pop("anyOf", ()) if choice.get("type") != "null"]
    if len(choices) == 1:
        merged = {**choices[0], **merged}
    for _ in range(5):
        reference = merged.pop("$ref", None)
        if reference is None:
            break
        shared = definitions[reference.rpartition("/")[2]]
        # The title of a shared definition names no field.
        merged = {**{key: value for key, value in shared.items() if key not in ("title", "description")}, **merged}
    if "const" in merged:
        merged["enum"] = [merged.pop("const")]
    kind = merged.get("type")
    unknown = set(merged) - {"type", *_OF_PROPERTY}
    if kind not in ("string", "number", "integer", "boolean") or len(choices) > 1 or unknown:
        what = f" ({', '.join(sorted(unknown))})" if unknown else ""
        raise ValueError(
            f"the field {name} cannot be asked for{what}: use a text, number, boolean, date, or choice of texts"
        )
    if merged.get("default", "") is None:
        # Left out, the field is None again.
        del merged["default"]
    return {"type": kind, **{key: merged[key] for key in _OF_PROPERTY if key in merged}}
