"""Seals of the audit log: digests in a bucket with Object Lock, signed with a key in KMS."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import error_code
from flow_hitl.proof.verify_audit import fingerprint, pem

DIGESTS, SECTIONS, KEYS = "digests/", "sections/", "keys/"


class S3SealStore:
    """The bucket, in which each object is written once."""

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def ends(self, after: str = "") -> Iterator[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=DIGESTS, StartAfter=_digest_key(after) if after else DIGESTS
        )
        for page in pages:
            for entry in page.get("Contents", []):
                yield str(entry["Key"]).removeprefix(DIGESTS).removesuffix(".json")

    def digest(self, until: str) -> Mapping[str, Any] | None:
        found = self._get(_digest_key(until))
        return _signed(found) if found is not None else None

    def add_digest(self, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        return _signed(self._add(_digest_key(signed["digest"]["until"]), canonical_json(signed).encode()))

    def section(self, deployment_id: int, until: str) -> bytes | None:
        return self._get(_section_key(deployment_id, until))

    def add_section(self, deployment_id: int, until: str, content: bytes) -> bytes:
        return self._add(_section_key(deployment_id, until), content)

    def add_public_key(self, public_key: bytes) -> None:
        self._add(f"{KEYS}{fingerprint(public_key)}.pem", pem(public_key).encode())

    def _add(self, key: str, content: bytes) -> bytes:
        try:
            self._client.put_object(Bucket=self._bucket, Key=key, Body=content, IfNoneMatch="*")
        except ClientError as error:
            # S3 reports the second for a concurrent write of the same object.
            if error_code(error) not in ("PreconditionFailed", "ConditionalRequestConflict"):
                raise
            found = self._get(key)
            if found is None:
                raise
            return found
        return content

    def _get(self, key: str) -> bytes | None:
        try:
            content: bytes = self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            return None
        return content


class KmsSealKey:
    """An asymmetric key of KMS."""

    def __init__(self, client: Callable[[], Any], key_id: str) -> None:
        self._client, self._key_id = client, key_id

    def sign(self, message: bytes) -> bytes:
        answer = self._client().sign(
            KeyId=self._key_id, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
        )
        signature: bytes = answer["Signature"]
        return signature

    def public_key(self) -> bytes:
        return self._public_key

    @cached_property
    def _public_key(self) -> bytes:
        found: bytes = self._client().get_public_key(KeyId=self._key_id)["PublicKey"]
        return found


def _signed(content: bytes) -> Mapping[str, Any]:
    try:
        signed = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return signed if isinstance(signed, dict) else {}


def _digest_key(until: str) -> str:
    return f"{DIGESTS}{until}.json"


def _section_key(deployment_id: int, until: str) -> str:
    return f"{SECTIONS}{deployment_id}/{until}.jsonl"
