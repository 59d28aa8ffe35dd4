"""Documents in our tables come back as they were written, also those that pydantic wrote; others are refused."""

from dataclasses import field, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter

from flow_hitl.deployments.conditions import Condition
from flow_hitl.deployments.deployment import (
    ApiKey,
    AutoResponseSetting,
    Deployment,
    DeploymentSettings,
    Group,
    Member,
    Permission,
    Reminder,
    ResumeSecret,
    RoutingRule,
    WebhookEvent,
)
from flow_hitl.platform.documents import Documents
from flow_hitl.platform.records import dataclass
from flow_hitl.requests.request import Attachment, Content, Head, MediaType, Remark, RemarkKind, Response
from flow_hitl.requests.wording import CommentRule, OptionLook, OptionTone
from tests.support import examples

NOON = datetime(2026, 1, 14, 12, 0, 0, 7, tzinfo=UTC)
HEAD = replace(
    examples.head(),
    sla_due_at=NOON,
    rejections=("a@example.com", 2),
    reminders=(NOON, NOON),
    labels={"approved": "Go"},
    thread=(Remark("1", RemarkKind.QUESTION, "Why?", NOON, "a@example.com"),),
)
CONTENT = Content(
    message="m",
    output={"deep": [1, 2.5, None, True, "grüße \U0001f600 \n", 10**30, 1e300]},
    state={},
    metadata={},
    history=[{"method": "m", "at": None, "output": [1]}],
    resume_url=None,
    warnings=("one", "two"),
    deployment_name="d",
    options={"approved": OptionLook("Go", None, OptionTone.POSITIVE, CommentRule.REQUIRED)},
    attachments=(Attachment("a.png", MediaType.PNG, 3, "0" * 64),),
)
SETTINGS = DeploymentSettings(
    auto_response=AutoResponseSetting(enabled=True, timeout_minutes=5, default_outcome="rejected"),
    reminders=(Reminder(minutes_before_timeout=5), Reminder(share_of_sla=0.5)),
    groups=(Group(name="g", members=("a@example.com",)),),
)
DEPLOYMENT = Deployment(
    deployment_id=1,
    name="d",
    organization_id=2,
    creator_email="a@example.com",
    settings=SETTINGS,
    rules=(RoutingRule("r", "*", conditions=(Condition("a.b", {"gt": 1.5, "in": [1, "x"]}),)),),
    api_keys={"k": ApiKey("k", "n", "h", frozenset(Permission), NOON, None)},
    resume_key_id="k",
    version=3,
    members=(Member("m@example.com", frozenset({Permission.RESPOND}), ("n@example.com",)),),
    webhook_events=(WebhookEvent.NEW_REQUEST,),
    resume_secrets=(ResumeSecret("k", "r", NOON),),
    audit_at=NOON,
)
ANSWER = Response("approved", "approved", "", examples.answer().via, None, False, None, NOON, 5, decision_id="d")


@pytest.mark.parametrize(
    ("kind", "value"), [(Head, HEAD), (Content, CONTENT), (Deployment, DEPLOYMENT), (Response, ANSWER)]
)
@pytest.mark.parametrize("defaults", [True, False])
def test_what_is_written_comes_back_and_what_pydantic_wrote_too(kind: Any, value: Any, defaults: bool) -> None:
    ours, before = Documents(kind), TypeAdapter(kind)
    text = ours.dumps(value, defaults=defaults)
    assert ours.loads(text) == value
    assert ours.loads(before.dump_json(value, exclude_defaults=not defaults)) == value
    assert before.validate_json(text) == value, "a function of before may still run"


class Color(StrEnum):
    RED = "red"


@dataclass(frozen=True)
class Sample:
    """One of each kind."""

    text: Annotated[str, "a note"] = ""
    truth: bool = False
    whole: int = 0
    number: float = 0.0
    moment: datetime | None = None
    color: Color = Color.RED
    pair: tuple[str, int] = ("", 0)
    names: tuple[str, ...] = ()
    by_name: dict[str, int] = field(default_factory=dict)
    anything: Any = None


SAMPLES = Documents(Sample)


def test_numbers_of_dynamodb_are_numbers() -> None:
    assert SAMPLES.read({"whole": Decimal(3)}) == Sample(whole=3)


def test_members_of_later_versions_are_ignored() -> None:
    assert SAMPLES.loads('{"text": "x", "later": 1}') == Sample("x")


def test_what_has_its_default_is_left_out_on_wish() -> None:
    assert SAMPLES.dumps(Sample("x"), defaults=False) == '{"text":"x"}'
    assert '"moment"' not in SAMPLES.dumps(Sample("x"), nulls=False)
    assert SAMPLES.dumps(Sample("x"), defaults=False, without=("text",)) == "{}"


@pytest.mark.parametrize(
    "text",
    [
        '{"text": 1}',
        '{"truth": "yes"}',
        '{"truth": 1}',
        '{"whole": 1.5}',
        '{"whole": true}',
        '{"number": "1"}',
        '{"moment": "2026-01-14T12:00:00"}',
        '{"moment": "tomorrow"}',
        '{"moment": 5}',
        '{"color": "blue"}',
        '{"pair": ["a"]}',
        '{"pair": ["a", 1, 2]}',
        '{"names": "abc"}',
        '{"by_name": [1]}',
        '{"by_name": {"a": "b"}}',
        '{"anything": "\\ud800"}',
        "[]",
        "null",
        "{",
        "",
    ],
)
def test_what_we_never_wrote_is_refused(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        SAMPLES.loads(text)


def test_a_required_member_that_is_missing_is_named() -> None:
    with pytest.raises(TypeError, match="message"):
        Documents(Content).loads("{}")
