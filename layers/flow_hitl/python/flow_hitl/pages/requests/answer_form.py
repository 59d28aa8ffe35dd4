"""The part of the answer form that a request brings itself: the values of its output to edit, and a typed answer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flow_hitl.pages.requests.form_field import FormField
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import UNCHANGED, Content, Response

if TYPE_CHECKING:
    from flow_hitl.pages.requests.edit_layout import EditGroup
    from flow_hitl.requests.deciding.edits import Scalar
    from flow_hitl.requests.deciding.typed_answers import AnswerField

_WIDE = 60
_WIDE_CELL, _LONGEST_CELL = 24, 120
_INPUT_TYPES = {"date": "date", "email": "email", "uri": "url"}


@dataclass(frozen=True, kw_only=True)
class AnswerForm:
    """What is added to the form; `edits` as they stand. `is_edited`: they were sent and must be seen."""

    edits: "Sequence[EditGroup]" = ()
    fields: Sequence[FormField] = ()
    is_edited: bool = False


NO_MORE = AnswerForm()


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a form says beyond outcome and comment, and what is wrong by form field."""

    output: Any = UNCHANGED
    data: Mapping[str, Any] | None = None
    problems: Mapping[str, str]


def answer_form(
    content: Content, texts: Mapping[str, str] | None = None, problems: Mapping[str, str] | None = None
) -> AnswerForm:
    """Return what a request adds to its form; after a refused one, with what was written and what is wrong."""
    wrong = problems or {}
    edits: Sequence[EditGroup] = ()
    fields: Sequence[FormField] = ()
    if content.editable:
        from flow_hitl.pages.requests.edit_layout import laid_out
        from flow_hitl.requests.deciding.edits import scalars_of

        output = content.output
        edits = laid_out(output, [(one.path, _edit(one, texts or {}, wrong)) for one in scalars_of(output)])
    if content.response_schema is not None:
        from flow_hitl.requests.deciding.typed_answers import fields_of

        asked = fields_of(content.response_schema)
        fields = [_field(_name(number), one, texts, wrong) for number, one in enumerate(asked)]
    return AnswerForm(edits=edits, fields=fields, is_edited=texts is not None)


def is_begun(content: Content, comment: str, texts: Mapping[str, str]) -> bool:
    """Tell whether a form has anything that its page did not bring."""
    brought = [(one.name, one.value) for one in answer_form(content).fields]
    if content.editable:
        from flow_hitl.requests.deciding.edits import scalars_of

        brought += [(one.name, one.text) for one in scalars_of(content.output)]
    return bool(comment.strip()) or any(_lines(texts.get(name, value)) != _lines(value) for name, value in brought)


def _lines(text: str) -> Sequence[str]:
    # Browsers end lines with CRLF.
    return text.splitlines()


def written(content: Content, texts: Mapping[str, str]) -> Written:
    """Return what a form says; nothing of it counts if there are problems."""
    output: Any = UNCHANGED
    data: Mapping[str, Any] | None = None
    problems: dict[str, str] = {}
    if content.editable:
        from flow_hitl.requests.deciding.edits import edited

        output, wrong = edited(content.output, texts)
        problems |= wrong
    if content.response_schema is not None:
        from flow_hitl.requests.deciding.typed_answers import fields_of, read_texts

        fields = fields_of(content.response_schema)
        names = {one.name: _name(number) for number, one in enumerate(fields)}
        read = read_texts(fields, {one.name: texts.get(names[one.name], "") for one in fields})
        data = read.values
        problems |= {names.get(name, _name(0)): problem for name, problem in read.problems.items()}
    return Written(output=output, data=data, problems=problems)


def gives_same(content: Content, texts: Mapping[str, str], response: Response) -> bool:
    """Tell whether a form has the output and the typed answer of the response that counts; without a form, it has."""
    if not texts or not (content.editable or content.response_schema is not None):
        return True
    said = written(content, texts)
    output = None if said.output is UNCHANGED or said.output == content.output else said.output
    return not said.problems and (output, said.data) == (response.output, response.data)


def _name(number: int) -> str:
    return f"field-{number}"


def _edit(scalar: "Scalar", texts: Mapping[str, str], wrong: Mapping[str, str]) -> FormField:
    label = " › ".join(str(step + 1) if isinstance(step, int) else step for step in scalar.path) or "Output"
    value = texts.get(scalar.name, scalar.text)
    error, more = wrong.get(scalar.name), {"form": "answer-form"}
    is_short = len(scalar.text) <= _LONGEST_CELL and not set("\r\n") & set(scalar.text)
    field = FormField(
        name=scalar.name,
        label=label,
        widget="text",
        value=value,
        error=error,
        more=more,
        is_short=is_short,
        is_wide=is_short and len(scalar.text) > _WIDE_CELL,
    )
    if scalar.kind == "boolean":
        return replace(field, widget="select", choices=(("true", "Yes"), ("false", "No")))
    if scalar.kind == "number":
        return replace(field, more={**field.more, "inputmode": "decimal", "autocomplete": "off"})
    # An input would drop the ends of lines.
    if not scalar.path or "\n" in scalar.text or "\r" in scalar.text or len(scalar.text) > _WIDE:
        lines = scalar.text.count("\n") + len(scalar.text) // _WIDE + 1
        return replace(field, widget="area", rows=min(24, max(3, lines)))
    return field


def _field(name: str, one: "AnswerField", texts: Mapping[str, str] | None, wrong: Mapping[str, str]) -> FormField:
    field = FormField(
        name=name,
        label=one.title,
        widget="text",
        value=one.default_text if texts is None else texts.get(name, ""),
        hint=one.description or None,
        optional=not one.required,
        more={"required": True} if one.required else {},
        error=wrong.get(name),
    )
    if one.kind == "boolean" or one.choices:
        choices = (("yes", "Yes"), ("no", "No")) if one.kind == "boolean" else [(text, text) for text in one.choices]
        # Without a default, nothing is chosen for anyone who has not looked.
        none = [] if one.default is not None else [("", "Please choose" if one.required else "–")]
        return replace(field, widget="select", choices=[*none, *choices])
    if one.kind == "string":
        limit = {} if one.max_length is None else {"maxlength": one.max_length}
        more = {**field.more, **limit}
        return replace(field, widget="area" if one.is_long else _INPUT_TYPES.get(one.format or "", "text"), more=more)
    bounds = {"min": one.minimum, "max": one.maximum, "step": 1 if one.kind == "integer" else "any"}
    more = {**field.more, **{name: limit for name, limit in bounds.items() if limit is not None}}
    return replace(field, widget="number", hint=_hint(one), more=more)


def _hint(one: "AnswerField") -> str | None:
    is_limited = one.minimum is not None or one.maximum is not None
    return one.hint[:1].upper() + one.hint[1:] if is_limited else one.description or None
