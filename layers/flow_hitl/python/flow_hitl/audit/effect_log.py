"""The record of each effect, which one worker takes for a while; that it is done, the log says, or the record."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.audit.audit_log import DynamoAuditLog
from flow_hitl.audit.effects import NOTED, Effect, EffectState, is_done
from flow_hitl.audit.ports import EffectBusy, Try
from flow_hitl.platform.dynamodb import batch_delete, batch_get, error_code, item, old_item, values, write_id


class DynamoEffectLog:
    """The records; `pause` waits where DynamoDB does not keep up.

    The log is asked only about what another worker took and did not give back, which is rare.
    """

    def __init__(self, client: Any, table: str, audit: DynamoAuditLog, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._audit, self._pause = client, table, audit, pause

    def claim(self, effect: Effect, now: datetime, lease: timedelta) -> bool:
        return self._take(effect, now, lease) is not None

    def begin(self, effect: Effect, now: datetime, lease: timedelta) -> Try | None:
        before = self._take(effect, now, lease, " ADD tries :one", {":one": 1})
        if before is None:
            return None
        return Try(int(before.get("tries", 0)) + 1, json.loads(before["kept"]) if "kept" in before else None)

    def _take(
        self,
        effect: Effect,
        now: datetime,
        lease: timedelta,
        more: str = "",
        more_names: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any] | None:
        """Return the record from before it was ours, None if it is done; raises EffectBusy."""
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
                ReturnValues="ALL_OLD",
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
            if old.get("written_by") != written_by:
                if self._is_noted(effect):
                    return None
                raise EffectBusy(f"{effect} is being worked on") from None
            # Our own write, whose answer was lost, and what stood there before it.
            before = {**old, "tries": old["tries"] - 1} if "tries" in old else old
        else:
            before = values(answer.get("Attributes", {}))
        return None if _may_be_done(before) and self._is_noted(effect) else before

    def _is_noted(self, effect: Effect) -> bool:
        if effect.kind not in NOTED:
            return False
        return is_done(effect, list(self._audit.later(effect.request_id, effect.event_seq)))

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
        states = {effect: _state(records.get((key["pk"], key["sk"])), now) for effect, key in keys.items()}
        # One without a record, too: that of an email may have been forgotten for whom it names.
        unsure = [one for one, state in states.items() if state is not EffectState.DONE and one.kind in NOTED]
        since: dict[str, int] = {}
        for one in unsure:
            since[one.request_id] = min(one.event_seq, since.get(one.request_id, one.event_seq))
        later = {request_id: list(self._audit.later(request_id, seq)) for request_id, seq in since.items()}
        done = {one: EffectState.DONE for one in unsure if is_done(one, later[one.request_id])}
        return {**states, **done}

    def recorded(self, effects: Sequence[Effect]) -> Sequence[Effect]:
        keys = [effect_key(effect) for effect in effects]
        found = batch_get(self._client, self._table, keys, self._pause) if keys else ()
        there = {(record["pk"], record["sk"]) for record in found}
        return [effect for effect, key in zip(effects, keys, strict=True) if (key["pk"], key["sk"]) in there]

    def forget(self, effects: Sequence[Effect]) -> None:
        batch_delete(self._client, self._table, [item(effect_key(effect)) for effect in effects], self._pause)

    def _update(self, effect: Effect, expression: str, names: Mapping[str, Any], **more: Any) -> Any:
        return self._client.update_item(
            TableName=self._table,
            Key=item(effect_key(effect)),
            UpdateExpression=expression,
            ExpressionAttributeValues=item(names),
            **more,
        )


def _may_be_done(before: Mapping[str, Any]) -> bool:
    """Tell whether an earlier worker may have done it: it did not give it back as not done."""
    return bool(before.get("lease_until") or before.get("tries") or "kept" in before)


def _state(record: Mapping[str, Any] | None, now: datetime) -> EffectState:
    if record is None:
        return EffectState.UNKNOWN
    if record.get("done"):
        return EffectState.DONE
    return EffectState.TAKEN if record.get("lease_until", 0) > now.timestamp() else EffectState.BEGUN


def effect_key(effect: Effect) -> dict[str, str]:
    """Return the key of an effect's record, which is the effect's deterministic id."""
    return {"pk": effect.request_id, "sk": f"effect#{effect.name}"}
