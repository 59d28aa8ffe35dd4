"""The deployments table: one item holds all that the hot path needs to know of a deployment."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.audit.audit_log import put_event
from flow_hitl.audit.bound import is_as_written
from flow_hitl.audit.chain import AuditEvent
from flow_hitl.deployments.deployment import Deployment, DeploymentName
from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.deployments.quotas import Usage
from flow_hitl.deployments.usage_log import read_usage, usage_key
from flow_hitl.platform.call_log import put_call, require_first
from flow_hitl.platform.documents import Documents
from flow_hitl.platform.dynamodb import cancellation_codes, item, transact, values
from flow_hitl.platform.errors import Conflict, FieldError, NotFound, ValidationFailed
from flow_hitl.platform.ports import Reading
from flow_hitl.platform.repeated_calls import CallRecord
from flow_hitl.platform.telemetry import about
from flow_hitl.platform.unreadable import known, readable

_deployments = Documents(Deployment)
_CONFIG = "config"
# Who may sign in: one item per address and deployment, so that a sign-in looks through no deployment.
_PERSON = "person#"
# Everything that lists deployments or hands out their ids stands under this one key.
_REGISTRY = "deployments"
_REGISTERED = re.compile(r"deployment#([0-9]{15})", re.ASCII)
# An item holds 400 KB, its keys and the names of its attributes included.
_MAX_BYTES = 390_000
# DynamoDB's own limit.
_TRANSACTION_ITEMS = 100


class DynamoDeploymentStore:
    def __init__(self, client: Any, table: str, audit_table: str, calls_table: str) -> None:
        self._client, self._table, self._audit_table, self._calls_table = client, table, audit_table, calls_table

    def load(self, deployment_id: int) -> Deployment:
        key = item({"pk": _pk(deployment_id), "sk": _CONFIG})
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        return _loaded(deployment_id, [values(found)] if found else [])

    def reading(self, deployment_id: int) -> Reading[Deployment]:
        key = {"pk": _pk(deployment_id), "sk": _CONFIG}
        return Reading(self._table, [key], lambda records: _loaded(deployment_id, records))

    def strange(self, deployment_id: int) -> Sequence[str]:
        keys = {"pk": _pk(deployment_id), "sk": _CONFIG}, _registered(deployment_id)
        config, listed = (
            self._client.get_item(TableName=self._table, Key=item(key), ConsistentRead=True).get("Item") for key in keys
        )
        wrong = []
        if config is not None and not _is_config(deployment_id, values(config)):
            wrong.append("belongs to a deployment whose configuration holds what none has")
        if listed != item(_entry(deployment_id)):
            wrong.append("belongs to a deployment that is not in the list of deployments as it was written")
        return wrong

    def load_with_usage(self, deployment_id: int, now: datetime) -> tuple[Deployment, Usage]:
        # A day's usage sorts before the configuration and after the usage of the days before: nothing else is read.
        today = usage_key(deployment_id, now)
        found = self._client.query(
            TableName=self._table,
            ConsistentRead=True,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :today AND :config",
            ExpressionAttributeValues=item({":pk": today["pk"], ":today": today["sk"], ":config": _CONFIG}),
        )["Items"]
        records = {record["sk"]: record for record in map(values, found)}
        about(deployment_id=deployment_id)
        if _CONFIG not in records:
            raise _unknown(deployment_id)
        deployment = _deployment_of(deployment_id, records[_CONFIG])
        return deployment, read_usage(records.get(today["sk"], {}), now)

    def create(self, deployment: Deployment, event: AuditEvent) -> None:
        entry = _entry(deployment.deployment_id)
        config = self._put(_record(deployment), ConditionExpression="attribute_not_exists(pk)")
        people = [self._put(_person(deployment, address)) for address in sorted(deployment.people)]
        added = put_event(self._audit_table, event, deployment.deployment_id)
        self._transact([config, added, self._put(entry), *people], event.event_id)

    def commit(
        self,
        deployment: Deployment,
        event: AuditEvent,
        before: Deployment,
        also: TransactionPart | None = None,
        called: CallRecord | None = None,
    ) -> None:
        config = self._put(
            _record(deployment),
            ConditionExpression="version = :version",
            ExpressionAttributeValues=item({":version": before.version}),
        )
        parts = [config, put_event(self._audit_table, event, deployment.deployment_id)]
        if also is not None:
            parts.append(dict(also))
        if called is not None:
            parts.append(put_call(self._calls_table, called))
        for address in sorted(deployment.people - before.people):
            parts.append(self._put(_person(deployment, address)))
        for address in sorted(before.people - deployment.people):
            parts.append({"Delete": {"TableName": self._table, "Key": item(_person_key(deployment, address))}})
        self._transact(parts, event.event_id, called)

    def of_person(self, address: str, limit: int) -> Sequence[DeploymentName]:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=item({":pk": f"{_PERSON}{address.lower()}", ":prefix": "deployment#"}),
            Limit=limit,
        )
        what = "an entry in the list of a person's deployments cannot be read"
        read = (readable(partial(_name_of, values(row)), what) for row in answer["Items"])
        return [name for name in read if name is not None]

    def write_people(self, deployment: Deployment) -> None:
        unchanged = {
            "ConditionCheck": {
                "TableName": self._table,
                "Key": item({"pk": _pk(deployment.deployment_id), "sk": _CONFIG}),
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": item({":version": deployment.version}),
            }
        }
        people = sorted(deployment.people)
        for start in range(0, len(people), _TRANSACTION_ITEMS - 1):
            batch = people[start : start + _TRANSACTION_ITEMS - 1]
            self._transact([unchanged, *(self._put(_person(deployment, address)) for address in batch)])

    def next_id(self) -> int:
        """Return a number that no other deployment of this stack has or will have."""
        answer = self._client.update_item(
            TableName=self._table,
            Key=item({"pk": _REGISTRY, "sk": "counter"}),
            UpdateExpression="ADD last_id :one",
            ExpressionAttributeValues=item({":one": 1}),
            ReturnValues="UPDATED_NEW",
        )
        return int(values(answer["Attributes"])["last_id"])

    def list_ids(self) -> Sequence[int]:
        pages = self._client.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=item({":pk": _REGISTRY, ":prefix": "deployment#"}),
        )
        # By their keys: an id that was changed, or that is none, would keep the seal and the sweep from all others.
        names = (_REGISTERED.fullmatch(values(row)["sk"]) for page in pages for row in page["Items"])
        return [int(name[1]) for name in names if name]

    def _put(self, record: Mapping[str, Any], **conditions: Any) -> dict[str, Any]:
        return {"Put": {"TableName": self._table, "Item": item(record), **conditions}}

    def _transact(
        self, parts: list[dict[str, Any]], token: str | None = None, called: CallRecord | None = None
    ) -> None:
        try:
            transact(self._client, parts, token)
        except ClientError as error:
            require_first(called, parts, error)
            if "ConditionalCheckFailed" in cancellation_codes(error):
                raise Conflict("the deployment has moved on") from None
            raise


def _person(deployment: Deployment, address: str) -> dict[str, Any]:
    return {**_person_key(deployment, address), "id": deployment.deployment_id, "name": deployment.name}


def _person_key(deployment: Deployment, address: str) -> dict[str, str]:
    return {"pk": f"{_PERSON}{address}", "sk": f"deployment#{deployment.deployment_id:015d}"}


def _name_of(row: Mapping[str, Any]) -> DeploymentName:
    return DeploymentName(int(row["id"]), row["name"])


def _registered(deployment_id: int) -> dict[str, str]:
    return {"pk": _REGISTRY, "sk": f"deployment#{deployment_id:015d}"}


def _entry(deployment_id: int) -> dict[str, Any]:
    return {**_registered(deployment_id), "id": deployment_id}


def _is_config(deployment_id: int, record: Mapping[str, Any]) -> bool:
    """Tell whether we could have written a configuration's record like this; one that cannot be read has its finding.

    The document is bound by its event.
    """
    try:
        deployment = _deployments.loads(record["doc"])
        others = {**record, "doc": ""} == {**_record(deployment), "doc": ""}
        is_number = not isinstance(record["version"], bool)
        as_written = is_as_written(record["doc"], json.loads(_deployments.dumps(deployment)))
        return others and is_number and as_written and deployment.deployment_id == deployment_id
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _pk(deployment_id: int) -> str:
    return f"deployment#{deployment_id}"


def _loaded(deployment_id: int, records: Sequence[Mapping[str, Any]]) -> Deployment:
    about(deployment_id=deployment_id)
    if not records:
        raise _unknown(deployment_id)
    return _deployment_of(deployment_id, records[0])


def _deployment_of(deployment_id: int, record: Mapping[str, Any]) -> Deployment:
    """Return the deployment of a record; raises NotAsLogged if we never wrote what stands there."""
    what = f"What is stored of deployment {deployment_id} is nothing that this service has written."
    return known(lambda: _read(record["doc"]), what)


# Each step reads the deployment anew, to act on what it is now, which is mostly what it was before.
@lru_cache(maxsize=16)
def _read(doc: str) -> Deployment:
    return _deployments.loads(doc)


def _unknown(deployment_id: int) -> NotFound:
    return NotFound(f"There is no deployment {deployment_id}.")


def _record(deployment: Deployment) -> dict[str, Any]:
    doc = _deployments.dumps(deployment).encode()
    if len(doc) > _MAX_BYTES:
        message = (
            f"the deployment's whole configuration would take {len(doc):,} bytes, and {_MAX_BYTES:,} can be kept; "
            "make the routing rules fewer or shorter"
        )
        raise ValidationFailed([FieldError("", message)])
    return {"pk": _pk(deployment.deployment_id), "sk": _CONFIG, "doc": doc.decode(), "version": deployment.version}
