"""What each deployment has used of its quotas: one small record a day, beside the configuration it is read with."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.deployments.quotas import NO_USAGE, Usage, full_hour
from flow_hitl.platform.dynamodb import error_code, item, old_item
from flow_hitl.platform.unreadable import readable

_KEPT = timedelta(days=7)
_QUARTER = 15
# Four hours of quarters: the fewer there are to clear, the shorter is the expression that each count sends.
_PLACES = 16


def usage_key(deployment_id: int, moment: datetime) -> dict[str, str]:
    """Return the key of the day's record."""
    return {"pk": f"deployment#{deployment_id}", "sk": f"activity#{moment.astimezone(UTC):%Y-%m-%d}"}


def read_usage(record: Mapping[str, Any], now: datetime) -> Usage:
    """Return what a day's record says of the day and of the present hour; a record that is not there is {}."""

    def read() -> Usage:
        return Usage(requests=int(record.get(_requests(now), 0)), mails=int(record.get("mails", 0)))

    # A count that somebody wrote over limits nobody, as one that is gone does not.
    return readable(read, "a count of quotas cannot be read") or NO_USAGE


class DynamoUsageLog:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def add(self, deployment_id: int, moment: datetime, used: Usage, marks: Collection[str] = ()) -> Collection[str]:
        # Also against a repetition by the SDK: its marks are there already.
        counted, *others = _counted(moment)
        added, removed = "ADD mails :mails, #requests :requests", ", ".join(others)
        values_by_name: dict[str, Any] = {
            ":mails": used.mails,
            ":requests": used.requests,
            ":ttl": int((full_hour(moment) + _KEPT).timestamp()),
        }
        condition = {}
        if marks:
            added += f", {counted} :marks"
            values_by_name |= {":marks": set(marks), **{f":m{place}": mark for place, mark in enumerate(marks)}}
            new = " AND ".join(f"NOT contains({counted}, :m{place})" for place in range(len(marks)))
            condition = {"ConditionExpression": new, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
        try:
            self._client.update_item(
                TableName=self._table,
                Key=item(usage_key(deployment_id, moment)),
                UpdateExpression=f"{added} SET #ttl = :ttl" + (f" REMOVE {removed}" if removed else ""),
                ExpressionAttributeNames={"#requests": _requests(moment), "#ttl": "ttl"},
                ExpressionAttributeValues=item(values_by_name),
                **condition,
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            before: set[str] = old_item(error).get(counted, set())
            return before.intersection(marks)
        return ()

    def add_behind(self, deployment_id: int, day: datetime, mails: Mapping[str, int]) -> None:
        left = dict(mails)
        while left:
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=item(usage_key(deployment_id, day)),
                    UpdateExpression="ADD mails :mails SET answers_to = :last, #ttl = if_not_exists(#ttl, :ttl)",
                    ConditionExpression="attribute_not_exists(answers_to) OR answers_to < :first",
                    ExpressionAttributeNames={"#ttl": "ttl"},
                    ExpressionAttributeValues=item(
                        {
                            ":mails": sum(left.values()),
                            ":first": min(left),
                            ":last": max(left),
                            ":ttl": int((full_hour(day) + _KEPT).timestamp()),
                        }
                    ),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if error_code(error) != "ConditionalCheckFailedException":
                    raise
                passed = str(old_item(error)["answers_to"])
                left = {place: number for place, number in left.items() if place > passed}
            else:
                return


def _counted(moment: datetime) -> list[str]:
    """Return where the marks of a moment stand, and after that where those stand that are too old to be needed.

    After four hours a place is used again. What nobody cleared in between stays in it until the day is over.
    """
    local = moment.astimezone(UTC)
    quarter = (local.hour * 60 + local.minute) // _QUARTER
    # Of the quarter before, a batch may still come again.
    return [f"counted_{(quarter + ahead) % _PLACES}" for ahead in range(_PLACES - 1)]


def _requests(moment: datetime) -> str:
    return f"requests_{moment.astimezone(UTC):%H}"
