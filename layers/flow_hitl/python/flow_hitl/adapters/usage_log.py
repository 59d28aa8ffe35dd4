"""What each deployment has used of its quotas: one small record a day, beside the configuration it is read with."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from flow_hitl.adapters.dynamodb import item
from flow_hitl.domain.quotas import Usage

_KEPT = timedelta(days=7)


def usage_key(deployment_id: int, moment: datetime) -> dict[str, str]:
    """Return the key of the day's record."""
    return {"pk": f"deployment#{deployment_id}", "sk": f"activity#{moment.astimezone(UTC):%Y-%m-%d}"}


def read_usage(record: Mapping[str, Any], now: datetime) -> Usage:
    """Return what a day's record says of the day and of the present hour; a record that is not there is {}."""
    return Usage(requests=int(record.get(_requests(now), 0)), mails=int(record.get("mails", 0)))


class DynamoUsageLog:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, deployment_id: int, hour: datetime, used: Usage) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=item(usage_key(deployment_id, hour)),
            UpdateExpression="ADD mails :mails, #requests :requests SET #ttl = :ttl",
            ExpressionAttributeNames={"#requests": _requests(hour), "#ttl": "ttl"},
            ExpressionAttributeValues=item(
                {":mails": used.mails, ":requests": used.requests, ":ttl": int((hour + _KEPT).timestamp())}
            ),
        )


def _requests(moment: datetime) -> str:
    return f"requests_{moment.astimezone(UTC):%H}"
