"""Typed answers: the flat JSON Schema that a request may ask with, and the values that people and programs give."""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from flow_hitl.contract.validation import pointer
from flow_hitl.platform.address import is_mail_address
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.records import dataclass
from flow_hitl.platform.text import is_invisible
from flow_hitl.requests.deciding.matching import match_outcome, options_like

MOST_FIELDS = 30
MOST_DATA_CHARS = 20_000
_LONGEST_TEXT = 5_000
_LONGEST_NAME, _LONGEST_DESCRIPTION = 64, 500
_SHORT_TEXT = 200

_OF_SCHEMA = ("type", "title", "description", "properties", "required")
_OF_ALL = ("type", "title", "description", "default")
_OF_TYPE = {
    "string": ("enum", "format", "maxLength"),
    "number": ("minimum", "maximum"),
    "integer": ("minimum", "maximum"),
    "boolean": (),
}
_FORMATS = ("date", "email", "uri")
_YES = frozenset({"true", "yes", "y", "on", "1", "ja", "oui", "si", "sí"})
_NO = frozenset({"false", "no", "n", "off", "0", "nein", "non"})
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_NUMBER = re.compile(r"[+-]?(?:\d{1,18}(?:\.\d{1,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,3})?")
_BULLET = re.compile(r"^(?:[-*•·–]\s+)?")
# A text whose line a mail client has wrapped goes on in the next.
_WRAPPED = 66

_Problem = str | None


@dataclass(frozen=True)
class AnswerField:
    """One field of a typed answer; `default` is None without one, `choices` the values of an `enum`."""

    name: str
    kind: str
    title: str
    description: str
    required: bool
    default: Any = None
    choices: tuple[str, ...] = ()
    format: str | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None

    @property
    def is_free(self) -> bool:
        """Tell whether it takes any text."""
        return self.kind == "string" and not self.choices and self.format is None

    @property
    def is_long(self) -> bool:
        """Tell whether it is a text that may have several lines."""
        return self.is_free and (self.max_length is None or self.max_length > _SHORT_TEXT)

    @property
    def default_text(self) -> str:
        """The default as a person writes it, "" without one."""
        return in_words(self.default)

    @property
    def hint(self) -> str:
        """What a person may write, as a phrase."""
        return "; ".join((*([self.description.strip().rstrip(".")] if self.description.strip() else []), self.accepts))

    @property
    def accepts(self) -> str:
        """The values it takes, as a phrase."""
        if self.choices:
            return f"one of: {', '.join(self.choices)}"
        if self.kind == "boolean":
            return "yes or no"
        if self.kind == "string":
            words = {"date": "a date such as 2027-01-31", "email": "an email address", "uri": "a link"}
            limit = f", at most {self.max_length:,} characters" if self.max_length is not None else ""
            return f"{words.get(self.format or '', 'text')}{limit}"
        what = "a whole number" if self.kind == "integer" else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{what} from {_plain(self.minimum)} to {_plain(self.maximum)}"
        if self.minimum is not None:
            return f"{what}, at least {_plain(self.minimum)}"
        return f"{what}, at most {_plain(self.maximum)}" if self.maximum is not None else what


@dataclass(frozen=True)
class ReadData:
    """What was read: the valid values with the defaults, what is wrong by name, and the text that is no field."""

    values: Mapping[str, Any]
    problems: Mapping[str, str]
    rest: str = ""


def fields_of(schema: Mapping[str, Any]) -> Sequence[AnswerField]:
    """Return the fields of a schema that has no problems, in its order."""
    required = frozenset(schema.get("required", ()))
    return tuple(_field(name, one, name in required) for name, one in schema["properties"].items())


def schema_problems(schema: Any, at: str = "/response_schema") -> Iterator[FieldError]:
    """Yield what makes this no flat schema, each with its place."""

    def problem(message: str, *path: int | str) -> FieldError:
        return FieldError(at + pointer(path), message)

    for name in schema.keys() - set(_OF_SCHEMA):
        yield problem("is not allowed in a flat schema", name)
    if schema.get("type") != "object":
        yield problem('must be "object"', "type")
    for name in ("title", "description"):
        if name in schema and not isinstance(schema[name], str):
            yield problem("must be a text", name)
    properties, required = schema.get("properties"), schema.get("required", [])
    if not isinstance(properties, dict) or not 1 <= len(properties) <= MOST_FIELDS:
        yield problem(f"must be an object of 1 to {MOST_FIELDS} fields", "properties")
        return
    for name, like in zip(properties, options_like(tuple(properties)), strict=True):
        if not _is_name(name):
            yield problem(
                f'must have a name of one line, without ":", of at most {_LONGEST_NAME} characters', "properties", name
            )
        elif like is not None:
            yield problem(f'must differ from "{like}" in more than case, spaces, "_" and "-"', "properties", name)
        for path, message in _property_problems(properties[name]):
            yield problem(message, "properties", name, *path)
    if not isinstance(required, list):
        yield problem("must be a list of names", "required")
        return
    for number, name in enumerate(required):
        if not isinstance(name, str) or name not in properties:
            yield problem("must be the name of a property", "required", number)
        elif name in required[:number]:
            yield problem("is named twice", "required", number)


def read_values(fields: Sequence[AnswerField], data: Any) -> ReadData:
    """Read the JSON that a program gives."""
    if not isinstance(data, dict):
        return ReadData({}, {"": "must be a JSON object"})
    known = {field.name for field in fields}
    problems = {name: "is not a field of the response_schema" for name in data if name not in known}
    return _read(fields, data, lambda field, value: (value, _value_problem(field, value)), problems)


def read_texts(fields: Sequence[AnswerField], texts: Mapping[str, str]) -> ReadData:
    """Read what a person wrote into a form; a default whose text was erased is an empty text, if it may be."""
    erasable = {field.name for field in fields if field.default and field.is_free and not field.required}
    said = {name: text for name, text in texts.items() if text.strip() or name in erasable}
    return _read(fields, said, _read_text, {})


def read_lines(fields: Sequence[AnswerField], text: str, first_line: str = "") -> ReadData:
    """Read the lines `name: value` of an email; all other lines are the rest.

    A field may also be named by its title, and stand in the first line.
    """
    said: dict[str, str] = {}
    twice: dict[str, str] = {}
    rest: list[str] = []
    lines = [first_line, *text.splitlines()]
    named = [_named(fields, line) for line in lines]
    at = 0
    while at < len(lines):
        line, found = lines[at], named[at]
        at += 1
        if found is None:
            rest += [line] if at > 1 else []
            continue
        field, value = found
        while field.is_long and len(line) >= _WRAPPED and at < len(lines) and not named[at] and lines[at].strip():
            line = lines[at]
            value = f"{value} {line.strip()}"
            at += 1
        if field.name in said and said[field.name] != value:
            twice[field.name] = "is given twice with different values"
        said[field.name] = value
    read = _read(fields, {name: value for name, value in said.items() if value.strip()}, _read_text, twice)
    return ReadData(read.values, read.problems, "\n".join(rest).strip())


def default_values(fields: Sequence[AnswerField]) -> Mapping[str, Any] | None:
    """Return the answer that no one gave: the defaults, or None if a required field has none."""
    read = _read(fields, {}, _read_text, {})
    return None if read.problems else read.values


def problems_at(problems: Mapping[str, str], at: str) -> Sequence[FieldError]:
    """Return problems by name as errors of a JSON document."""
    return [FieldError(at + (pointer((name,)) if name else ""), message) for name, message in problems.items()]


def in_words(value: Any) -> str:
    """Return a value as a person writes it, "" for None."""
    if value is None:
        return ""
    return ("yes" if value else "no") if isinstance(value, bool) else _plain(value)


def _read(
    fields: Sequence[AnswerField],
    given: Mapping[str, Any],
    read: Callable[[AnswerField, Any], tuple[Any, _Problem]],
    problems: Mapping[str, str],
) -> ReadData:
    values: dict[str, Any] = {}
    wrong = dict(problems)
    for field in fields:
        if field.name in given:
            value, problem = read(field, given[field.name])
            if problem is not None:
                wrong.setdefault(field.name, problem)
            else:
                values[field.name] = value
        elif field.default is not None:
            values[field.name] = field.default
        elif field.required:
            wrong.setdefault(field.name, f"is missing: {field.accepts}")
    if not wrong and len(canonical_json(values)) > MOST_DATA_CHARS:
        wrong[""] = f"must not be longer than {MOST_DATA_CHARS:,} characters together"
    return ReadData(values, wrong)


def _read_text(field: AnswerField, text: str) -> tuple[Any, _Problem]:
    said = text.replace("\r\n", "\n").strip()
    must_be = f"must be {field.accepts}"
    if field.choices:
        named = said if said in field.choices else match_outcome(said, field.choices)
        return (named, None) if named is not None else (None, must_be)
    if field.kind == "boolean":
        word = said.casefold().strip(" .!")
        return (word in _YES, None) if word in _YES | _NO else (None, must_be)
    if field.kind == "string":
        if field.format in ("email", "uri"):
            # Mail clients write a link of it.
            said = said.strip("<>")
        return said, _value_problem(field, said)
    digits = said.replace(" ", "").replace("\u202f", "").replace("−", "-")
    if not (_INTEGER if field.kind == "integer" else _NUMBER).fullmatch(digits):
        return None, must_be
    value = int(digits) if _INTEGER.fullmatch(digits) else float(digits)
    return value, _value_problem(field, value)


def _value_problem(field: AnswerField, value: Any) -> _Problem:
    if field.kind == "boolean":
        return None if isinstance(value, bool) else "must be true or false"
    if field.kind == "string":
        return _text_problem(field, value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value)
    if not is_number or (field.kind == "integer" and value != int(value)):
        return f"must be {field.accepts}"
    too_small = field.minimum is not None and value < field.minimum
    too_large = field.maximum is not None and value > field.maximum
    return f"must be {field.accepts}" if too_small or too_large else None


def _text_problem(field: AnswerField, value: Any) -> _Problem:
    if not isinstance(value, str):
        return "must be a text"
    if field.required and not value.strip():
        return "must not be blank"
    most = _LONGEST_TEXT if field.max_length is None else field.max_length
    if len(value) > most:
        return f"must be at most {most:,} characters long"
    must_be = f"must be {field.accepts}"
    if field.choices:
        return None if value in field.choices else must_be
    match field.format:
        case "date":
            return None if _is_date(value) else must_be
        case "email":
            return None if is_mail_address(value) else must_be
        case "uri":
            return None if _is_link(value) else must_be
    return None


def _property_problems(one: Any) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if not isinstance(one, dict):
        yield (), "must be an object"
        return
    kind = one.get("type")
    if not isinstance(kind, str) or kind not in _OF_TYPE:
        yield ("type",), f"must be one of: {', '.join(_OF_TYPE)}"
        return
    known = (*_OF_ALL, *_OF_TYPE[kind])
    wrong = {name: f"is not allowed here; a {kind} may have {', '.join(known)}" for name in one if name not in known}
    for name, most in (("title", _LONGEST_NAME), ("description", _LONGEST_DESCRIPTION)):
        if name in one and not (isinstance(one[name], str) and len(one[name]) <= most):
            wrong[name] = f"must be a text of at most {most} characters"
    wrong |= _limit_problems(one)
    yield from (((name,), message) for name, message in wrong.items())
    if not wrong and "default" in one and (problem := _value_problem(_field("", one, False), one["default"])):
        yield ("default",), problem


def _limit_problems(one: Mapping[str, Any]) -> Mapping[str, str]:
    wrong: dict[str, str] = {}
    choices, longest = one.get("enum"), one.get("maxLength", 1)
    if "enum" in one and not _are_choices(choices):
        wrong["enum"] = 'must be 1 to 50 texts of one line, at most 100 characters each; "a b" and "A_b" are alike'
    if "format" in one and one["format"] not in _FORMATS:
        wrong["format"] = f"must be one of: {', '.join(_FORMATS)}"
    if "format" in one and "enum" in one:
        wrong["format"] = "must not be combined with enum"
    if isinstance(longest, bool) or not isinstance(longest, int) or not 1 <= longest <= _LONGEST_TEXT:
        wrong["maxLength"] = f"must be a whole number from 1 to {_LONGEST_TEXT:,}"
    bounds = [name for name in ("minimum", "maximum") if name in one]
    for name in bounds:
        if isinstance(one[name], bool) or not isinstance(one[name], int | float) or not _is_finite(one[name]):
            wrong[name] = "must be a number"
    if len(bounds) == 2 and not wrong and one["minimum"] > one["maximum"]:
        wrong["maximum"] = "must not be less than minimum"
    return wrong


def _field(name: str, one: Mapping[str, Any], required: bool) -> AnswerField:
    return AnswerField(
        name=name,
        kind=one["type"],
        title=" ".join(one.get("title", "").split()) or _as_words(name),
        description=" ".join(one.get("description", "").split()),
        required=required,
        default=one.get("default"),
        choices=tuple(one.get("enum", ())),
        format=one.get("format"),
        max_length=one.get("maxLength"),
        minimum=one.get("minimum"),
        maximum=one.get("maximum"),
    )


def _named(fields: Sequence[AnswerField], line: str) -> tuple[AnswerField, str] | None:
    """Return the field that a line gives, and the text after the colon."""
    head, colon, value = _BULLET.sub("", line.strip(), count=1).replace("：", ":", 1).partition(":")
    if not colon or len(head) > 2 * _LONGEST_NAME:
        return None
    for names in ([field.name for field in fields], [field.title for field in fields]):
        found = match_outcome(head, names)
        if found is not None:
            return fields[names.index(found)], value.strip()
    return None


def _is_name(name: str) -> bool:
    is_line = name.isprintable() and ":" not in name and "：" not in name and name == name.strip()
    return is_line and 0 < len(name) <= _LONGEST_NAME and not all(map(is_invisible, name))


def _are_choices(choices: Any) -> bool:
    if not isinstance(choices, list) or not 1 <= len(choices) <= 50:
        return False
    if not all(isinstance(one, str) and one.strip() and one.isprintable() and len(one) <= 100 for one in choices):
        return False
    return not any(options_like(choices))


def _is_finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _is_date(text: str) -> bool:
    try:
        return len(text) == len("2027-01-31") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def _is_link(text: str) -> bool:
    """Tell whether a text is a link that opens a page; `javascript:` and the like are none."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and text.isprintable() and " " not in text


def _plain(value: Any) -> str:
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _as_words(name: str) -> str:
    words = " ".join(re.split(r"[\s_\-]+", name)).strip()
    return words[:1].upper() + words[1:]
