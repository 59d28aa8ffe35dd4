"""Webhooks and their deliveries, in the deployments table next to their configuration."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from flow_hitl.audit.effects import EffectState
from flow_hitl.audit.ports import EffectBusy
from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.platform.call_log import put_call, write_called
from flow_hitl.platform.cursors import foreign_cursor
from flow_hitl.platform.dynamodb import batch_get, error_code, item, old_item, values, write_id
from flow_hitl.platform.errors import NotFound
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.repeated_calls import CallRecord
from flow_hitl.platform.unreadable import known, readable
from flow_hitl.webhooks.ports import DeliveryPage
from flow_hitl.webhooks.webhook import Delivery, DeliveryResult, Webhook

_webhooks, _deliveries, _results = TypeAdapter(Webhook), TypeAdapter(Delivery), TypeAdapter(DeliveryResult)
_WEBHOOK, _DELIVERY = "webhook#", "delivery#"
_KEPT = timedelta(days=90)
_UNREADABLE = "What is stored of a webhook is nothing that this service has written."
_UNREADABLE_DELIVERY = "What is stored of a delivery is nothing that this service has written."
# DynamoDB rejects keys above 1 KB, so only well-formed ids are looked up.
_WEBHOOK_ID = re.compile(r"wh_[0-9a-f]{32}")
_DELIVERY_ID = re.compile(r"dlv_[0-9a-f]{34}")


class DynamoWebhookStore:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def list(self, deployment_id: int) -> Sequence[Webhook]:
        read = (readable(partial(_webhook, values(row)), _UNREADABLE) for row in self._rows(deployment_id))
        found = (webhook for webhook in read if webhook is not None)
        return sorted(found, key=lambda webhook: (webhook.created_at, webhook.webhook_id))

    def stored(self, deployment_id: int) -> Mapping[str, Mapping[str, Any]]:
        return {row["sk"]["S"].removeprefix(_WEBHOOK): row for row in self._rows(deployment_id)}

    def _rows(self, deployment_id: int) -> Iterator[Mapping[str, Any]]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=item({":pk": f"deployment#{deployment_id}", ":prefix": _WEBHOOK}),
        )
        for page in pages:
            yield from page["Items"]

    def load(self, deployment_id: int, webhook_id: str) -> Webhook:
        found = _WEBHOOK_ID.fullmatch(webhook_id) and self._client.get_item(
            TableName=self._table, Key=item(_webhook_key(deployment_id, webhook_id)), ConsistentRead=True
        ).get("Item")
        if not found:
            raise NotFound("There is no such webhook in this deployment.")
        return known(lambda: _webhook(values(found)), _UNREADABLE)

    def reading(self, deployment_id: int, webhook_id: str) -> Reading[Webhook | None]:
        def made(records: Sequence[Mapping[str, Any]]) -> Webhook | None:
            return known(lambda: _webhook(records[0]), _UNREADABLE) if records else None

        return Reading(self._table, [_webhook_key(deployment_id, webhook_id)], made)

    def writing(self, webhook: Webhook) -> TransactionPart:
        key = _webhook_key(webhook.deployment_id, webhook.webhook_id)
        return {"Put": {"TableName": self._table, "Item": item({**key, "doc": _webhooks.dump_json(webhook).decode()})}}

    def removing(self, webhook: Webhook) -> TransactionPart:
        key = _webhook_key(webhook.deployment_id, webhook.webhook_id)
        return {"Delete": {"TableName": self._table, "Key": item(key)}}


class DynamoDeliveryLog:
    def __init__(self, client: Any, table: str, calls_table: str, pause: Callable[[int], None]) -> None:
        self._client, self._table, self._calls_table, self._pause = client, table, calls_table, pause

    def add(self, delivery: Delivery, called: CallRecord | None = None) -> None:
        record = {
            **_delivery_key(delivery.webhook_id, delivery.delivery_id),
            "doc": _deliveries.dump_json(delivery).decode(),
            "attempts": 0,
            "ttl": int((delivery.at + _KEPT).timestamp()),
        }
        new: dict[str, Any] = {
            "TableName": self._table,
            "Item": item(record),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
        if called is not None:
            parts = [{"Put": new}, put_call(self._calls_table, called)]
            write_called(self._client, parts, called, self._pause)
            return
        try:
            self._client.put_item(**new)
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def load(self, webhook_id: str, delivery_id: str) -> Delivery:
        found = _DELIVERY_ID.fullmatch(delivery_id) and self._client.get_item(
            TableName=self._table, Key=item(_delivery_key(webhook_id, delivery_id)), ConsistentRead=True
        ).get("Item")
        return _found([values(found)] if found else [])

    def reading(self, webhook_id: str, delivery_id: str) -> Reading[Delivery]:
        return Reading(self._table, [_delivery_key(webhook_id, delivery_id)], _found)

    def states(self, ids: Sequence[tuple[str, str]], now: datetime) -> Mapping[tuple[str, str], EffectState]:
        found = self._items([_delivery_key(*one) for one in ids])
        open_ones = {
            (doc["webhook_id"], doc["delivery_id"]): (_webhook_key(doc["deployment_id"], doc["webhook_id"]), record)
            for record in found
            if "result" not in record
            for doc in [json.loads(record["doc"])]
        }
        webhooks = {record["sk"] for record in self._items([key for key, _ in open_ones.values()])}
        states = {one: _state(record, now) for one, (key, record) in open_ones.items() if key["sk"] in webhooks}
        return {one: states.get(one, EffectState.DONE) for one in ids}

    def _items(self, keys: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
        return list(batch_get(self._client, self._table, keys, self._pause, consistent=False)) if keys else []

    def page(self, webhook_id: str, limit: int, cursor: str | None) -> DeliveryPage:
        query: dict[str, Any] = {}
        if cursor is not None:
            if not _DELIVERY_ID.fullmatch(cursor):
                raise foreign_cursor()
            query["ExclusiveStartKey"] = item(_delivery_key(webhook_id, cursor))
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=item({":pk": _log(webhook_id), ":prefix": _DELIVERY}),
            ScanIndexForward=False,
            Limit=limit,
            **query,
        )
        last = answer.get("LastEvaluatedKey")
        next_cursor = values(last)["sk"].removeprefix(_DELIVERY) if last else None
        read = (readable(partial(_delivery, values(row)), _UNREADABLE_DELIVERY) for row in answer["Items"])
        return DeliveryPage([delivery for delivery in read if delivery is not None], next_cursor)

    def begin(self, delivery: Delivery, now: datetime, lease: timedelta) -> int:
        written_by = write_id()
        try:
            answer = self._update(
                delivery,
                "SET lease_until = :until, written_by = :written_by ADD attempts :one",
                {
                    ":until": int((now + lease).timestamp()),
                    ":now": int(now.timestamp()),
                    ":one": 1,
                    ":written_by": written_by,
                },
                ConditionExpression="attribute_not_exists(#result) AND "
                "(attribute_not_exists(lease_until) OR lease_until <= :now)",
                ExpressionAttributeNames={"#result": "result"},
                ReturnValues="UPDATED_NEW",
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            old = old_item(error)
            if old.get("written_by") == written_by:
                return int(old["attempts"])
            raise EffectBusy(f"delivery {delivery.delivery_id} is being worked on") from None
        return int(values(answer["Attributes"])["attempts"])

    def finish(self, delivery: Delivery, result: DeliveryResult) -> None:
        self._update(
            delivery,
            "SET #result = :result",
            {":result": _results.dump_json(result).decode()},
            ExpressionAttributeNames={"#result": "result"},
        )

    def finishing(self, delivery: Delivery, result: DeliveryResult) -> TransactionPart:
        names = {":result": _results.dump_json(result).decode(), ":true": True}
        return {
            "Update": {
                "TableName": self._table,
                "Key": item(_delivery_key(delivery.webhook_id, delivery.delivery_id)),
                "UpdateExpression": "SET #result = :result, noted = :true",
                "ConditionExpression": "attribute_not_exists(#result)",
                "ExpressionAttributeNames": {"#result": "result"},
                "ExpressionAttributeValues": item(names),
            }
        }

    def _update(self, delivery: Delivery, expression: str, names: dict[str, Any], **more: Any) -> Any:
        return self._client.update_item(
            TableName=self._table,
            Key=item(_delivery_key(delivery.webhook_id, delivery.delivery_id)),
            UpdateExpression=expression,
            ExpressionAttributeValues=item(names),
            **more,
        )


def _webhook(record: Mapping[str, Any]) -> Webhook:
    return _webhooks.validate_json(record["doc"])


def _state(record: Mapping[str, Any], now: datetime) -> EffectState:
    if record.get("lease_until", 0) > now.timestamp():
        return EffectState.TAKEN
    return EffectState.BEGUN if record["attempts"] else EffectState.UNKNOWN


def _found(records: Sequence[Mapping[str, Any]]) -> Delivery:
    if not records:
        raise NotFound("There is no such delivery of this webhook; they are kept for 90 days.")
    return known(lambda: _delivery(records[0]), _UNREADABLE_DELIVERY)


def _delivery(record: Mapping[str, Any]) -> Delivery:
    doc = json.loads(record["doc"])
    doc["attempts"] = int(record["attempts"])
    doc["result"] = json.loads(record["result"]) if "result" in record else None
    doc["noted"] = bool(record.get("noted"))
    return _deliveries.validate_python(doc)


def _webhook_key(deployment_id: int, webhook_id: str) -> dict[str, str]:
    return {"pk": f"deployment#{deployment_id}", "sk": f"{_WEBHOOK}{webhook_id}"}


def _delivery_key(webhook_id: str, delivery_id: str) -> dict[str, str]:
    return {"pk": _log(webhook_id), "sk": f"{_DELIVERY}{delivery_id}"}


def _log(webhook_id: str) -> str:
    return f"webhook#{webhook_id}"
