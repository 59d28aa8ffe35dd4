"""Edit and approve: what of an output may be changed, and whether an answer's output keeps to that.

Texts, numbers and booleans may change; keys, types, and the length of lists may not.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flow_hitl.contract.validation import pointer
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import FieldError
from flow_hitl.platform.records import dataclass

MOST_SCALARS = 500
MOST_BYTES = 200_000
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?")


@dataclass(frozen=True)
class Scalar:
    """A value of an output that can be edited: its place among them, the steps to it (none of a bare value), itself."""

    number: int
    path: tuple[int | str, ...]
    value: str | int | float | bool

    @property
    def name(self) -> str:
        """The name of its form field."""
        return f"output-{self.number}"

    @property
    def text(self) -> str:
        """The value as the form field has it."""
        return self.value if isinstance(self.value, str) else json.dumps(self.value)

    @property
    def kind(self) -> str:
        """`text`, `number`, or `boolean`."""
        if isinstance(self.value, bool):
            return "boolean"
        return "text" if isinstance(self.value, str) else "number"


def editing_problem(output: Any) -> str | None:
    """Return why an output cannot be edited, None if it can."""
    if len(canonical_json(output).encode()) > MOST_BYTES:
        return f"must be false: the output is longer than {MOST_BYTES:,} bytes"
    scalars = len(scalars_of(output))
    if not scalars:
        return "must be false: there is no output that could be edited"
    return f"must be false: the output has more than {MOST_SCALARS} values" if scalars > MOST_SCALARS else None


def output_problem(before: Any, after: Any) -> FieldError | None:
    """Return what is wrong with an edited output, None if only its values differ."""
    found = next(_differences(before, after, ()), None)
    if found is not None:
        path, message = found
        return FieldError(f"/output{pointer(path)}", message)
    if len(canonical_json(after).encode()) > MOST_BYTES:
        return FieldError("/output", f"must not be longer than {MOST_BYTES:,} bytes")
    return None


def is_same(before: Any, after: Any) -> bool:
    """Tell whether two outputs are the same JSON; false for one that JSON cannot hold."""
    try:
        return canonical_json(before) == canonical_json(after)
    except ValueError:
        return False


def scalars_of(output: Any) -> Sequence[Scalar]:
    """Return the values that can be edited, in order; a null cannot."""
    leaves = ((path, value) for path, value in _leaves(output, ()) if value is not None)
    return tuple(Scalar(number, path, value) for number, (path, value) in enumerate(leaves))


def edited(output: Any, texts: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
    """Return the output with what a form says in place of its values, and what is wrong by form field.

    A field that was not sent, or not changed, leaves its value exactly as it is.
    """
    problems: dict[str, str] = {}
    changed: dict[tuple[int | str, ...], Any] = {}
    for scalar in scalars_of(output):
        said = texts.get(scalar.name)
        if said is None or _as_sent(said) == _as_sent(scalar.text):
            continue
        try:
            changed[scalar.path] = _read(scalar, said)
        except ValueError as error:
            problems[scalar.name] = str(error)
    return (_with(output, changed, ()) if changed else output), problems


def _read(scalar: Scalar, said: str) -> Any:
    text = said.replace("\r\n", "\n")
    if scalar.kind == "text":
        return text
    text = text.strip()
    if scalar.kind == "boolean":
        if text not in ("true", "false"):
            raise ValueError("must be true or false")
        return text == "true"
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("must be a number such as 1250 or 12.5")
    return json.loads(text)


def _with(value: Any, changed: Mapping[tuple[int | str, ...], Any], path: tuple[int | str, ...]) -> Any:
    if isinstance(value, dict):
        return {name: _with(one, changed, (*path, name)) for name, one in value.items()}
    if isinstance(value, list):
        return [_with(one, changed, (*path, number)) for number, one in enumerate(value)]
    return changed.get(path, value)


def _leaves(value: Any, path: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], Any]]:
    # Not recursive: an output may be nested as deeply as its JSON could be read.
    waiting = [(path, value)]
    while waiting:
        at, one = waiting.pop()
        if isinstance(one, dict):
            waiting += [((*at, name), member) for name, member in reversed(one.items())]
        elif isinstance(one, list):
            waiting += [((*at, number), member) for number, member in reversed(list(enumerate(one)))]
        else:
            yield at, one


def _differences(before: Any, after: Any, path: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    if _type_of(before) != _type_of(after):
        yield path, f"must be {_type_of(before)}, as in the request"
    elif isinstance(before, dict):
        for name in after.keys() - before.keys():
            yield (*path, name), "is not a key of the request's output"
        for name, value in before.items():
            if name not in after:
                yield (*path, name), "is missing: the keys must stay as they are"
            else:
                yield from _differences(value, after[name], (*path, name))
    elif isinstance(before, list):
        if len(before) != len(after):
            yield path, f"must have {len(before)} entries, as in the request"
        for number, (value, other) in enumerate(zip(before, after, strict=False)):
            yield from _differences(value, other, (*path, number))
    elif isinstance(after, int | float) and not _is_double(after):
        yield path, "must be a number within a double's range"


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
    return "an object"


def _is_double(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _as_sent(text: str) -> str:
    """Return a text as a browser would send it, so that what it changes by itself is no edit."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "\ufffd")
