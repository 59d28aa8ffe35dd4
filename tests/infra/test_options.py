"""The operator's choices: what they default to and what is refused."""

import pytest

from infra.options import Options

ASKED = {"inbound_domain": "a.example", "alarm_email": "ops@example.com"}


def test_the_defaults() -> None:
    options = Options.from_context({"inbound_domain": "Hitl.Example.com", "alarm_email": "none"})
    assert options == Options(inbound_domain="hitl.example.com", mail_from="reviews@hitl.example.com")
    assert (options.architecture, options.python, options.stage) == ("arm64", "3.13", "production")
    assert options.keeps_data
    assert options.require_tls
    assert not options.allow_insecure_urls
    assert not options.allowed_networks
    assert options.aws_client == "auto"


def test_the_sdk_can_be_had_back() -> None:
    assert Options.from_context(ASKED | {"aws_client": "boto3"}).aws_client == "boto3"


def test_private_networks_and_hosts_can_be_listed() -> None:
    listed = " 10.0.0.0/8, jira.internal.example "
    options = Options.from_context(ASKED | {"allowed_networks": listed})
    assert options.allowed_networks == "10.0.0.0/8, jira.internal.example"


def test_the_senders_domain_is_that_of_its_address() -> None:
    options = Options.from_context(ASKED | {"mail_from": "hitl@Example.com"})
    assert options.sender_domain == "example.com"


def test_a_custom_domain_may_lead_here_by_a_path() -> None:
    options = Options.from_context(ASKED | {"base_url": "https://api.example.com/hitl/"})
    assert options.base_url == "https://api.example.com/hitl"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "-c inbound_domain="),
        ({"inbound_domain": "  "}, "-c inbound_domain="),
        ({"inbound_domain": "a.example", "mail_from": "Flow HITL <hitl@example.com>"}, "mail_from"),
        ({"inbound_domain": "a.example", "architecture": "mips"}, "arm64, x86_64"),
        ({"inbound_domain": "a.example", "python": "2.7"}, "3.13, 3.11"),
        ({"inbound_domain": "a.example", "stage": "maybe"}, "production, evaluation"),
        ({"inbound_domain": "a.example", "seal_lock": "none"}, "governance, compliance"),
        ({"inbound_domain": "a.example", "alarm_email": ""}, "-c alarm_email="),
        ({"inbound_domain": "a.example", "alarm_email": "Ops <a@b.example>"}, "alarm_email must be"),
        ({"inbound_domain": "a.example", "base_url": "hitl.example.com"}, "https://hitl.example.com"),
        ({"inbound_domain": "a.example", "base_url": "https://a.example/x?y"}, "https://hitl.example.com"),
        ({"inbound_domain": "a.example", "aws_client": "json"}, "auto, boto3"),
        ({"inbound_domain": "a.example", "allowed_networks": "10.0.0.1/8"}, "allowed_networks: '10.0.0.1/8'"),
        ({"inbound_domain": "a.example", "allowed_networks": "0.0.0.0/0"}, "allowed_networks: '0.0.0.0/0'"),
    ],
)
def test_a_wrong_choice_is_refused_with_what_to_say_instead(context: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Options.from_context({"alarm_email": "none"} | context)


def test_of_an_evaluation_nothing_is_locked_or_kept() -> None:
    options = Options.from_context(ASKED | {"stage": "evaluation"})
    assert (options.seal_lock, options.keeps_data) == ("none", False)
    assert options.alarm_email == "ops@example.com"
