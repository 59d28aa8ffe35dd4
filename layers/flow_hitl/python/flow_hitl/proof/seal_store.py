"""Seals of the audit log: digests in a bucket with Object Lock, signed with a key in KMS."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.platform.digests import canonical_json
from flow_hitl.platform.dynamodb import error_code
from flow_hitl.platform.times import parse_rfc3339, rfc3339
from flow_hitl.proof.ports import OVERLAID
from flow_hitl.proof.verify_audit import Trust, fingerprint, pem, read_public_key, trust

DIGESTS, SECTIONS, KEYS = "digests/", "sections/", "keys/"


class S3SealStore:
    """The bucket, in which each object is written once.

    Object Lock keeps the first version of a digest: whatever somebody lays over it, that one is read.
    """

    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def ends(self, after: str = "") -> Iterator[str]:
        last = _digest_key(after) if after else DIGESTS
        for page in self._versions(Prefix=DIGESTS, KeyMarker=last):
            for key in sorted({str(version["Key"]) for version in page.get("Versions", [])}):
                # The versions of one may go on on the next page.
                if key > last:
                    yield key.removeprefix(DIGESTS).removesuffix(".json")
                    last = key

    def digest(self, until: str) -> Mapping[str, Any] | None:
        key, first, others = _digest_key(until), None, -1
        for page in self._versions(Prefix=key):
            for version in (*page.get("DeleteMarkers", []), *page.get("Versions", [])):
                if version["Key"] == key:
                    others += 1
                    first = version["VersionId"] if "Size" in version else first
        if first is None:
            return None
        signed = _signed(self._read(key, VersionId=first))
        return {**signed, OVERLAID: True} if others else signed

    def add_digest(self, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        until, content = signed["digest"]["until"], canonical_json(signed).encode()
        ours = self._add(_digest_key(until), content) == content
        return signed if ours else self.digest(until) or {}

    def section(self, deployment_id: int, until: str) -> bytes | None:
        return self._get(_section_key(deployment_id, until))

    def add_section(self, deployment_id: int, until: str, content: bytes) -> bytes:
        return self._add(_section_key(deployment_id, until), content)

    def public_key(self, name: str) -> bytes | None:
        return self._get(f"{KEYS}{name}.pem")

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
            return self._read(key)
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            return None

    def _read(self, key: str, **version: str) -> bytes:
        content: bytes = self._client.get_object(Bucket=self._bucket, Key=key, **version)["Body"].read()
        return content

    def _versions(self, **which: str) -> Iterator[Mapping[str, Any]]:
        """Yield pages of versions by key, the newest of each key first."""
        yield from self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, **which)


class KmsSealKey:
    """An asymmetric key of KMS; `earlier` are the public keys of those before it: see `earlier_keys`."""

    def __init__(self, client: Callable[[], Any], key_id: str, earlier: str = "") -> None:
        self._client, self._key_id, self._earlier = client, key_id, earlier

    def sign(self, message: bytes) -> bytes:
        answer = self._client().sign(
            KeyId=self._key_id, Message=message, MessageType="RAW", SigningAlgorithm="ECDSA_SHA_256"
        )
        signature: bytes = answer["Signature"]
        return signature

    def public_key(self) -> bytes:
        return self._public_key

    def trusted(self) -> Trust:
        return trust(self.public_key()).and_(earlier_keys(self._earlier))

    @cached_property
    def _public_key(self) -> bytes:
        found: bytes = self._client().get_public_key(KeyId=self._key_id)["PublicKey"]
        return found


def earlier_keys(text: str) -> Trust:
    """Return the keys of `BASE64@TIME,…`: each as `aws kms get-public-key` prints it, and when it was replaced.

    Raises ValueError.
    """
    found = Trust({})
    for part in filter(None, text.split(",")):
        key, _, until = part.strip().partition("@")
        one = trust(read_public_key(key.encode()))
        found = found.and_(Trust(one.keys, dict.fromkeys(one.keys, rfc3339(parse_rfc3339(until)))))
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
