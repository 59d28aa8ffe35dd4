"""The custom resource has SES know our domain, and never takes over an identity that is somebody else's."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.mail_edge import custom_resources, sender_identity

KIND = "Custom::SenderIdentity"
DOMAIN = "hitl.example.com"
PROPERTIES = {"Domain": DOMAIN, "Stack": "flow-hitl", "ConfigurationSetName": "flow-hitl"}
HOST = "feedback-smtp.us-east-1.amazonses.com"
TAGS = [{"Key": sender_identity.TAG, "Value": "flow-hitl"}]


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        yield boto3.client("sesv2")


def identities(ses: Any) -> list[str]:
    return [one["IdentityName"] for one in ses.list_email_identities()["EmailIdentities"]]


def test_a_domain_that_ses_does_not_know_is_made_and_goes_with_the_stack(ses: Any) -> None:
    physical_id, data = sender_identity.apply(ses, "Create", PROPERTIES, "none")
    assert (physical_id, identities(ses)) == (DOMAIN, [DOMAIN])
    assert set(data) == {"DkimRecord1", "DkimRecord2", "DkimRecord3"}
    assert sender_identity.apply(ses, "Delete", PROPERTIES, physical_id) == (DOMAIN, {})
    assert identities(ses) == []


def test_a_domain_that_the_account_sends_from_already_is_used_and_stays(ses: Any) -> None:
    ses.create_email_identity(EmailIdentity=DOMAIN)
    physical_id, _ = sender_identity.apply(ses, "Create", PROPERTIES, "none")
    sender_identity.apply(ses, "Update", PROPERTIES, physical_id)
    sender_identity.apply(ses, "Delete", PROPERTIES, physical_id)
    assert identities(ses) == [DOMAIN]


def test_an_identity_of_another_stack_stays(ses: Any) -> None:
    other = PROPERTIES | {"Stack": "flow-hitl-staging"}
    sender_identity.apply(ses, "Create", other, "none")
    physical_id, _ = sender_identity.apply(ses, "Create", PROPERTIES, "none")
    sender_identity.apply(ses, "Delete", PROPERTIES, physical_id)
    assert identities(ses) == [DOMAIN]


def test_a_create_that_comes_twice_still_owns_what_it_made(ses: Any) -> None:
    sender_identity.apply(ses, "Create", PROPERTIES, "none")
    physical_id, _ = sender_identity.apply(ses, "Create", PROPERTIES, "none")
    sender_identity.apply(ses, "Delete", PROPERTIES, physical_id)
    assert identities(ses) == []


def test_deleting_what_is_gone_or_was_never_made_does_nothing(ses: Any) -> None:
    for physical_id in (DOMAIN, "none"):
        assert sender_identity.apply(ses, "Delete", PROPERTIES, physical_id) == (physical_id, {})


@pytest.mark.parametrize(
    ("dkim", "first"),
    [
        ({"Tokens": ["a", "b", "c"]}, f"a._domainkey.{DOMAIN} CNAME a.dkim.amazonses.com"),
        ({"Tokens": ["selector"], "SigningAttributesOrigin": "EXTERNAL"}, "none: SES knows the domain already"),
        ({}, "none: SES knows the domain already"),
    ],
)
def test_the_records_to_set_are_those_of_ses(dkim: dict[str, Any], first: str) -> None:
    errors = SimpleNamespace(NotFoundException=KeyError, AlreadyExistsException=KeyError)
    client = SimpleNamespace(get_email_identity=lambda **_: {"DkimAttributes": dkim}, exceptions=errors)
    _, data = sender_identity.apply(client, "Update", PROPERTIES, DOMAIN)
    assert data["DkimRecord1"].startswith(first)
    assert len(data) == 3


def client_that_knows(identity: dict[str, Any], chosen: list[dict[str, str]]) -> SimpleNamespace:
    """Return a client of SES that knows one identity, and notes where its bounces shall go: moto cannot."""
    return SimpleNamespace(
        get_email_identity=lambda **_: identity,
        put_email_identity_mail_from_attributes=lambda **options: chosen.append(options),
        exceptions=SimpleNamespace(NotFoundException=KeyError, AlreadyExistsException=KeyError),
    )


def test_bounces_go_to_a_subdomain_of_the_senders_so_that_spf_is_about_it() -> None:
    chosen: list[dict[str, str]] = []
    ses = client_that_knows({"Tags": TAGS}, chosen)
    _, data = sender_identity.apply(ses, "Create", PROPERTIES | {"FeedbackHost": HOST}, "none")
    (put,) = chosen
    assert (put["MailFromDomain"], put["BehaviorOnMxFailure"]) == (f"bounce.{DOMAIN}", "USE_DEFAULT_VALUE")
    assert data["MailFromMxRecord"] == f"bounce.{DOMAIN} MX 10 {HOST}"
    assert data["MailFromSpfRecord"] == f'bounce.{DOMAIN} TXT "v=spf1 include:amazonses.com ~all"'


@pytest.mark.parametrize(
    "identity",
    [
        {"Tags": []},
        {"Tags": TAGS, "MailFromAttributes": {"MailFromDomain": f"mail.{DOMAIN}"}},
    ],
    ids=["the domain is used by others", "an operator has chosen another"],
)
def test_where_bounces_go_is_not_changed_for_others(identity: dict[str, Any]) -> None:
    chosen: list[dict[str, str]] = []
    ses = client_that_knows(identity, chosen)
    _, data = sender_identity.apply(ses, "Update", PROPERTIES | {"FeedbackHost": HOST}, DOMAIN)
    assert chosen == []
    assert data["MailFromMxRecord"].startswith("none: ")


def test_the_handler_reports_success_to_cloudformation(ses: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = _handle(monkeypatch, {"RequestType": "Create"})
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == DOMAIN
    assert "DkimRecord1" in answer["Data"]


def test_the_handler_reports_a_failure_and_keeps_the_id(ses: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> str:
        raise RuntimeError("no rights")

    monkeypatch.setitem(custom_resources.KINDS, KIND, ("sesv2", refuse))
    answer = _handle(monkeypatch, {"RequestType": "Update", "PhysicalResourceId": DOMAIN})
    assert (answer["Status"], answer["PhysicalResourceId"]) == ("FAILED", DOMAIN)
    assert answer["Reason"] == "no rights (log stream stream-1)"


def _handle(monkeypatch: pytest.MonkeyPatch, event: dict[str, str]) -> dict[str, Any]:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr("urllib3.request", lambda *_, **options: sent.append(options))
    identity = {"StackId": "s", "RequestId": "r", "LogicalResourceId": "l", "ResponseURL": "https://example.com/answer"}
    custom_resources.handler(
        event | identity | {"ResourceType": KIND, "ResourceProperties": PROPERTIES},
        SimpleNamespace(log_stream_name="stream-1"),
    )
    (options,) = sent
    answer: dict[str, Any] = json.loads(options["body"])
    assert answer.items() >= {"StackId": "s", "RequestId": "r", "LogicalResourceId": "l"}.items()
    return answer
