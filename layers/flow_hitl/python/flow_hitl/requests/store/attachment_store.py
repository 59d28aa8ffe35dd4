"""Attachments in S3, named by their request and their SHA-256."""

import base64
import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from flow_hitl.platform.dynamodb import error_code
from flow_hitl.requests.attachments import File, object_of
from flow_hitl.requests.request import Attachment


class S3Attachments:
    """The bytes of attachments, apart from the contents of requests."""

    def __init__(self, s3: Callable[[], Any], bucket: str) -> None:
        self._s3, self._bucket = s3, bucket

    def keep(self, request_id: str, files: Sequence[File]) -> None:
        for one in files:
            self._s3().put_object(
                Bucket=self._bucket,
                Key=object_of(request_id, one.attachment),
                Body=one.content,
                ContentType=one.attachment.media_type,
                # What verification compares: S3 keeps it with the object.
                ChecksumAlgorithm="SHA256",
            )

    def read(self, request_id: str, attachment: Attachment) -> bytes:
        key = object_of(request_id, attachment)
        content: bytes = self._s3().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        if hashlib.sha256(content).hexdigest() != attachment.sha256:
            raise ValueError(f"attachment {key} is not what was written")
        return content

    def is_kept(self, request_id: str, attachment: Attachment) -> bool:
        place = {"Bucket": self._bucket, "Key": object_of(request_id, attachment)}
        try:
            checksum = self._s3().head_object(**place, ChecksumMode="ENABLED").get("ChecksumSHA256")
            # One that was stored without a checksum is read.
            return checksum == _checksum(attachment) if checksum else bool(self.read(request_id, attachment))
        except ValueError:
            return False
        except ClientError as error:
            # Without the right to list, S3 hides that an object is missing.
            if error_code(error) not in ("404", "403", "NoSuchKey", "AccessDenied"):
                raise
            return False


def _checksum(attachment: Attachment) -> str:
    """Return the SHA-256 as S3 keeps it."""
    return base64.b64encode(bytes.fromhex(attachment.sha256)).decode()
