"""Settings and routing rules as JSON documents, by the contract's names: read whole, or refused field by field."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, JsonValue, create_model

from flow_hitl.contract.shapes import as_json
from flow_hitl.contract.validation import (
    Assignee,
    Document,
    MailAddress,
    Minutes,
    Name,
    is_format,
    parse_document,
    pointer,
    refuse,
)
from flow_hitl.deployments.answers import STATE_PREFIX, RoutingRules, RoutingRuleShown, RuleMatch, rules_shown
from flow_hitl.deployments.conditions import Condition
from flow_hitl.deployments.deployment import (
    MOST_PEOPLE,
    SETTINGS,
    AutoResponseSetting,
    DeploymentSettings,
    Group,
    Reminder,
    RoutingRule,
)
from flow_hitl.deployments.settings import Setting
from flow_hitl.platform.address import GROUP_PREFIX, is_mail_address
from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.errors import FieldError

_DEFAULTS = DeploymentSettings()
_MAX_RULES = 1000
_MAX_REMINDERS = 10
_MAX_DOMAINS = 100
_MAX_CONDITIONS = 10
_MAX_OPERANDS = 100
_MAX_OPERAND_CHARS = 256
# An audit event holds the document before and after a change, and DynamoDB 400 KB in an item.
_MAX_BYTES = 180_000
_MAX_GROUPS = 100


def _scalar(value: JsonValue) -> JsonValue:
    if value is None or isinstance(value, bool):
        return value
    return _ordered(value)


def _ordered(value: JsonValue) -> JsonValue:
    """Return a number or text; NaN and the infinities are no JSON, whatever the parser takes for it."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return value
    if isinstance(value, str) and len(value) <= _MAX_OPERAND_CHARS:
        return value
    raise ValueError(f"must be a number or a text of up to {_MAX_OPERAND_CHARS} characters")


def _domain(value: str) -> str:
    if not is_mail_address(f"anybody@{value}"):
        raise ValueError("must be a domain, for example company.com")
    return value.lower()


_Domain = Annotated[str, AfterValidator(_domain), is_format("hostname")]
_Scalar = Annotated[JsonValue, AfterValidator(_scalar)]
_Ordered = Annotated[JsonValue, AfterValidator(_ordered)]


class _AutoResponse(Document):
    explained_by: ClassVar = AutoResponseSetting

    enabled: bool = _DEFAULTS.auto_response.enabled
    timeout_minutes: Minutes | None = _DEFAULTS.auto_response.timeout_minutes
    default_outcome: Name | None = _DEFAULTS.auto_response.default_outcome


class _Reminder(Document):
    explained_by: ClassVar = Reminder

    minutes_before_timeout: Minutes | None = None
    share_of_sla: Annotated[float, Field(gt=0, le=1)] | None = None


class _Group(Document):
    explained_by: ClassVar = Group

    name: Name | None = None
    address: MailAddress | None = None
    members: Annotated[list[MailAddress], Field(min_length=1, max_length=MOST_PEOPLE)]


# The types of the settings whose JSON is more than a number, a text or true and false.
_SHAPES: Mapping[str, tuple[Any, Any]] = {
    "auto_response": (_AutoResponse, _AutoResponse()),
    "reminders": (Annotated[list[_Reminder], Field(max_length=_MAX_REMINDERS)], []),
    "allowed_assignee_domains": (Annotated[list[_Domain], Field(max_length=_MAX_DOMAINS)], []),
    "groups": (Annotated[list[_Group], Field(max_length=_MAX_GROUPS)], []),
}


def _shape(name: str, setting: Setting) -> tuple[Any, Any]:
    if name in _SHAPES:
        return _SHAPES[name]
    default = getattr(_DEFAULTS, name)
    if setting.limits is None:
        return type(default), default
    least, most = setting.limits
    number = Annotated[int, Field(ge=least, le=most)]
    return (number | None if setting.optional else number), default


class _SettingsDocument(Document):
    """The body of `PUT settings`: what it leaves out has its default."""

    explained_by: ClassVar = DeploymentSettings

    warnings: list[str] = []
    """What an answer said beside the settings; it is ignored."""


_FIELDS: dict[str, Any] = {name: _shape(name, setting) for name, setting in SETTINGS.items()}
SettingsDocument = create_model(
    "SettingsDocument", __base__=_SettingsDocument, __doc__=_SettingsDocument.__doc__, **_FIELDS
)


class _Tests(Document):
    eq: _Scalar = None
    """The value is this one."""
    ne: _Scalar = None
    """The value is there and another one."""
    gt: _Ordered = 0
    """The value is greater than this one, and of its type."""
    gte: _Ordered = 0
    """The value is greater than this one or equal, and of its type."""
    lt: _Ordered = 0
    """The value is less than this one, and of its type."""
    lte: _Ordered = 0
    """The value is less than this one or equal, and of its type."""
    among: Annotated[list[_Scalar], Field(min_length=1, max_length=_MAX_OPERANDS, alias="in")] = []
    """The value is one of these."""
    exists: bool = True
    """There is a value, or there is none."""


class _Match(Document):
    explained_by: ClassVar = RuleMatch

    method_name: Name
    condition: Annotated[dict[Name, _Tests], Field(max_length=_MAX_CONDITIONS)] = {}


class _Rule(Document):
    explained_by: ClassVar = RoutingRuleShown

    name: Name
    match: _Match
    assign_to_email: Assignee | None = None
    assign_from_input: Name | None = None
    sla_target_minutes: Minutes | None = None
    auto_response: _AutoResponse | None = None
    approval_ttl_minutes: Minutes | None = None


class RulesDocument(Document):
    """The body of `PUT routing-rules`: all rules, in their order."""

    explained_by: ClassVar = RoutingRules

    rules: Annotated[list[_Rule], Field(max_length=_MAX_RULES)]
    warnings: list[str] = []
    """What an answer said beside the rules; it is ignored."""


def parse_settings(text: str | bytes) -> DeploymentSettings:
    """Return the settings that a JSON text holds; a field that it leaves out has the contract's default.

    Raises MalformedJson, or ValidationFailed that names each wrong field.
    """
    document: Any = parse_document(SettingsDocument, text)
    refuse(
        [
            *_auto_response_errors(document.auto_response, ""),
            *_reminder_errors(document.reminders),
            *_group_errors(document.groups),
        ]
    )
    settings = DeploymentSettings(
        **{
            **{name: getattr(document, name) for name in SETTINGS},
            "auto_response": AutoResponseSetting(**document.auto_response.model_dump()),
            "reminders": tuple(Reminder(**one.model_dump()) for one in document.reminders),
            "allowed_assignee_domains": tuple(dict.fromkeys(document.allowed_assignee_domains)),
            "groups": tuple(
                Group(name=one.name, address=one.address, members=tuple(one.members)) for one in document.groups
            ),
        }
    )
    _require_room("", as_json(settings))
    return settings


def parse_rules(text: str | bytes) -> tuple[RoutingRule, ...]:
    """Return the routing rules that a JSON text holds, in their order; the first match wins.

    Raises MalformedJson, or ValidationFailed that names each wrong field.
    """
    documents = parse_document(RulesDocument, text).rules
    refuse(_rule_errors(documents))
    rules = tuple(
        RoutingRule(
            name=one.name,
            method_pattern=one.match.method_name,
            assign_to_email=one.assign_to_email,
            assign_from_input=one.assign_from_input,
            conditions=tuple(
                Condition(path.removeprefix(STATE_PREFIX), tests.model_dump(by_alias=True, exclude_unset=True))
                for path, tests in one.match.condition.items()
            ),
            sla_target_minutes=one.sla_target_minutes,
            auto_response=AutoResponseSetting(**one.auto_response.model_dump()) if one.auto_response else None,
            approval_ttl_minutes=one.approval_ttl_minutes,
        )
        for one in documents
    )
    _require_room("/rules", as_json(rules_shown(rules)))
    return rules


def _require_room(field: str, document: Any) -> None:
    """Refuse a document that its audit event could not hold twice, as it was and as it is."""
    size = len(canonical_json(document).encode())
    if size > _MAX_BYTES:
        refuse([FieldError(field, f"takes {size:,} bytes as JSON, and {_MAX_BYTES:,} can be kept; make it shorter")])


def _auto_response_errors(document: _AutoResponse, within: str) -> Iterator[FieldError]:
    for name in ("timeout_minutes", "default_outcome"):
        if document.enabled and getattr(document, name) is None:
            yield FieldError(f"{within}/auto_response/{name}", "must be set when auto_response is enabled")


def _reminder_errors(reminders: Sequence[_Reminder]) -> Iterator[FieldError]:
    for number, one in enumerate(reminders):
        if (one.minutes_before_timeout is None) == (one.share_of_sla is None):
            yield FieldError(f"/reminders/{number}", "must have one of minutes_before_timeout and share_of_sla")


def _group_errors(groups: Sequence[_Group]) -> Iterator[FieldError]:
    first_with: dict[str, int] = {}
    for number, group in enumerate(groups):
        if group.name is None and group.address is None:
            yield FieldError(f"/groups/{number}", "must have a name, the address of a shared mailbox, or both")
        for field, named in (("name", group.name), ("address", group.address and group.address.lower())):
            first = first_with.setdefault(f"{field} {named}", number) if named else number
            if first != number:
                yield FieldError(f"/groups/{number}/{field}", f"stands in /groups/{first} already")
        if group.name is not None and group.name.startswith(GROUP_PREFIX):
            yield FieldError(f"/groups/{number}/name", f"must be the name alone, without {GROUP_PREFIX}")
        people = [member.lower() for member in group.members]
        for place, member in enumerate(people):
            if member in people[:place]:
                yield FieldError(f"/groups/{number}/members/{place}", "stands in the group already")
            if group.address is not None and member == group.address.lower():
                yield FieldError(f"/groups/{number}/members/{place}", "is the shared mailbox; list its people")


def _rule_errors(rules: Sequence[_Rule]) -> Iterator[FieldError]:
    first_with: dict[str, int] = {}
    for number, rule in enumerate(rules):
        if rule.assign_to_email is None and rule.assign_from_input is None:
            yield FieldError(f"/rules/{number}", "must have assign_to_email or assign_from_input, or both")
        first = first_with.setdefault(rule.name, number)
        if first != number:
            yield FieldError(f"/rules/{number}/name", f"is the name of /rules/{first} already")
        if rule.auto_response is not None:
            yield from _auto_response_errors(rule.auto_response, f"/rules/{number}")
        for path, tests in rule.match.condition.items():
            where = pointer(("rules", number, "match", "condition", path))
            if not path.removeprefix(STATE_PREFIX).strip() or not path.startswith(STATE_PREFIX):
                yield FieldError(where, f"must be a path of the state, for example {STATE_PREFIX}amount")
            if not tests.model_fields_set:
                yield FieldError(where, 'must have an operator, for example {"gt": 10000}')
