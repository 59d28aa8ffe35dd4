"""JSON documents from outside: strict types that several of them share, and errors that name the field."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from flow_hitl.platform.address import GROUP_PREFIX, is_mail_address
from flow_hitl.platform.errors import FieldError, MalformedJson, ValidationFailed
from flow_hitl.platform.text import split_answer
from flow_hitl.platform.times import YEAR_OF_MINUTES, parse_rfc3339

LONGEST_NAME = 256
# A body that is wrong all over needs no more to be put right.
_MAX_FIELD_ERRORS = 20
# By pydantic's names of what is wrong, with its limits; each completes "This …".
_PLAIN_MESSAGES = {
    "bool_type": "must be true or false",
    "enum": "must be one of: {expected}",
    "extra_forbidden": "is not a known field",
    "float_type": "must be a number",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "int_type": "must be a whole number",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "literal_error": "must be one of: {expected}",
    "missing": "is missing",
    "model_type": "must be a JSON object",
    "string_too_long": "must be at most {max_length} characters long",
    "string_too_short": "must not be empty",
    "string_type": "must be a text",
    "too_long": "must have at most {max_length} entries",
    "too_short": "must have at least one entry",
}

_Model = TypeVar("_Model", bound=BaseModel)


def _mail_address(value: str) -> str:
    if not is_mail_address(value):
        raise ValueError("must be one plain email address, for example alice@example.com")
    return value


def _assignee(value: str) -> str:
    name = value.removeprefix(GROUP_PREFIX)
    if name != value and split_answer(name)[0]:
        return value
    if not is_mail_address(value):
        raise ValueError("must be one plain email address, for example alice@example.com, or group:<name>")
    return value


def _not_blank(value: str) -> str:
    if not split_answer(value)[0]:
        raise ValueError("must not be blank")
    return value


def is_format(name: str) -> Any:
    """Return what tells readers of the API's description the format of a text; a validator has to enforce it."""
    return Field(json_schema_extra={"format": name})


def moment_text(text: str) -> str:
    """Return a text that is a moment in RFC 3339; raises ValueError that says what one looks like."""
    try:
        parse_rfc3339(text)
    except ValueError:
        raise ValueError("must be a time such as 2027-01-31T12:00:00Z") from None
    return text


NotBlank = AfterValidator(_not_blank)
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), NotBlank]
MailAddress = Annotated[str, AfterValidator(_mail_address), is_format("email")]
Assignee = Annotated[
    str,
    Field(max_length=LONGEST_NAME, json_schema_extra={"anyOf": [{"format": "email"}, {"pattern": f"^{GROUP_PREFIX}"}]}),
    AfterValidator(_assignee),
]
Minutes = Annotated[int, Field(ge=1, le=YEAR_OF_MINUTES)]


class Document(BaseModel):
    """A JSON object: no conversions, no unknown fields.

    The text below a field is its description; `explained_by` is the answer that has those of the other fields.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)
    explained_by: ClassVar[type | None] = None


def parse_document(model: type[_Model], text: str | bytes) -> _Model:
    """Return the document that a JSON text holds; raises MalformedJson, or ValidationFailed naming each wrong field."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise MalformedJson(f"This is no JSON in UTF-8: {found[0]['msg']}.") from None
        refuse(FieldError(pointer(one["loc"]), _message(one["type"], one["msg"], one.get("ctx", {}))) for one in found)
        raise


def refuse(errors: Iterable[FieldError]) -> None:
    """Raise ValidationFailed with the first of these errors, if there are any."""
    found = list(errors)[:_MAX_FIELD_ERRORS]
    if found:
        raise ValidationFailed(found)


def _message(kind: str, message: str, limits: Mapping[str, object]) -> str:
    plain = _PLAIN_MESSAGES.get(kind)
    if plain is None:
        return message.removeprefix("Value error, ")
    whole = {name: int(value) for name, value in limits.items() if isinstance(value, float) and value.is_integer()}
    return plain.format(**{**limits, **whole})


def pointer(location: tuple[int | str, ...]) -> str:
    """Return the JSON pointer (RFC 6901) of a place in a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
