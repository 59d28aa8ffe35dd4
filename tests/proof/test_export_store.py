"""Files of any size reach the bucket piece by piece, whole or not at all."""

import hashlib
import os
import tracemalloc
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws

from flow_hitl.proof.export_store import S3ExportFiles

MEGABYTE = 1024 * 1024


@pytest.fixture
def s3() -> Iterator[Any]:
    environment = {"AWS_ACCESS_KEY_ID": "t", "AWS_SECRET_ACCESS_KEY": "t", "AWS_DEFAULT_REGION": "eu-central-1"}
    with patch.dict(os.environ, environment), mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="exports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield client


def files(s3: Any) -> S3ExportFiles:
    return S3ExportFiles(s3, lambda: s3, "exports")


@pytest.mark.parametrize("sizes", [[], [0], [5], [3 * MEGABYTE] * 3, [8 * MEGABYTE] * 2, [20 * MEGABYTE, 1]])
def test_a_file_is_what_was_written(s3: Any, sizes: list[int]) -> None:
    content = [bytes([number]) * size for number, size in enumerate(sizes)]
    whole = b"".join(content)
    assert files(s3).write("a/b", iter(content)) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert s3.get_object(Bucket="exports", Key="a/b")["Body"].read() == whole
    assert s3.list_multipart_uploads(Bucket="exports").get("Uploads", []) == []


@pytest.mark.parametrize("after", [0, 3, 30])
def test_of_a_file_that_was_not_finished_nothing_is_left(s3: Any, after: int) -> None:
    def content() -> Iterator[bytes]:
        for _ in range(after):
            yield b"x" * MEGABYTE
        raise OSError("the table does not answer")

    with pytest.raises(OSError, match="does not answer"):
        files(s3).write("a/b", content())
    assert s3.list_objects_v2(Bucket="exports").get("Contents", []) == []
    assert s3.list_multipart_uploads(Bucket="exports").get("Uploads", []) == []


def test_a_large_file_is_never_held_whole(s3: Any) -> None:
    class Bucket:
        """Takes parts and forgets them, as moto does not."""

        parts = 0

        def create_multipart_upload(self, **_: Any) -> dict[str, str]:
            return {"UploadId": "u"}

        def upload_part(self, **_: Any) -> dict[str, str]:
            self.parts += 1
            return {"ETag": "e"}

        def complete_multipart_upload(self, **_: Any) -> None:
            return None

    bucket = Bucket()
    tracemalloc.start()
    size, _ = S3ExportFiles(bucket, lambda: s3, "exports").write("a", (b"x" * 100_000 for _ in range(2000)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == 200_000_000
    assert bucket.parts > 20
    assert peak < 40 * MEGABYTE


def test_a_link_is_for_an_hour_and_saves_the_file_under_its_name(s3: Any) -> None:
    link = files(s3).link("exports/1/exp_1/events-00001.csv")
    assert "Expires" in link
    assert "events-00001.csv%22" in link
