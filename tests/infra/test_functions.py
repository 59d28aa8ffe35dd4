"""Every function is one of ours, reads the settings that the stack wrote, and keeps its log for a time."""

import importlib
from typing import Any

import pytest

from flow_hitl.platform.environment import Settings
from infra.outputs import output_name, settings_from_outputs
from infra.topology import HTTP_FUNCTIONS
from tests.infra.conftest import Stack

NAMES = (
    "intake",
    "management",
    "respond",
    "wait",
    "dashboard",
    "inbound_mail",
    "mail_feedback",
    "deadline",
    "relay",
    "measure",
    "retention",
    "seal",
    "export_audit",
    "send_email",
    "sign_receipt",
    "resume_flow",
    "send_webhook",
    "docs",
    "sweep",
)
BEHIND_THE_API = tuple(one.name for one in HTTP_FUNCTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_the_handler_exists(core: Stack, name: str) -> None:
    module, _, handler = core.function(name)["Handler"].rpartition(".")
    assert callable(getattr(importlib.import_module(module), handler))


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_reads_back_as_settings(core: Stack, name: str) -> None:
    environment = {key: _text(value) for key, value in core.function(name)["Environment"]["Variables"].items()}
    settings = Settings.from_environment(environment)
    # What powertools and our metrics read by themselves.
    more = {"POWERTOOLS_SERVICE_NAME": "flow-hitl", "PYDANTIC_DISABLE_PLUGINS": "__all__"}
    assert environment == settings.to_environment() | more
    assert settings.inbound_domain == "hitl.example.com"
    assert settings.mail_from == "reviews@hitl.example.com"
    assert not settings.insecure_urls_allowed
    assert settings.allowed_networks == ""
    assert settings.aws_client == "auto"


def test_the_outputs_read_back_as_the_same_settings(core: Stack) -> None:
    outputs = {name: _text(output["Value"]) for name, output in core.template["Outputs"].items()}
    environment = {key: _text(value) for key, value in core.function("relay")["Environment"]["Variables"].items()}
    assert settings_from_outputs(outputs) == Settings.from_environment(environment)


def test_the_outputs_name_what_settings_leave_out(core: Stack) -> None:
    mail = ("email", "inbound_mail", "mail_feedback")
    work = (*mail, "resume", "webhook", "deadline", "relay_retry", "seal", "export", "sweep", "measure", "retention")
    more = (
        "api_id",
        "api_url",
        "receipts_topic_arn",
        "mail_events_topic_arn",
        "alarm_topic_arn",
    )
    names = [*more, *(f"{queue}_dead_letter_queue_url" for queue in (*work, "stream", "schedules"))]
    names += [f"{queue}_queue_url" for queue in work]
    assert {output_name(name) for name in names} <= set(core.template["Outputs"])


@pytest.mark.parametrize("name", NAMES)
def test_the_runtime_is_the_chosen_one(core: Stack, name: str) -> None:
    function = core.function(name)
    assert (function["Runtime"], function["Architectures"]) == ("python3.13", ["arm64"])
    assert len(function["Layers"]) == 2
    assert "TracingConfig" not in function
    assert "ReservedConcurrentExecutions" not in function


@pytest.mark.parametrize("name", NAMES)
def test_time_and_memory_suit_the_caller(core: Stack, name: str) -> None:
    function = core.function(name)
    assert (function["Timeout"] == 29) == (name in BEHIND_THE_API)
    # What waits is paid for by its memory.
    assert function["MemorySize"] in ((256,) if name == "wait" else (512, 1024))


def test_all_functions_share_one_asset(core: Stack) -> None:
    assert len({str(each["Code"]) for each in core.properties("AWS::Lambda::Function")}) == 1


def test_every_log_is_kept_for_a_limited_time(core: Stack) -> None:
    groups = core.properties("AWS::Logs::LogGroup")
    assert len(groups) == len(NAMES) + 1
    assert {group["RetentionInDays"] for group in groups} == {90}


def _text(value: Any) -> str:
    """Stand in for what CloudFormation makes of an expression."""
    return value if isinstance(value, str) else str(value)
