"""Attachments in S3, named by their request and their SHA-256."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

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
            )

    def read(self, request_id: str, attachment: Attachment) -> bytes:
        key = object_of(request_id, attachment)
        content: bytes = self._s3().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        if hashlib.sha256(content).hexdigest() != attachment.sha256:
            raise ValueError(f"attachment {key} is not what was written")
        return content
