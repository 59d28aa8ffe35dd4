"""Our client of AWS and boto3 keep the same contract, also when AWS has a bad day."""

import os
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import (
    BotoCoreError,
    ChecksumError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
    SSLError,
)
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.ses.models import ses_backends

from flow_hitl.platform import aws, json_client
from flow_hitl.platform.json_client import JsonClient
from infra.local.hitl_fixture.moto_transport import answered_by_moto
from tests.support.aws_contract import CHECKS, Check, Stand
from tests.support.bad_aws import CUT, CUT_MIDWAY, SILENCE, BadAws, Turn, answer, bad_aws, refusal

SECRET, TOKEN = "a-secret-key-nobody-may-see", "a-session-token-nobody-may-see"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": TOKEN,
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "PATH": os.environ["PATH"],
}
BOTH = pytest.mark.parametrize("choice", ["json", "boto3"])
KEY: dict[str, Any] = {"TableName": "t", "Key": {"pk": {"S": "x"}}}
EMAIL: dict[str, Any] = {
    "FromEmailAddress": "reviews@hitl.test",
    "Destination": {"ToAddresses": ["ann@example.com"]},
    "Content": {"Raw": {"Data": "Subject: Größe\r\n\r\nHello.\r\n".encode()}},
    "EmailTags": [{"Name": "kind", "Value": "notify"}],
}
Make = Callable[..., Any]


def made(service: str, choice: Any) -> Any:
    """Return a client that nobody else uses."""
    return aws.client.__wrapped__(service, choice)


@BOTH
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_contract_on_moto(check: Check, choice: str) -> None:
    with patch.dict(os.environ, ENVIRONMENT | {"AWS_DEFAULT_REGION": "us-east-1"}), mock_aws(), answered_by_moto():
        check(Stand(lambda service: made(service, choice), lambda service: made(service, "boto3")))


@BOTH
def test_an_email_is_sent_as_it_was_written(choice: str) -> None:
    with patch.dict(os.environ, ENVIRONMENT | {"AWS_DEFAULT_REGION": "us-east-1"}), mock_aws(), answered_by_moto():
        ses = made("sesv2", choice)
        assert ses.meta.region_name == "us-east-1"
        with pytest.raises(ClientError) as refused:
            ses.send_email(**EMAIL)
        assert refused.value.response["Error"]["Code"] == "MessageRejected"
        made("sesv2", "boto3").create_email_identity(EmailIdentity="hitl.test")
        message_id = ses.send_email(**EMAIL)["MessageId"]
        sent = ses_backends[DEFAULT_ACCOUNT_ID]["us-east-1"].sent_messages
    assert [(one.id, one.raw_data.encode()) for one in sent] == [(message_id, EMAIL["Content"]["Raw"]["Data"])]


# --- a bad day


@pytest.fixture
def pauses() -> Iterator[list[float]]:
    """Nobody really waits; yields for how long they would have."""
    waited: list[float] = []
    with patch("time.sleep", waited.append):
        yield waited


@pytest.fixture
def client(pauses: list[float]) -> Iterator[Make]:
    """Make clients of an endpoint."""
    with patch.dict(os.environ, ENVIRONMENT, clear=True):

        def make(bad: BadAws, choice: str, service: str = "dynamodb") -> Any:
            os.environ["AWS_ENDPOINT_URL"] = bad.url
            return made(service, choice)

        yield make


@BOTH
@pytest.mark.parametrize(
    "turn",
    [CUT, CUT_MIDWAY, refusal("InternalServerError", 500), answer(b"<html>busy</html>", 503), answer({}, crc=1)],
    ids=["cut", "cut midway", "500", "503 by no service", "damaged"],
)
def test_a_call_that_went_wrong_is_made_again(client: Make, choice: str, turn: Any) -> None:
    with bad_aws(turn, turn, answer({"Item": {"pk": {"S": "x"}}})) as bad:
        found = client(bad, choice).get_item(**KEY)
    assert found["Item"] == {"pk": {"S": "x"}}
    assert found["ResponseMetadata"]["RetryAttempts"] == 2
    assert len(bad.requests) == 3


@BOTH
@pytest.mark.parametrize(
    ("turn", "error"),
    [(CUT, ConnectionClosedError), (refusal("InternalServerError", 500), ClientError)],
    ids=["cut", "500"],
)
def test_three_attempts_are_all(client: Make, choice: str, turn: Any, error: type[Exception]) -> None:
    with bad_aws(*[turn] * 4) as bad, pytest.raises(error):
        client(bad, choice).get_item(**KEY)
    assert len(bad.requests) == 3


@BOTH
def test_a_throttled_call_waits_longer_each_time(client: Make, choice: str, pauses: list[float]) -> None:
    throttled = refusal("ProvisionedThroughputExceededException")
    with bad_aws(throttled, throttled, throttled) as bad, patch("random.random", lambda: 1.0):
        dynamodb = client(bad, choice)
        with pytest.raises(ClientError) as refused:
            dynamodb.get_item(**KEY)
    assert refused.value.response["Error"]["Code"] == "ProvisionedThroughputExceededException"
    if choice == "json":
        assert pauses == [1.0, 2.0]
    assert len(bad.requests) == 3


@BOTH
def test_what_is_refused_is_not_tried_again(client: Make, choice: str) -> None:
    for code in ("ValidationException", "ConditionalCheckFailedException", "ExpiredTokenException"):
        with bad_aws(refusal(code, message="why")) as bad, pytest.raises(ClientError) as refused:
            client(bad, choice).get_item(**KEY)
        assert refused.value.response["Error"] == {"Code": code, "Message": "why"}
        assert len(bad.requests) == 1


@BOTH
def test_aws_knows_a_transaction_that_comes_again(client: Make, choice: str) -> None:
    write = {"Delete": {"TableName": "t", "Key": {}}}
    with bad_aws(CUT, CUT) as bad:
        client(bad, choice).transact_write_items(TransactItems=[write])
        client(bad, choice).transact_write_items(TransactItems=[write])
    tokens = [body["ClientRequestToken"] for body in bad.bodies()]
    assert tokens[0] == tokens[1] == tokens[2] != tokens[3]


@BOTH
def test_an_answer_that_does_not_come_is_not_waited_for(client: Make, choice: str) -> None:
    of_choice = json_client if choice == "json" else aws
    with bad_aws(SILENCE, SILENCE, SILENCE) as bad, patch.object(of_choice, "ANSWER_SECONDS", 0.1):
        dynamodb = client(bad, choice)
        with pytest.raises(ReadTimeoutError):
            dynamodb.get_item(**KEY)
    assert len(bad.requests) == 3


@BOTH
def test_where_nobody_listens(client: Make, choice: str) -> None:
    with bad_aws() as bad:
        pass
    with pytest.raises(EndpointConnectionError):
        client(bad, choice).get_item(**KEY)


@BOTH
@pytest.mark.parametrize("then", ["closed", "stays"])
def test_every_way_to_end_an_answer(client: Make, choice: str, then: str) -> None:
    chunked = (
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n{"Ite\r\n9\r\nm":{"a":1\r\n2\r\n}}\r\n0\r\n\r\n'
    )
    endless = b'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{"Item":{"a":1}}'
    with bad_aws(Turn(chunked, then), answer({"Item": {}}), Turn(endless, "closed"), answer({"Item": {}})) as bad:
        dynamodb = client(bad, choice, "sqs" if choice == "boto3" else "dynamodb")
        call = dynamodb.get_item if choice == "json" else lambda **_: dynamodb.get_queue_attributes(QueueUrl=bad.url)
        for _ in range(4):
            assert call(**KEY)["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert len(bad.requests) == 4


@BOTH
def test_a_connection_is_kept(client: Make, choice: str) -> None:
    with bad_aws() as bad:
        dynamodb = client(bad, choice)
        for _ in range(3):
            dynamodb.get_item(**KEY)
    assert {request.connection for request in bad.requests} == {1}


@BOTH
def test_a_kept_connection_that_was_closed_is_replaced(client: Make, choice: str, pauses: list[float]) -> None:
    """As after a thaw: first AWS has closed it before our request, then it closes at our request."""
    with bad_aws(answer(then="closed"), answer(), CUT, answer({"Item": {}})) as bad:
        dynamodb = client(bad, choice)
        dynamodb.get_item(**KEY)
        dynamodb.get_item(**KEY)
        again = dynamodb.get_item(**KEY)
    assert "Item" in again
    if choice == "json":
        assert again["ResponseMetadata"]["RetryAttempts"] == 0
        assert not pauses


def test_after_a_kept_connection_was_lost_there_are_still_three_attempts(client: Make) -> None:
    with bad_aws(answer(), CUT, CUT, CUT, answer({"Item": {}})) as bad:
        dynamodb = client(bad, "json")
        dynamodb.get_item(**KEY)
        assert "Item" in dynamodb.get_item(**KEY)


def test_a_connection_that_was_silent_for_long_is_not_used_again(client: Make) -> None:
    with bad_aws() as bad:
        dynamodb = client(bad, "json")
        dynamodb.get_item(**KEY)
        with patch.object(json_client, "_IDLE_SECONDS", 0):
            dynamodb.get_item(**KEY)
    assert [request.connection for request in bad.requests] == [1, 2]


def test_an_answer_that_does_not_end_is_not_waited_for(client: Make) -> None:
    begun = Turn(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "silent")
    with (
        bad_aws(begun, begun, begun) as bad,
        patch.object(json_client, "ANSWER_SECONDS", 0.1),
        pytest.raises(ReadTimeoutError),
    ):
        client(bad, "json").get_item(**KEY)
    assert len(bad.requests) == 3


@pytest.mark.parametrize(
    "turn", [answer({}, crc=1), answer(b"<html>"), CUT_MIDWAY], ids=["other bytes", "no JSON", "cut midway"]
)
def test_what_is_damaged_thrice_is_no_answer(client: Make, turn: Any) -> None:
    with bad_aws(turn, turn, turn) as bad, pytest.raises((ChecksumError, ConnectionClosedError)):
        client(bad, "json").get_item(**KEY)


def test_whoever_interrupts_a_call_leaves_no_answer_behind(client: Make) -> None:
    class Interrupted(BaseException):
        pass

    with bad_aws(answer({"Item": {"of": {"S": "the first"}}}), answer({"Item": {}})) as bad:
        dynamodb = client(bad, "json")
        with patch.object(json_client._Received, "answer", side_effect=Interrupted), pytest.raises(Interrupted):
            dynamodb.get_item(**KEY)
        while not bad.requests:
            pass
        assert dynamodb.get_item(**KEY)["Item"] == {}


@pytest.mark.parametrize("ahead", [-3600, 3600])
def test_the_clock_of_aws_counts(client: Make, ahead: float) -> None:
    with bad_aws() as bad:
        bad.ahead = ahead
        dynamodb = client(bad, "json")
        assert dynamodb.get_item(**KEY)["ResponseMetadata"]["RetryAttempts"] == 1
        assert dynamodb.get_item(**KEY)["ResponseMetadata"]["RetryAttempts"] == 0


def test_a_wrong_signature_is_not_blamed_on_the_clock(client: Make) -> None:
    with bad_aws(refusal("InvalidSignatureException")) as bad, pytest.raises(ClientError):
        client(bad, "json").get_item(**KEY)
    assert len(bad.requests) == 1


def test_threads_have_connections_of_their_own(client: Make) -> None:
    with bad_aws() as bad:
        dynamodb = client(bad, "json")
        threads = [threading.Thread(target=lambda: [dynamodb.get_item(**KEY) for _ in range(3)]) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(request.connection for request in bad.requests) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


# --- objects


OBJECT: dict[str, Any] = {"Bucket": "mail", "Key": "inbound/1"}


def said_by_s3(code: str, status: int, **headers: Any) -> Turn:
    text = f'<?xml version="1.0"?>\n<Error><Code>{code}</Code><Message>a &lt;why&gt;</Message><Key>k</Key></Error>'
    return answer(text.encode(), status, **headers)


@BOTH
@pytest.mark.parametrize(
    "turn",
    [CUT, CUT_MIDWAY, said_by_s3("InternalError", 500), said_by_s3("SlowDown", 503)],
    ids=["cut", "midway", "500", "slow"],
)
def test_an_object_is_asked_for_again(client: Make, choice: str, turn: Turn) -> None:
    with bad_aws(turn, turn, answer(b"an email")) as bad:
        found = client(bad, choice, "s3").get_object(**OBJECT)
        if turn is CUT_MIDWAY and choice == "boto3":
            return
        assert found["Body"].read() == b"an email"
    assert [request.line for request in bad.requests] == ["GET /mail/inbound/1 HTTP/1.1"] * 3


@BOTH
def test_an_object_that_is_refused_is_named(client: Make, choice: str) -> None:
    with bad_aws(said_by_s3("AccessDenied", 403)) as bad, pytest.raises(ClientError) as refused:
        client(bad, choice, "s3").get_object(**OBJECT)
    assert refused.value.response["Error"]["Code"] == "AccessDenied"
    assert refused.value.response["Error"]["Message"] == "a <why>"
    assert refused.value.operation_name == "GetObject"
    assert len(bad.requests) == 1


def test_what_is_stored_is_sent_again_whole(client: Make) -> None:
    with bad_aws(CUT, said_by_s3("InternalError", 500)) as bad:
        client(bad, "json", "s3").put_object(**OBJECT, Body=b"content")
    assert [request.line.split(" ")[0] for request in bad.requests] == ["PUT"] * 3
    assert all(b"content" in request.body for request in bad.requests)


def test_at_aws_each_bucket_has_its_host(client: Make) -> None:
    with bad_aws() as bad:
        client(bad, "json", "s3")
    del os.environ["AWS_ENDPOINT_URL"]
    sent: list[tuple[str, str, str]] = []

    def exchange(connection: Any, _method: str, path: str, headers: Any, _body: bytes) -> Any:
        sent.append((connection.endpoint.host, path, headers["host"]))
        return json_client.Answer(200, {}, b"")

    with patch.object(json_client.Connection, "exchange", exchange):
        made("s3", "json").get_object(**OBJECT)
    host = "mail.s3.eu-central-1.amazonaws.com"
    assert sent == [(host, "/inbound/1", host)]


# --- who it is


def test_no_error_shows_what_a_call_was_signed_by(client: Make) -> None:
    said = f"The canonical string should have been 'x-amz-security-token:{TOKEN}' and so on, {SECRET}"
    with bad_aws(refusal("InvalidSignatureException", message=said), *[CUT] * 4) as bad:
        dynamodb = client(bad, "json")
        for _ in range(2):
            with pytest.raises((ClientError, BotoCoreError)) as failed:
                dynamodb.get_item(**KEY)
            shown = f"{failed.value!r} {failed.value} {getattr(failed.value, 'response', '')} {dynamodb!r}"
            assert SECRET not in shown
            assert TOKEN not in shown
    assert SECRET not in repr(json_client.Credentials("id", SECRET, TOKEN))


def test_no_line_break_gets_into_a_header(client: Make) -> None:
    with bad_aws() as bad:
        dynamodb = client(bad, "json")
        os.environ["AWS_SESSION_TOKEN"] = "token\r\nx-amz-target: DynamoDB_20120810.DeleteTable"
        with pytest.raises(ValueError, match="two lines") as failed:
            dynamodb.get_item(**KEY)
    assert "token" not in str(failed.value)
    assert not bad.requests


@pytest.mark.parametrize("token", [TOKEN, None])
@pytest.mark.parametrize(
    ("service", "method", "call"),
    [
        ("dynamodb", "POST", lambda client: client.get_item(**KEY)),
        ("scheduler", "POST", lambda client: client.create_schedule(Name="a.b_c-d", GroupName="g")),
        ("scheduler", "DELETE", lambda client: client.delete_schedule(Name="a b/ü", GroupName="g&=ü")),
        ("sesv2", "POST", lambda client: client.send_email(**EMAIL)),
        ("s3", "GET", lambda client: client.get_object(Bucket="mail", Key="in/a b%2Fü~&=+.eml")),
        ("s3", "PUT", lambda client: client.put_object(Bucket="content", Key="c/1", Body=b"\x00text")),
    ],
    ids=["json", "post", "delete", "email", "object", "new object"],
)
def test_requests_are_signed_as_botocore_signs_them(
    client: Make, service: str, method: str, call: Any, token: str | None
) -> None:
    with bad_aws() as bad:
        if token is None:
            del os.environ["AWS_SESSION_TOKEN"]
        call(client(bad, "json", service))
    [sent] = bad.requests
    assert sent.line.split(" ")[0] == method
    signed = sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";")
    assert {"host", "x-amz-date"} <= set(signed)
    url = bad.url + sent.line.split(" ")[1]
    request = AWSRequest(method, url, {name: sent.headers[name] for name in signed}, sent.body)
    request.context["timestamp"] = sent.headers["x-amz-date"]
    signed_for = {"sesv2": "ses"}.get(service, service)
    auth_of = S3SigV4Auth if service == "s3" else SigV4Auth
    auth = auth_of(Credentials("AKIDEXAMPLE", SECRET, token), signed_for, "eu-central-1")
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    assert sent.headers["authorization"].endswith(f"Signature={signature}")


def test_credentials_are_those_of_now_else_those_that_botocore_finds(client: Make, tmp_path: Path) -> None:
    with bad_aws() as bad:
        dynamodb = client(bad, "json")
        for key_id in ("AKIDONE", "AKIDTWO"):
            os.environ["AWS_ACCESS_KEY_ID"] = key_id
            dynamodb.get_item(**KEY)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            del os.environ[name]
        file = tmp_path / "credentials"
        json_client._session.cache_clear()
        with pytest.raises(NoCredentialsError):
            dynamodb.get_item(**KEY)
        file.write_text("[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = x\n", encoding="utf-8")
        os.environ["AWS_SHARED_CREDENTIALS_FILE"] = str(file)
        json_client._session.cache_clear()
        dynamodb.get_item(**KEY)
        json_client._session.cache_clear()
    used = [request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in bad.requests]
    assert used == ["AKIDONE", "AKIDTWO", "AKIDFILE"]


# --- TLS


def certificate(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Make a certificate of its own for a name; return it, and the server's side of it."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    host = x509.IPAddress(ip_address(name))
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return file, server


@BOTH
@pytest.mark.parametrize(
    ("name", "is_trusted", "works"),
    [("127.0.0.1", True, True), ("127.0.0.1", False, False), ("127.0.0.2", True, False)],
)
def test_only_the_real_aws_is_spoken_to(
    client: Make, choice: str, tmp_path: Path, name: str, is_trusted: bool, works: bool
) -> None:
    file, server = certificate(tmp_path, name)
    if is_trusted:
        os.environ["AWS_CA_BUNDLE"] = str(file)
    with bad_aws(tls=server) as bad:
        dynamodb = client(bad, choice)
        if works:
            dynamodb.get_item(**KEY)
            dynamodb.get_item(**KEY)
            assert [request.connection for request in bad.requests] == [1, 1]
        else:
            with pytest.raises(SSLError):
                dynamodb.get_item(**KEY)
            assert not bad.requests


# --- which client it is


@pytest.mark.parametrize(
    ("region", "service", "url"),
    [
        ("eu-central-1", "dynamodb", "https://dynamodb.eu-central-1.amazonaws.com/"),
        ("us-gov-west-1", "kms", "https://kms.us-gov-west-1.amazonaws.com/"),
        ("cn-north-1", "secretsmanager", "https://secretsmanager.cn-north-1.amazonaws.com.cn/"),
        ("us-iso-east-1", "sqs", None),
        ("nowhere", "sqs", None),
        ("eu-central-1", "lambda", None),
        ("eu-central-1", "sesv2", "https://email.eu-central-1.amazonaws.com/"),
    ],
)
def test_where_a_service_is(region: str, service: str, url: str | None) -> None:
    ours = json_client.client_for(service, region, {}, lambda: None)
    assert (ours and ours.endpoint.url) == url


def test_our_endpoints_are_those_of_the_sdk() -> None:
    with patch.dict(os.environ, ENVIRONMENT, clear=True):
        for region in ("us-east-1", "eu-central-1", "ap-southeast-3", "us-gov-west-1", "cn-north-1"):
            os.environ["AWS_DEFAULT_REGION"] = region
            # Of old, the SDK asks this region for objects by a name without a region.
            for service in json_client.SERVICES.keys() - ({"s3"} if region == "us-east-1" else set()):
                assert made(service, "json").endpoint.url == made(service, "boto3").meta.endpoint_url + "/"


def test_an_endpoint_may_be_named_for_all_services_or_one() -> None:
    environ = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://secrets.test"}

    def url(service: str, **more: str) -> Any:
        found = json_client.client_for(service, "eu-central-1", environ | more, lambda: None)
        return found and found.endpoint

    assert url("sqs") == ("http://127.0.0.1:4566/", "127.0.0.1", 4566, "127.0.0.1:4566", False)
    assert url("secretsmanager") == ("https://secrets.test/", "secrets.test", 443, "secrets.test", True)
    assert url("sqs", AWS_ENDPOINT_URL="http://proxy.test/path") is None
    assert url("sqs", AWS_IGNORE_CONFIGURED_ENDPOINT_URLS="true").host == "sqs.eu-central-1.amazonaws.com"


@pytest.mark.parametrize(
    "asked",
    [
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_ACCOUNT_ID_ENDPOINT_MODE": "required"},
        {"AWS_PROFILE": "work"},
        {"HTTPS_PROXY": "http://proxy.test:3128"},
        {"AWS_CONFIG_FILE": __file__},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_what_only_the_sdk_knows_the_sdk_does(asked: dict[str, str]) -> None:
    plain = {name: value for name, value in ENVIRONMENT.items() if name != "AWS_DEFAULT_REGION"}
    assert aws._is_plain(plain)
    assert not aws._is_plain(plain | asked)


def test_whoever_stands_in_for_aws_by_botocore_is_asked() -> None:
    """As moto does in the tests of others, who know nothing of our client."""
    with patch.dict(os.environ, ENVIRONMENT, clear=True):
        assert not isinstance(made("dynamodb", "auto"), JsonClient), "moto is imported here"
        assert isinstance(made("dynamodb", "json"), JsonClient)
        assert not isinstance(made("s3", "json"), JsonClient)
        with patch("botocore.handlers.BUILTIN_HANDLERS", []):
            assert isinstance(made("dynamodb", "auto"), JsonClient)
            assert not isinstance(made("dynamodb", "boto3"), JsonClient)
