"""The declaration of the tables makes the same tables in CloudFormation and by boto3."""

import boto3
import pytest
from moto import mock_aws

from infra.tables import AUDIT, TABLES, Table, create_table_arguments
from tests.infra.conftest import Stack

SAME_IN_BOTH = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_template_has_the_declared_table(core: Stack, table: Table) -> None:
    properties = core.find("AWS::DynamoDB::Table", f"Data{table.name.title()}Table")["Properties"]
    declared = create_table_arguments(table, "any")
    for name in SAME_IN_BOTH:
        assert _sorted(properties.get(name)) == _sorted(declared.get(name))


@mock_aws
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_boto3_makes_the_declared_table(table: Table) -> None:
    client = boto3.client("dynamodb", region_name="us-east-1")
    client.create_table(**create_table_arguments(table, "made"))
    made = client.describe_table(TableName="made")["Table"]
    assert {index["IndexName"] for index in made.get("GlobalSecondaryIndexes", [])} == {i.name for i in table.indexes}
    assert ("LatestStreamArn" in made) == table.streams_new_images


def test_only_the_audit_table_has_a_stream_and_its_events_never_expire(core: Stack) -> None:
    for table in TABLES:
        properties = core.find("AWS::DynamoDB::Table", f"Data{table.name.title()}Table")["Properties"]
        assert properties.get("StreamSpecification") == ({"StreamViewType": "NEW_IMAGE"} if table is AUDIT else None)
        expiry = {"AttributeName": "ttl", "Enabled": True} if table is not AUDIT else None
        assert properties.get("TimeToLiveSpecification") == expiry


def _sorted(value: object) -> object:
    """Return lists of definitions in one order, which is of no meaning but for keys."""
    if isinstance(value, list) and value and isinstance(value[0], dict) and "KeyType" not in value[0]:
        return sorted(value, key=repr)
    return value
