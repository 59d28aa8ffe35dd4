"""What is stored is restorable, encrypted and closed to the public, and audit events stay as they are."""

import json

import pytest

from infra.constructs.data import AUDIT_MUTATIONS
from tests.infra.conftest import Stack


def test_every_table_is_restorable_protected_encrypted_and_kept(core: Stack) -> None:
    tables = core.of_type("AWS::DynamoDB::Table")
    assert len(tables) == 3
    for table in tables.values():
        properties = table["Properties"]
        assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert properties["DeletionProtectionEnabled"] is True
        assert properties["SSESpecification"] == {"SSEEnabled": True}
        assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"


def test_the_audit_tables_policy_denies_every_change_to_everyone_but_locks_nobody_out(core: Stack) -> None:
    (statement,) = core.find("AWS::DynamoDB::Table", "Audit")["Properties"]["ResourcePolicy"]["PolicyDocument"][
        "Statement"
    ]
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert sorted(statement["Action"]) == sorted(AUDIT_MUTATIONS)
    assert not {"dynamodb:DeleteTable", "dynamodb:PutResourcePolicy", "dynamodb:*"} & set(statement["Action"])


@pytest.mark.parametrize("name", ["DataContent", "DataMail", "DataExports", "SealsBucket"])
def test_every_bucket_is_private_encrypted_and_kept(core: Stack, name: str) -> None:
    bucket = core.find("AWS::S3::Bucket", name)
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["BucketEncryption"]
    assert bucket["DeletionPolicy"] == "Retain"
    policy = core.find("AWS::S3::BucketPolicy", name)["Properties"]["PolicyDocument"]["Statement"]
    assert {"Bool": {"aws:SecureTransport": "false"}} in [each.get("Condition") for each in policy]


def test_ses_may_put_mail_under_its_prefix_for_this_account_alone(core: Stack) -> None:
    statements = core.find("AWS::S3::BucketPolicy", "Mail")["Properties"]["PolicyDocument"]["Statement"]
    (allowed,) = [each for each in statements if each["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "ses.amazonaws.com"}
    assert allowed["Action"] == "s3:PutObject"
    assert allowed["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert json.dumps(allowed["Resource"]).endswith('"/inbound/*"]]}')


def test_raw_mail_expires_and_content_does_not(core: Stack) -> None:
    expiring = {}
    for name, bucket in core.of_type("AWS::S3::Bucket").items():
        rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        expiring[name] = [rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule]
    assert sorted(expiring.values()) == [[], [], [7], [30]]


def test_the_signing_secret_is_generated_as_key_one(core: Stack) -> None:
    (secret,) = core.properties("AWS::SecretsManager::Secret")
    generated = secret["GenerateSecretString"]
    assert json.loads(generated["SecretStringTemplate"]) == {"active": "1"}
    assert generated["GenerateStringKey"] == "1"
    assert generated["PasswordLength"] >= 43  # 256 bits of letters and digits


def test_the_group_of_schedules_goes_with_the_stack_whose_next_deployment_would_meet_its_name(core: Stack) -> None:
    (group,) = core.of_type("AWS::Scheduler::ScheduleGroup").values()
    assert group["DeletionPolicy"] == "Delete"
