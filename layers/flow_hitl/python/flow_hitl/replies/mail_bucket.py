"""Raw incoming email, as SES stored it in S3."""

from typing import Any

from flow_hitl.platform.errors import TooLarge


class S3MailBucket:
    def __init__(self, client: Any, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def read(self, key: str, limit: int) -> bytes:
        found = self._client.get_object(Bucket=self._bucket, Key=key)
        if found["ContentLength"] > limit:
            found["Body"].close()
            raise TooLarge(f"The email is larger than {limit} bytes.")
        raw: bytes = found["Body"].read()
        return raw
