"""The operator's choices: what they default to and what is refused."""

import pytest

from infra.options import Options

ASKED = {"inbound_domain": "a.example", "alarm_email": "ops@example.com"}
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/0123-abc"


def test_the_defaults() -> None:
    options = Options.from_context({"inbound_domain": "Hitl.Example.com", "alarm_email": "none"})
    assert options == Options(inbound_domain="hitl.example.com", mail_from="reviews@hitl.example.com")
    assert (options.architecture, options.python, options.stage) == ("arm64", "3.13", "production")
    assert options.keeps_data
    assert options.require_tls
    assert not options.allow_insecure_urls
    assert not options.allowed_networks
    assert options.aws_client == "auto"


@pytest.mark.parametrize("name", ["Ünï", "two words", "5", "a_b", "ends-", "-begins", "a" * 51, "a.b"])
def test_a_stacks_name_that_aws_would_refuse_is_refused_before_anything_is_made(name: str) -> None:
    with pytest.raises(ValueError, match="stack_name must be"):
        Options.from_context(ASKED | {"stack_name": name})


@pytest.mark.parametrize("name", ["a", "flow-hitl", "Staging2", "a" * 50])
def test_a_stacks_name_that_aws_takes_is_taken(name: str) -> None:
    assert Options.from_context(ASKED | {"stack_name": name}).stack_name == name


@pytest.mark.parametrize("domain", ["example", "two words.example", "hitl.exämple.com", "a_b.example", "a@b.example"])
def test_a_domain_that_receives_no_email_is_refused_even_beside_a_sender(domain: str) -> None:
    with pytest.raises(ValueError, match="inbound_domain must be"):
        Options.from_context(ASKED | {"inbound_domain": domain, "mail_from": "reviews@example.com"})


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


def test_a_domain_is_the_address_that_links_lead_to() -> None:
    options = Options.from_context(ASKED | {"domain": "API.example.com/hitl/", "hosted_zone": "Example.com."})
    assert (options.domain_name, options.domain_path) == ("api.example.com", "hitl")
    assert options.base_url == "https://api.example.com/hitl"
    assert (options.hosted_zone, options.hosted_zone_id) == ("example.com", None)
    whole = Options.from_context(ASKED | {"domain": "reviews.example.com", "hosted_zone": "Z0123456789EXAMPLE"})
    assert (whole.domain_path, whole.base_url) == ("", "https://reviews.example.com")
    assert whole.hosted_zone_id == "Z0123456789EXAMPLE"


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"domain": "reviews.example.com"}, "gets its certificate: by hosted_zone, or by certificate_arn"),
        ({"hosted_zone": "example.com"}, "needs the id of hosted_zone"),
        ({"domain": "reviews.example.com", "hosted_zone": "Z0123456789EXAMPLE"}, None),
        ({"domain": "reviews.example.com", "certificate_arn": CERTIFICATE}, None),
        ({}, None),
    ],
)
def test_a_template_is_not_made_of_less_than_it_needs(context: dict[str, str], message: str | None) -> None:
    options = Options.from_context(ASKED | context)
    if message is None:
        options.require_complete()
        return
    with pytest.raises(ValueError, match=message):
        options.require_complete()


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "inbound_domain is missing"),
        ({"inbound_domain": "  "}, "inbound_domain is missing"),
        ({"inbound_domain": "a.example", "mail_from": "Flow HITL <hitl@example.com>"}, "mail_from"),
        ({"inbound_domain": "a.example", "architecture": "mips"}, "arm64, x86_64"),
        ({"inbound_domain": "a.example", "python": "2.7"}, "3.13, 3.11"),
        ({"inbound_domain": "a.example", "stage": "maybe"}, "production, evaluation"),
        ({"inbound_domain": "a.example", "seal_lock": "none"}, "governance, compliance"),
        ({"inbound_domain": "a.example", "alarm_email": ""}, "alarm_email is missing"),
        ({"inbound_domain": "a.example", "alarm_email": "Ops <a@b.example>"}, "alarm_email must be"),
        ({"inbound_domain": "a.example", "base_url": "hitl.example.com"}, "https://hitl.example.com"),
        ({"inbound_domain": "a.example", "base_url": "https://a.example/x?y"}, "https://hitl.example.com"),
        ({"inbound_domain": "a.example", "domain": "https://a.example"}, "domain must be such as"),
        ({"inbound_domain": "a.example", "domain": "localhost"}, "domain must be such as"),
        ({"inbound_domain": "a.example", "domain": "a.example", "base_url": "https://b.example"}, "must not differ"),
        ({"inbound_domain": "a.example", "hosted_zone": "z 1"}, "hosted_zone must be"),
        ({"inbound_domain": "a.example", "certificate_arn": "arn:aws:iam::1:x"}, "certificate_arn must be"),
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
