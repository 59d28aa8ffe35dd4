"""Marks in the deployments table, and objects in S3."""

from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError
from pydantic import TypeAdapter

from flow_hitl.platform.dynamodb import error_code, item, put_if, values
from flow_hitl.platform.errors import Conflict
from flow_hitl.retention.marks import Marks

_marks = TypeAdapter(Marks)
# As many as S3 removes in one call.
_AT_ONCE = 1000


class DynamoRetentionMarks:
    def __init__(self, client: Any, table: str) -> None:
        self._client, self._table = client, table

    def load(self, deployment_id: int) -> Marks | None:
        found = self._client.get_item(TableName=self._table, Key=item(_key(deployment_id)), ConsistentRead=True)
        return _marks.validate_json(values(found["Item"])["doc"]) if found.get("Item") else None

    def save(self, deployment_id: int, marks: Marks) -> None:
        before = marks.version - 1
        record = {**_key(deployment_id), "doc": _marks.dump_json(marks).decode(), "version": marks.version}
        condition = "version = :version" if before else "attribute_not_exists(pk)"
        if not put_if(self._client, self._table, record, condition, {":version": before} if before else {}):
            raise Conflict("another run has moved the marks")


class S3Objects:
    def __init__(self, s3: Callable[[], Any], content_bucket: str, mail_bucket: str) -> None:
        self._s3, self._content_bucket, self._mail_bucket = s3, content_bucket, mail_bucket

    def remove_contents(self, names: Sequence[str]) -> None:
        self._remove(self._content_bucket, names)

    def remove_emails(self, ids: Sequence[str]) -> None:
        self._remove(self._mail_bucket, [_email(one) for one in ids])

    def has_email(self, email: str) -> bool:
        try:
            self._s3().head_object(Bucket=self._mail_bucket, Key=_email(email))
        except ClientError as error:
            if error_code(error) not in ("404", "NoSuchKey"):
                raise
            return False
        return True

    def read_email(self, email: str) -> bytes | None:
        try:
            raw: bytes = self._s3().get_object(Bucket=self._mail_bucket, Key=_email(email))["Body"].read()
        except ClientError as error:
            if error_code(error) != "NoSuchKey":
                raise
            return None
        return raw

    def _remove(self, bucket: str, names: Sequence[str]) -> None:
        for start in range(0, len(names), _AT_ONCE):
            wanted = [{"Key": name} for name in names[start : start + _AT_ONCE]]
            answer = self._s3().delete_objects(Bucket=bucket, Delete={"Objects": wanted, "Quiet": True})
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise OSError(f"S3 kept {len(answer['Errors'])} objects of {bucket}: {first.get('Code')}")


def _email(email: str) -> str:
    return f"inbound/{email}"


def _key(deployment_id: int) -> dict[str, str]:
    return {"pk": f"retention#{deployment_id}", "sk": "marks"}
