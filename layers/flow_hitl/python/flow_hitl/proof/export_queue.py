"""The queue of exports."""

import json
from typing import Any


class SqsExportQueue:
    def __init__(self, client: Any, queue_url: str) -> None:
        self._client, self._queue_url = client, queue_url

    def send(self, deployment_id: int, export_id: str) -> None:
        body = json.dumps({"deployment_id": deployment_id, "export_id": export_id})
        self._client.send_message(QueueUrl=self._queue_url, MessageBody=body)


def read_export(body: str) -> tuple[int, str]:
    """Return the deployment's and the export's id in a message."""
    message = json.loads(body)
    return int(message["deployment_id"]), str(message["export_id"])
