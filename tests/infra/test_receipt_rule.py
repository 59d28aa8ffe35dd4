"""The custom resource adds our rule and never takes mail from anybody."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from infra.mail_edge import receipt_rule

REGION = "us-east-1"
OURS = "flow-hitl"
TOPIC = f"arn:aws:sns:{REGION}:{DEFAULT_ACCOUNT_ID}:receipts"
RULE = "flow-hitl-replies"
PROPERTIES: dict[str, Any] = {
    "ServiceToken": "arn",
    "OwnRuleSetName": OURS,
    "Rule": {
        "Name": RULE,
        "Enabled": "true",
        "ScanEnabled": "true",
        "TlsPolicy": "Optional",
        "Recipients": ["hitl.example.com"],
        "Actions": [{"S3Action": {"BucketName": "mail", "ObjectKeyPrefix": "inbound/", "TopicArn": TOPIC}}],
    },
}


class Ses:
    """Moto's SES with the one call that moto does not know."""

    def __init__(self) -> None:
        self.client = boto3.client("ses", region_name=REGION)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)

    def delete_receipt_rule(self, *, RuleSetName: str, RuleName: str) -> None:  # noqa: N803 - boto3's names
        rules = ses_backends[DEFAULT_ACCOUNT_ID][REGION].receipt_rule_set[RuleSetName].rules
        rules[:] = [rule for rule in rules if rule["Name"] != RuleName]

    def active(self) -> str | None:
        name: str | None = self.client.describe_active_receipt_rule_set().get("Metadata", {}).get("Name")
        return name

    def rules(self, rule_set: str) -> list[str]:
        return [rule["Name"] for rule in self.client.describe_receipt_rule_set(RuleSetName=rule_set)["Rules"]]

    def rule_sets(self) -> list[str]:
        return [rule_set["Name"] for rule_set in self.client.list_receipt_rule_sets()["RuleSets"]]


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ses]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        boto3.client("s3", region_name=REGION).create_bucket(Bucket="mail")
        boto3.client("sns", region_name=REGION).create_topic(Name=TOPIC.rpartition(":")[2])
        yield Ses()


def test_with_no_active_set_ours_is_made_and_activated(ses: Ses) -> None:
    assert made(ses) == f"{OURS}/{RULE}"
    assert ses.active() == OURS
    assert ses.rules(OURS) == [RULE]


def test_an_active_set_gets_our_rule_and_keeps_its_own(ses: Ses) -> None:
    _activate(ses, "mail-of-others", "their-rule")
    assert made(ses) == f"mail-of-others/{RULE}"
    assert ses.active() == "mail-of-others"
    assert sorted(ses.rules("mail-of-others")) == [RULE, "their-rule"]
    assert OURS not in ses.rule_sets()


def test_an_inactive_set_of_our_name_is_used_again(ses: Ses) -> None:
    ses.create_receipt_rule_set(RuleSetName=OURS)
    made(ses)
    assert (ses.active(), ses.rules(OURS)) == (OURS, [RULE])


def test_a_second_create_or_an_update_changes_the_rule_in_place(ses: Ses) -> None:
    physical_id = made(ses)
    changed = PROPERTIES | {"Rule": PROPERTIES["Rule"] | {"Recipients": ["other.example.com"]}}
    assert receipt_rule.apply(ses, "Update", changed, physical_id)[0] == physical_id
    (rule,) = ses.describe_receipt_rule_set(RuleSetName=OURS)["Rules"]
    assert rule["Recipients"] == ["other.example.com"]
    assert rule["Enabled"] is True


def test_when_another_set_has_become_active_the_rule_moves_there(ses: Ses) -> None:
    first = made(ses)
    _activate(ses, "mail-of-others", "their-rule")
    second, _ = receipt_rule.apply(ses, "Update", PROPERTIES, first)
    assert second == f"mail-of-others/{RULE}"
    receipt_rule.apply(ses, "Delete", PROPERTIES, first)
    assert ses.active() == "mail-of-others"
    assert sorted(ses.rules("mail-of-others")) == [RULE, "their-rule"]


def test_delete_takes_our_rule_out_of_the_set_of_others_and_leaves_it_active(ses: Ses) -> None:
    _activate(ses, "mail-of-others", "their-rule")
    physical_id = made(ses)
    receipt_rule.apply(ses, "Delete", PROPERTIES, physical_id)
    assert ses.active() == "mail-of-others"
    assert ses.rules("mail-of-others") == ["their-rule"]


def test_delete_keeps_our_set_active_when_somebody_else_has_a_rule_in_it(ses: Ses) -> None:
    physical_id = made(ses)
    ses.create_receipt_rule(RuleSetName=OURS, Rule=PROPERTIES["Rule"] | _flags() | {"Name": "their-rule"})
    receipt_rule.apply(ses, "Delete", PROPERTIES, physical_id)
    assert (ses.active(), ses.rules(OURS)) == (OURS, ["their-rule"])


def test_delete_removes_our_set_when_it_is_empty(ses: Ses) -> None:
    physical_id = made(ses)
    receipt_rule.apply(ses, "Delete", PROPERTIES, physical_id)
    assert ses.active() is None
    assert ses.rule_sets() == []


@pytest.mark.parametrize("physical_id", ["none", f"gone/{RULE}"])
def test_delete_of_what_was_never_made_does_nothing(ses: Ses, physical_id: str) -> None:
    _activate(ses, "mail-of-others", "their-rule")
    receipt_rule.apply(ses, "Delete", PROPERTIES, physical_id)
    assert ses.rules("mail-of-others") == ["their-rule"]


def made(ses: Ses) -> str:
    """Create the resource and return its physical id."""
    physical_id, data = receipt_rule.apply(ses, "Create", PROPERTIES, "none")
    assert data == {"RuleSetName": physical_id.partition("/")[0]}
    return physical_id


def _activate(ses: Ses, rule_set: str, rule: str) -> None:
    ses.create_receipt_rule_set(RuleSetName=rule_set)
    ses.create_receipt_rule(RuleSetName=rule_set, Rule=PROPERTIES["Rule"] | _flags() | {"Name": rule})
    ses.set_active_receipt_rule_set(RuleSetName=rule_set)


def _flags() -> dict[str, bool]:
    return {"Enabled": True, "ScanEnabled": True}
