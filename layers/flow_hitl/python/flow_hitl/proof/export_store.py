"""Exports of the audit log: their progress in the deployments table, their files in a bucket for a few days."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from flow_hitl.deployments.ports import TransactionPart
from flow_hitl.platform.dynamodb import item, put_if, values
from flow_hitl.platform.errors import Conflict, NotFound
from flow_hitl.platform.unreadable import known, readable
from flow_hitl.proof.export import EXPORTS_KEPT, AuditExport

_exports = TypeAdapter(AuditExport)
_EXPORT = "export#"
_UNREADABLE = "What is stored of an export is nothing that this service has written."
# Held in memory; S3 takes parts of 5 MB or more.
_PART_BYTES = 8 * 1024 * 1024
_LINK_SECONDS = 3600


class DynamoExportStore:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self, deployment_id: int, export_id: str) -> AuditExport:
        key = item(_key(deployment_id, export_id))
        found = self._client.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")
        if found is None:
            raise NotFound(f"There is no such export; they are kept for {EXPORTS_KEPT.days} days.")
        return known(lambda: _export(values(found)), _UNREADABLE)

    def adding(self, export: AuditExport) -> TransactionPart:
        return {"Put": {"TableName": self._table, "Item": item(_record(export))}}

    def commit(self, export: AuditExport) -> None:
        condition, names = "version = :before", {":before": export.version - 1}
        if not put_if(self._client, self._table, _record(export), condition, names):
            raise Conflict(f"export {export.export_id} has moved on")

    def recent(self, deployment_id: int, limit: int) -> Sequence[AuditExport]:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=item({":pk": _pk(deployment_id), ":prefix": _EXPORT}),
            ScanIndexForward=False,
            Limit=limit,
        )
        read = (readable(partial(_export, values(row)), _UNREADABLE) for row in answer["Items"])
        return [export for export in read if export is not None]


class S3ExportFiles:
    """The bucket; `signing_client` makes the links."""

    def __init__(self, client: Any, signing_client: Callable[[], Any], bucket: str) -> None:
        self._client, self._signing_client, self._bucket = client, signing_client, bucket

    def write(self, key: str, content: Iterable[bytes]) -> tuple[int, str]:
        """Write a file piece by piece, replacing any of the same name."""
        digest, size, held = hashlib.sha256(), 0, bytearray()
        parts: _Parts | None = None
        try:
            for piece in content:
                digest.update(piece)
                size += len(piece)
                held += piece
                if len(held) >= _PART_BYTES:
                    parts = parts or _Parts(self._client, self._bucket, key)
                    parts.add(bytes(held))
                    held.clear()
            if parts is None:
                self._client.put_object(Bucket=self._bucket, Key=key, Body=bytes(held))
            else:
                if held:
                    parts.add(bytes(held))
                parts.complete()
        except BaseException:
            if parts is not None:
                parts.abort()
            raise
        return size, digest.hexdigest()

    def link(self, key: str) -> str:
        disposition = f'attachment; filename="{key.rpartition("/")[2]}"'
        url: str = self._signing_client().generate_presigned_url(
            "get_object",
            Params={"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": disposition},
            ExpiresIn=_LINK_SECONDS,
        )
        return url

    def read(self, key: str) -> Iterator[bytes]:
        body = self._client.get_object(Bucket=self._bucket, Key=key)["Body"]
        while piece := body.read(_PART_BYTES):
            yield piece


class _Parts:
    """A multipart upload."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self._client, self._object = client, {"Bucket": bucket, "Key": key}
        self._upload = {**self._object, "UploadId": client.create_multipart_upload(**self._object)["UploadId"]}
        self._done: list[dict[str, Any]] = []

    def add(self, content: bytes) -> None:
        number = len(self._done) + 1
        answer = self._client.upload_part(**self._upload, PartNumber=number, Body=content)
        self._done.append({"PartNumber": number, "ETag": answer["ETag"]})

    def complete(self) -> None:
        self._client.complete_multipart_upload(**self._upload, MultipartUpload={"Parts": self._done})

    def abort(self) -> None:
        self._client.abort_multipart_upload(**self._upload)


def _export(record: Mapping[str, Any]) -> AuditExport:
    return _exports.validate_json(record["doc"])


def _record(export: AuditExport) -> dict[str, Any]:
    return {
        **_key(export.deployment_id, export.export_id),
        "doc": _exports.dump_json(export).decode(),
        "version": export.version,
        "ttl": int((export.requested_at + EXPORTS_KEPT).timestamp()),
    }


def _key(deployment_id: int, export_id: str) -> dict[str, str]:
    return {"pk": _pk(deployment_id), "sk": f"{_EXPORT}{export_id}"}


def _pk(deployment_id: int) -> str:
    return f"exports#{deployment_id}"
