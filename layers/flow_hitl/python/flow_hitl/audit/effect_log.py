"""The record of each effect: taken for a while by one worker, then done for good."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.audit.effects import Effect
from flow_hitl.audit.ports import EffectBusy
from flow_hitl.platform.dynamodb import error_code, item, old_item, write_id


class DynamoEffectLog:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def claim(self, effect: Effect, now: datetime, lease: timedelta) -> bool:
        written_by = write_id()
        try:
            self._update(
                effect,
                "SET lease_until = :until, written_by = :written_by",
                {
                    ":until": int((now + lease).timestamp()),
                    ":now": int(now.timestamp()),
                    ":written_by": written_by,
                },
                ConditionExpression="attribute_not_exists(done) AND "
                "(attribute_not_exists(lease_until) OR lease_until <= :now)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            old = old_item(error)
            if old.get("done"):
                return False
            if old.get("written_by") == written_by:
                return True
            raise EffectBusy(f"{effect} is being worked on") from None
        return True

    def release(self, effect: Effect) -> None:
        self._update(effect, "SET lease_until = :never", {":never": 0})

    def complete(self, effect: Effect) -> None:
        self._update(effect, "SET done = :true", {":true": True})

    def _update(self, effect: Effect, expression: str, names: Mapping[str, Any], **more: Any) -> None:
        self._client.update_item(
            TableName=self._table,
            Key=item(effect_key(effect)),
            UpdateExpression=expression,
            ExpressionAttributeValues=item(names),
            **more,
        )


def effect_key(effect: Effect) -> dict[str, str]:
    """Return the key of an effect's record, which is the effect's deterministic id."""
    target = f"#{effect.target}" if effect.target else ""
    return {"pk": effect.request_id, "sk": f"effect#{effect.event_seq:06d}#{effect.kind.value}{target}"}
