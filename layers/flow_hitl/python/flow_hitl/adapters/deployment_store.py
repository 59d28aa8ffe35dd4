"""The deployments table: one item holds all that the hot path needs to know of a deployment."""

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from flow_hitl.adapters.dynamodb import error_code, item, values
from flow_hitl.domain.deployment import Deployment
from flow_hitl.domain.errors import NotFound, PreconditionFailed

_deployments = TypeAdapter(Deployment)
_CONFIG = "config"
# Everything that lists deployments or hands out their ids stands under this one key.
_REGISTRY = "deployments"


class DynamoDeploymentStore:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self, deployment_id: int) -> Deployment:
        key = item({"pk": _pk(deployment_id), "sk": _CONFIG})
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if found is None:
            raise NotFound(f"There is no deployment {deployment_id}.")
        return _deployments.validate_json(values(found)["doc"])

    def save(self, deployment: Deployment, expected_version: int | None) -> None:
        record = {
            "pk": _pk(deployment.deployment_id),
            "sk": _CONFIG,
            "doc": _deployments.dump_json(deployment).decode(),
            "version": deployment.version,
        }
        condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
        if expected_version is not None:
            condition = {
                "ConditionExpression": "version = :version",
                "ExpressionAttributeValues": item({":version": expected_version}),
            }
        try:
            self._client.put_item(TableName=self._table, Item=item(record), **condition)
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise PreconditionFailed("The deployment was changed in the meantime; read it and try again.") from None
            raise
        if expected_version is None:
            entry = {
                "pk": _REGISTRY,
                "sk": f"deployment#{deployment.deployment_id:015d}",
                "id": deployment.deployment_id,
            }
            self._client.put_item(TableName=self._table, Item=item(entry))

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
        return [int(values(row)["id"]) for page in pages for row in page["Items"]]


def _pk(deployment_id: int) -> str:
    return f"deployment#{deployment_id}"
