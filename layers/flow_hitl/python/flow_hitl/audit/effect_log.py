"""The record of each effect: taken for a while by one worker, then done for good."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.audit.effects import Effect, EffectState
from flow_hitl.audit.ports import EffectBusy, Try
from flow_hitl.platform.dynamodb import batch_get, error_code, item, old_item, values, write_id


class DynamoEffectLog:
    """The records; `pause` waits where DynamoDB does not keep up."""

    def __init__(self, client: Any, table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._pause = client, table, pause

    def claim(self, effect: Effect, now: datetime, lease: timedelta) -> bool:
        return self._take(effect, now, lease) is not None

    def begin(self, effect: Effect, now: datetime, lease: timedelta) -> Try | None:
        record = self._take(effect, now, lease, " ADD tries :one", {":one": 1})
        if record is None:
            return None
        return Try(int(record["tries"]), json.loads(record["kept"]) if "kept" in record else None)

    def _take(
        self,
        effect: Effect,
        now: datetime,
        lease: timedelta,
        more: str = "",
        more_names: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any] | None:
        """Return the record once it is ours, None if it is done; raises EffectBusy."""
        written_by = write_id()
        try:
            answer = self._update(
                effect,
                f"SET lease_until = :until, written_by = :written_by{more}",
                {
                    ":until": int((now + lease).timestamp()),
                    ":now": int(now.timestamp()),
                    ":written_by": written_by,
                    **(more_names or {}),
                },
                ReturnValues="ALL_NEW",
                ConditionExpression="attribute_not_exists(done) AND "
                "(attribute_not_exists(lease_until) OR lease_until <= :now)",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            old = old_item(error)
            if old.get("done"):
                return None
            if old.get("written_by") == written_by:
                return old
            raise EffectBusy(f"{effect} is being worked on") from None
        return values(answer["Attributes"])

    def release(self, effect: Effect) -> None:
        self._update(effect, "SET lease_until = :never", {":never": 0})

    def came_to_nothing(self, effect: Effect) -> None:
        self._update(effect, "SET lease_until = :never ADD tries :one_less", {":never": 0, ":one_less": -1})

    def keep(self, effect: Effect, result: Mapping[str, str]) -> None:
        self._update(effect, "SET lease_until = :never, kept = :kept", {":never": 0, ":kept": json.dumps(result)})

    def complete(self, effect: Effect) -> None:
        self._update(effect, "SET done = :true", {":true": True})

    def states(self, effects: Sequence[Effect], now: datetime) -> Mapping[Effect, EffectState]:
        keys = {effect: effect_key(effect) for effect in effects}
        found = batch_get(self._client, self._table, keys.values(), self._pause, consistent=False)
        records = {(record["pk"], record["sk"]): record for record in found}
        return {effect: _state(records.get((key["pk"], key["sk"])), now) for effect, key in keys.items()}

    def _update(self, effect: Effect, expression: str, names: Mapping[str, Any], **more: Any) -> Any:
        return self._client.update_item(
            TableName=self._table,
            Key=item(effect_key(effect)),
            UpdateExpression=expression,
            ExpressionAttributeValues=item(names),
            **more,
        )


def _state(record: Mapping[str, Any] | None, now: datetime) -> EffectState:
    if record is None:
        return EffectState.UNKNOWN
    if record.get("done"):
        return EffectState.DONE
    return EffectState.TAKEN if record.get("lease_until", 0) > now.timestamp() else EffectState.BEGUN


def effect_key(effect: Effect) -> dict[str, str]:
    """Return the key of an effect's record, which is the effect's deterministic id."""
    target = f"#{effect.target}" if effect.target else ""
    return {"pk": effect.request_id, "sk": f"effect#{effect.event_seq:06d}#{effect.kind.value}{target}"}
