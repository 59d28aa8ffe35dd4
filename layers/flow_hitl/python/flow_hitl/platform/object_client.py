"""Objects of S3 read and written whole, without the SDK; whatever else is asked of S3, a boto3 client does."""

import base64
import io
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from flow_hitl.platform.json_client import Answer, Endpoint, JsonClient, endpoint_of

# Other members, such as a version or a lock, and other names of buckets are the SDK's.
_MEMBERS = {"GetObject": {"Bucket", "Key"}, "PutObject": {"Bucket", "Key", "Body"}}
_PLAIN_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def object_client_for(region: str, environ: Mapping[str, str], boto3_client: Callable[[], Any]) -> Any:
    """Return our client of S3 in a region, or None where only the SDK knows the way."""
    endpoint = endpoint_of("s3", region, environ)
    return ObjectClient(region, endpoint, boto3_client) if endpoint else None


class ObjectClient:
    """S3 in one region; `get_object` and `put_object` are those of boto3, of objects that fit into memory."""

    def __init__(self, region: str, endpoint: Endpoint, boto3_client: Callable[[], Any]) -> None:
        self._region, self.endpoint, self._boto3_client = region, endpoint, boto3_client
        self._buckets: dict[str, _Bucket] = {}

    def get_object(self, **parameters: Any) -> Any:
        return self._made("GetObject", parameters) or self._boto3_client().get_object(**parameters)

    def put_object(self, **parameters: Any) -> Any:
        return self._made("PutObject", parameters) or self._boto3_client().put_object(**parameters)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._boto3_client(), name)

    def _made(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Return the answer to a call, or None for one that is the SDK's."""
        bucket, body = str(parameters.get("Bucket", "")), parameters.get("Body", b"")
        if parameters.keys() != _MEMBERS[operation] or not isinstance(body, bytes):
            return None
        if not _PLAIN_BUCKET.fullmatch(bucket):
            return None
        found = self._buckets.get(bucket)
        if found is None:
            found = self._buckets[bucket] = _Bucket(bucket, self._region, self.endpoint, self._boto3_client)
        return found.call(operation, parameters)


class _Bucket(JsonClient):
    """One bucket: at AWS, each has a host of its own."""

    def __init__(self, bucket: str, region: str, endpoint: Endpoint, boto3_client: Callable[[], Any]) -> None:
        self._base = "/"
        if endpoint.host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            host, authority = f"{bucket}.{endpoint.host}", f"{bucket}.{endpoint.authority}"
            endpoint = endpoint._replace(url=f"https://{authority}/", host=host, authority=authority)
        else:
            self._base = f"/{bucket}/"
        super().__init__("s3", region, endpoint, boto3_client)

    def _request(self, operation: str, parameters: Mapping[str, Any]) -> tuple[str, str, str, bytes]:
        path = self._base + quote(parameters["Key"], safe="/-_.~")
        return "PUT" if operation == "PutObject" else "GET", path, "", parameters.get("Body", b"")

    def _own_headers(self, operation: str, body: bytes, digest: str) -> Mapping[str, str]:
        return {"x-amz-content-sha256": digest, **(_checksum(body) if operation == "PutObject" else {})}

    def _signed_path(self, path: str) -> str:
        # S3 alone signs a path as it is sent.
        return path

    def _read(self, operation: str, answer: Answer) -> dict[str, Any]:
        if operation == "PutObject":
            return {}
        return {"Body": io.BytesIO(answer.body), "ContentLength": len(answer.body)}


def _checksum(body: bytes) -> Mapping[str, str]:
    """Return what S3 checks an object by that is written; a bucket under Object Lock asks for it."""
    crc = base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    return {"x-amz-checksum-crc32": crc, "x-amz-sdk-checksum-algorithm": "CRC32"}
