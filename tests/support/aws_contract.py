"""What an AWS client must do for us, whichever it is and whoever answers: each check is given a client per service."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

Check = Callable[["Stand"], None]


class Clients(Protocol):
    def __call__(self, service: str) -> Any: ...


class Stand:
    """The client that is checked, and a boto3 client that prepares what it needs."""

    def __init__(self, checked: Clients, boto3: Clients) -> None:
        self.client, self.boto3 = checked, boto3
        self.name = f"contract-{uuid4().hex[:12]}"

    def table(self) -> str:
        """Return a new table, with keys `pk` and `sk`."""
        keys = ("pk", "HASH"), ("sk", "RANGE")
        self.boto3("dynamodb").create_table(
            TableName=self.name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        )
        return self.name

    def queue(self) -> str:
        """Return the URL of a new queue."""
        url: str = self.boto3("sqs").create_queue(QueueName=self.name)["QueueUrl"]
        return url

    def bucket(self) -> str:
        """Return the name of a new bucket."""
        self.boto3("s3").create_bucket(Bucket=self.name)
        return self.name


def _key(sk: str = "1") -> dict[str, Any]:
    return {"pk": {"S": "p"}, "sk": {"S": sk}}


def _refused(call: Callable[[], object]) -> Any:
    """Return the error that a call is refused with."""
    with pytest.raises(ClientError) as refused:
        call()
    return refused.value.response


def _code(response: Any) -> str:
    return str(response["Error"]["Code"])


def dynamodb_keeps_every_kind_of_value(stand: Stand) -> None:
    table, client = stand.table(), stand.client("dynamodb")
    item = {
        **_key(),
        "text": {"S": 'Grüße 😀 "B" \n\\ \x00'},
        "number": {"N": "12345678901234567890.5"},
        "bytes": {"B": b"\x00\xff\xfe"},
        "many": {"BS": [b"\x00", b"\x01"]},
        "map": {"M": {"B": {"S": "text"}, "BS": {"L": [{"B": b"\xff"}, {"NULL": True}, {"BOOL": False}]}}},
        "texts": {"SS": ["a", "b"]},
    }
    assert client.put_item(TableName=table, Item=item)["ResponseMetadata"]["HTTPStatusCode"] == 200
    found = client.get_item(TableName=table, Key=_key(), ConsistentRead=True)["Item"]
    assert set(found.pop("many")["BS"]) == set(item.pop("many")["BS"])
    assert sorted(found.pop("texts")["SS"]) == item.pop("texts")["SS"]
    assert found == item


def dynamodb_says_nothing_of_what_is_not_there(stand: Stand) -> None:
    table, client = stand.table(), stand.client("dynamodb")
    assert "Item" not in client.get_item(TableName=table, Key=_key())
    assert (
        client.query(TableName=table, KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "p"}})[
            "Items"
        ]
        == []
    )
    assert "Attributes" not in client.delete_item(TableName=table, Key=_key(), ReturnValues="ALL_OLD")


def dynamodb_tells_what_a_condition_met(stand: Stand) -> None:
    table, client = stand.table(), stand.client("dynamodb")
    new = {
        "TableName": table,
        "ConditionExpression": "attribute_not_exists(pk)",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    client.put_item(Item={**_key(), "by": {"S": "one"}}, **new)
    response = _refused(lambda: client.put_item(Item={**_key(), "by": {"S": "two"}}, **new))
    assert _code(response) == "ConditionalCheckFailedException"
    assert response["Item"]["by"] == {"S": "one"}
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400


def dynamodb_updates_and_returns(stand: Stand) -> None:
    table, client = stand.table(), stand.client("dynamodb")
    for expected in ("1", "2"):
        updated = client.update_item(
            TableName=table,
            Key=_key(),
            UpdateExpression="ADD seen :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues="ALL_NEW",
        )
        assert updated["Attributes"]["seen"] == {"N": expected}
    assert client.delete_item(TableName=table, Key=_key(), ReturnValues="ALL_OLD")["Attributes"]["seen"] == {"N": "2"}


def dynamodb_writes_all_of_a_transaction_or_none(stand: Stand) -> None:
    table, client = stand.table(), stand.client("dynamodb")

    def put(sk: str) -> dict[str, Any]:
        return {
            "Put": {
                "TableName": table,
                "Item": _key(sk),
                "ConditionExpression": "attribute_not_exists(pk)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    client.transact_write_items(TransactItems=[put("1"), put("2")])
    response = _refused(lambda: client.transact_write_items(TransactItems=[put("3"), put("2")]))
    assert _code(response) == "TransactionCanceledException"
    assert [reason["Code"] for reason in response["CancellationReasons"]] == ["None", "ConditionalCheckFailed"]
    assert response["CancellationReasons"][1]["Item"] == _key("2")
    assert "Item" not in client.get_item(TableName=table, Key=_key("3"), ConsistentRead=True)


def dynamodb_reads_page_after_page(stand: Stand) -> None:
    table, client = stand.table(), stand.client("dynamodb")
    puts = [{"PutRequest": {"Item": _key(str(number))}} for number in range(7)]
    assert not client.batch_write_item(RequestItems={table: puts}).get("UnprocessedItems")
    asked = {
        "TableName": table,
        "KeyConditionExpression": "pk = :p",
        "ExpressionAttributeValues": {":p": {"S": "p"}},
        "ScanIndexForward": False,
    }
    pages = list(client.get_paginator("query").paginate(**asked, PaginationConfig={"PageSize": 3}))
    assert [[item["sk"]["S"] for item in page["Items"]] for page in pages] == [
        ["6", "5", "4"],
        ["3", "2", "1"],
        ["0"],
    ]
    keys = [_key("1"), _key("5"), _key("9")]
    found = client.batch_get_item(RequestItems={table: {"Keys": keys}})["Responses"][table]
    assert sorted(item["sk"]["S"] for item in found) == ["1", "5"]


def dynamodb_names_its_errors(stand: Stand) -> None:
    client = stand.client("dynamodb")
    assert _code(_refused(lambda: client.get_item(TableName="none", Key=_key()))) == "ResourceNotFoundException"
    table = stand.table()
    wrong = _refused(lambda: client.get_item(TableName=table, Key={"other": {"S": "x"}}))
    assert _code(wrong) == "ValidationException"
    assert wrong["Error"]["Message"]


def sqs_carries_messages(stand: Stand) -> None:
    url, client = stand.queue(), stand.client("sqs")
    attributes = {"n": {"DataType": "Number", "StringValue": "3"}, "b": {"DataType": "Binary", "BinaryValue": b"\xff"}}
    assert client.send_message(QueueUrl=url, MessageBody='{"x": "é"}', MessageAttributes=attributes)["MessageId"]
    client.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    asked = {"QueueUrl": url, "AttributeNames": ["All"], "MessageAttributeNames": ["All"], "MaxNumberOfMessages": 10}
    [message] = client.receive_message(**asked, VisibilityTimeout=100)["Messages"]
    assert message["Body"] == '{"x": "é"}'
    assert message["MessageAttributes"]["n"]["StringValue"] == "3"
    assert message["MessageAttributes"]["b"]["BinaryValue"] == b"\xff"
    assert int(message["Attributes"]["SentTimestamp"])
    assert not client.receive_message(**asked).get("Messages")
    handle = message["ReceiptHandle"]
    client.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=50)
    entry = {"Id": "0", "ReceiptHandle": handle, "VisibilityTimeout": 0}
    assert client.change_message_visibility_batch(QueueUrl=url, Entries=[entry])["Successful"] == [{"Id": "0"}]
    [again] = client.receive_message(**asked)["Messages"]
    client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
    counted = client.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert counted["Attributes"] == {"ApproximateNumberOfMessages": "0"}


def sqs_names_its_errors_as_of_old(stand: Stand) -> None:
    url, client = stand.queue() + "-none", stand.client("sqs")
    response = _refused(lambda: client.send_message(QueueUrl=url, MessageBody="x"))
    assert _code(response) == "AWS.SimpleQueueService.NonExistentQueue"


def kms_opens_what_it_sealed(stand: Stand) -> None:
    key, client = stand.boto3("kms").create_key()["KeyMetadata"]["KeyId"], stand.client("kms")
    context = {"EncryptionContext": {"of": "one"}}
    sealed = client.encrypt(KeyId=key, Plaintext=b"\x00secret", **context)["CiphertextBlob"]
    assert isinstance(sealed, bytes)
    assert client.decrypt(KeyId=key, CiphertextBlob=sealed, **context)["Plaintext"] == b"\x00secret"
    other = {"EncryptionContext": {"of": "two"}}
    wrong = _refused(lambda: client.decrypt(KeyId=key, CiphertextBlob=sealed, **other))
    assert _code(wrong) == "InvalidCiphertextException"


def kms_signs(stand: Stand) -> None:
    made = stand.boto3("kms").create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    key, client = made["KeyMetadata"]["KeyId"], stand.client("kms")
    asked = {"KeyId": key, "Message": b"message", "SigningAlgorithm": "ECDSA_SHA_256"}
    signature = client.sign(MessageType="RAW", **asked)["Signature"]
    assert stand.boto3("kms").verify(Signature=signature, **asked)["SignatureValid"]
    public = stand.boto3("kms").get_public_key(KeyId=key)["PublicKey"]
    assert client.get_public_key(KeyId=key)["PublicKey"] == public


def secrets_are_read_and_replaced(stand: Stand) -> None:
    name, client = stand.name, stand.client("secretsmanager")
    stand.boto3("secretsmanager").create_secret(Name=name, SecretString="one")
    first = client.get_secret_value(SecretId=name)
    assert first["SecretString"] == "one"
    assert isinstance(first["CreatedDate"], datetime)
    assert first["CreatedDate"].tzinfo
    client.put_secret_value(SecretId=name, SecretString="two")
    assert client.get_secret_value(SecretId=name)["SecretString"] == "two"
    client.put_secret_value(SecretId=name, SecretBinary=b"\xff\x00")
    assert client.get_secret_value(SecretId=name)["SecretBinary"] == b"\xff\x00"
    response = _refused(lambda: client.get_secret_value(SecretId=f"{name}-none"))
    assert _code(response) == "ResourceNotFoundException"


def schedules_are_made_once_and_deleted(stand: Stand) -> None:
    name, client = f"{stand.name}_1.x", stand.client("scheduler")
    stand.boto3("scheduler").create_schedule_group(Name=stand.name)
    schedule: dict[str, Any] = {
        "Name": name,
        "GroupName": stand.name,
        "ScheduleExpression": "at(2099-01-01T00:00:00)",
        "ScheduleExpressionTimezone": "UTC",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": "arn:aws:sqs:us-east-1:123456789012:queue",
            "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "Input": '{"é": 1}',
        },
    }
    assert client.create_schedule(**schedule)["ScheduleArn"].endswith(f"/{name}")
    found = stand.boto3("scheduler").get_schedule(Name=name, GroupName=stand.name)
    assert found["Target"]["Input"] == '{"é": 1}'
    assert _code(_refused(lambda: client.create_schedule(**schedule))) == "ConflictException"
    client.delete_schedule(Name=name, GroupName=stand.name)
    response = _refused(lambda: client.delete_schedule(Name=name, GroupName=stand.name))
    assert _code(response) == "ResourceNotFoundException"


def objects_come_back_as_they_were_written(stand: Stand) -> None:
    client, bucket = stand.client("s3"), stand.bucket()
    for key, body in {
        "content/1/plain": b"text",
        "inbound/a b+c%2Fü~(1)=&?#.eml": b"\x00\xff\r\n" * 100_000,
        "empty": b"",
    }.items():
        client.put_object(Bucket=bucket, Key=key, Body=body)
        found = client.get_object(Bucket=bucket, Key=key)
        assert found["ContentLength"] == len(body)
        assert found["Body"].read() == body
        found["Body"].close()
        assert stand.boto3("s3").get_object(Bucket=bucket, Key=key)["Body"].read() == body


def objects_that_are_not_there_are_named(stand: Stand) -> None:
    client, bucket = stand.client("s3"), stand.bucket()
    assert _code(_refused(lambda: client.get_object(Bucket=bucket, Key="none"))) == "NoSuchKey"
    assert _code(_refused(lambda: client.get_object(Bucket=f"{bucket}-none", Key="none"))) == "NoSuchBucket"


def objects_are_versioned_typed_and_listed_by_the_sdk(stand: Stand) -> None:
    client, bucket = stand.client("s3"), stand.bucket()
    client.put_object(Bucket=bucket, Key="a", Body=b"x", ContentType="image/png")
    assert client.head_object(Bucket=bucket, Key="a")["ContentType"] == "image/png"
    assert client.get_object(Bucket=bucket, Key="a", Range="bytes=0-0")["Body"].read() == b"x"
    assert [one["Key"] for one in client.list_objects_v2(Bucket=bucket)["Contents"]] == ["a"]


def what_else_is_asked_the_sdk_does(stand: Stand) -> None:
    table = stand.table()
    assert stand.client("dynamodb").describe_table(TableName=table)["Table"]["TableName"] == table
    assert stand.client("dynamodb").meta.region_name


CHECKS: tuple[Check, ...] = (
    dynamodb_keeps_every_kind_of_value,
    dynamodb_says_nothing_of_what_is_not_there,
    dynamodb_tells_what_a_condition_met,
    dynamodb_updates_and_returns,
    dynamodb_writes_all_of_a_transaction_or_none,
    dynamodb_reads_page_after_page,
    dynamodb_names_its_errors,
    sqs_carries_messages,
    sqs_names_its_errors_as_of_old,
    kms_opens_what_it_sealed,
    kms_signs,
    secrets_are_read_and_replaced,
    schedules_are_made_once_and_deleted,
    objects_come_back_as_they_were_written,
    objects_that_are_not_there_are_named,
    objects_are_versioned_typed_and_listed_by_the_sdk,
    what_else_is_asked_the_sdk_does,
)
