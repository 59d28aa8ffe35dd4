"""The three DynamoDB tables, which CDK and the fixture make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Key:
    """A key attribute and its DynamoDB type: S (string) or N (number)."""

    name: str
    type: Literal["S", "N"] = "S"


@dataclass(frozen=True)
class Index:
    """A global secondary index of the keys and the attributes in `carries`."""

    name: str
    partition: Key
    sort: Key
    carries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table's keys, indexes, time-to-live attribute and stream of new images."""

    name: str
    partition: Key
    sort: Key
    indexes: tuple[Index, ...] = ()
    ttl_attribute: str | None = None
    streams_new_images: bool = False


# What a list shows of a request, read from an index alone.
LIST_COLUMNS = (
    "status",
    "flow_name",
    "method_name",
    "summary",
    "assigned_to_email",
    "sla_due_at",
    "outcome",
    "responded_via",
    "decided_at",
    "test",
)

REQUESTS = Table(
    name="requests",
    partition=Key("pk"),
    sort=Key("sk"),
    indexes=(
        Index("by_created", Key("created_shard"), Key("created_key"), LIST_COLUMNS),
        Index("by_status", Key("status_shard"), Key("created_key"), LIST_COLUMNS),
        Index("by_assignee", Key("assignee_status"), Key("created_key"), LIST_COLUMNS),
        Index("by_due", Key("due_shard"), Key("due_key"), (*LIST_COLUMNS, "created_key")),
        Index("by_decision", Key("decision_shard"), Key("decision_key")),
    ),
    ttl_attribute="ttl",
)

AUDIT = Table(
    name="audit",
    partition=Key("subject"),
    sort=Key("seq", "N"),
    indexes=(Index("by_day", Key("day_shard"), Key("day_key"), ("hash",)),),
    streams_new_images=True,
)

DEPLOYMENTS = Table(name="deployments", partition=Key("pk"), sort=Key("sk"), ttl_attribute="ttl")

TABLES = (REQUESTS, AUDIT, DEPLOYMENTS)


def create_table_arguments(table: Table, name: str) -> dict[str, Any]:
    """Return the arguments of boto3's `create_table` for this table under `name`; time to live is set separately."""
    keys = {key.name: key for index in table.indexes for key in (index.partition, index.sort)}
    keys |= {key.name: key for key in (table.partition, table.sort)}
    arguments: dict[str, Any] = {
        "TableName": name,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": key.name, "AttributeType": key.type} for key in keys.values()],
        "KeySchema": _key_schema(table.partition, table.sort),
    }
    if table.indexes:
        arguments["GlobalSecondaryIndexes"] = [
            {
                "IndexName": index.name,
                "KeySchema": _key_schema(index.partition, index.sort),
                "Projection": _projection(index),
            }
            for index in table.indexes
        ]
    if table.streams_new_images:
        arguments["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    return arguments


def _key_schema(partition: Key, sort: Key) -> list[Mapping[str, str]]:
    return [
        {"AttributeName": partition.name, "KeyType": "HASH"},
        {"AttributeName": sort.name, "KeyType": "RANGE"},
    ]


def _projection(index: Index) -> dict[str, Any]:
    if not index.carries:
        return {"ProjectionType": "KEYS_ONLY"}
    return {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(index.carries)}
