"""Calls of the AWS services that speak JSON, without the SDK's models and middleware.

`JsonClient` takes the place of a boto3 client: the same methods, arguments, answers, and errors, for the operations
that handlers use. Whatever else is asked of it, a boto3 client does.
"""

import base64
import hashlib
import hmac
import json
import math
import os
import random
import re
import select
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, urlsplit

from flow_hitl.platform.records import dataclass
from flow_hitl.platform.worker_times import ANSWER_SECONDS, ATTEMPTS, CONNECT_SECONDS

# What lies between us and AWS forgets a silent connection after 350 seconds, and tells nobody.
_IDLE_SECONDS = 300.0
_SKEW_SECONDS = 240.0
_LARGEST_HEAD = 65_536
# Python makes room for as much each time, and more than this comes from the kernel, cleared page by page.
_PIECE = 65_536

# As in the SDK's standard mode: seconds to wait at most before the second attempt, twice as many before the third.
_THROTTLED_PAUSE, _PAUSE, _DYNAMODB_PAUSE = 1.0, 0.05, 0.025
_THROTTLED = {
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "Throttling",
    "ThrottledException",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
}
_TRANSIENT = {"ReplicatedWriteConflictException", "RequestTimeout", "RequestTimeoutException"}
_TRANSIENT_STATUS = {500, 502, 503, 504}
_OF_ANOTHER_TIME = {
    "InvalidSignatureException",
    "RequestExpired",
    "RequestInTheFuture",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
}
_IN_XML = re.compile(r"<(Code|Message)>([^<]*)</\1>")
_REGION = re.compile(r"(?:us|eu|ap|sa|ca|me|af|il|mx|us-gov)-[a-z]+-\d+|cn-[a-z]+-\d+")


_UNSIGNED = {"accept-encoding": "identity", "user-agent": "flow-hitl"}


def _binary(value: Any) -> Any:
    return base64.b64decode(value) if isinstance(value, str) else value


def _binaries(value: Any) -> Any:
    return [_binary(one) for one in value] if isinstance(value, list) else value


def _moment(value: Any) -> Any:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value


class Path(NamedTuple):
    """Where an operation of a REST service is: `Name` follows a path that ends in `/`, and `query` are members."""

    method: str
    path: str
    query: Mapping[str, str] = {}


@dataclass(frozen=True)
class Service:
    """How a service is spoken to: `read` are the members of answers that JSON cannot hold as they are."""

    # As the SDK's events and its environment name it.
    name: str
    operations: Mapping[str, Path | None]
    version: str = ""
    target: str = ""
    read: Mapping[str, Callable[[Any], Any]] | None = None
    # The member that tells AWS that a call comes again, and in which operations.
    tokens: Mapping[str, str] | None = None
    # What its host and its signatures call it, where that is another name.
    host: str = ""
    signed_for: str = ""


def _named(*operations: str) -> Mapping[str, Path | None]:
    return dict.fromkeys(operations)


SERVICES: Mapping[str, Service] = {
    "dynamodb": Service(
        "dynamodb",
        _named(
            *("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query"),
            *("BatchGetItem", "BatchWriteItem", "TransactGetItems", "TransactWriteItems"),
        ),
        "1.0",
        "DynamoDB_20120810",
        {"B": _binary, "BS": _binaries},
        {"TransactWriteItems": "ClientRequestToken"},
    ),
    "sqs": Service(
        "sqs",
        _named(
            *("SendMessage", "ReceiveMessage", "DeleteMessage", "GetQueueAttributes"),
            *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch"),
        ),
        "1.0",
        "AmazonSQS",
        {"BinaryValue": _binary},
    ),
    "kms": Service(
        "kms",
        _named("Encrypt", "Decrypt", "Sign", "GetPublicKey"),
        "1.1",
        "TrentService",
        dict.fromkeys(("CiphertextBlob", "Plaintext", "PublicKey", "Signature", "CiphertextForRecipient"), _binary),
    ),
    "secretsmanager": Service(
        "secrets-manager",
        _named("GetSecretValue", "PutSecretValue"),
        "1.1",
        "secretsmanager",
        {"SecretBinary": _binary, "CreatedDate": _moment},
        {"PutSecretValue": "ClientRequestToken"},
    ),
    "scheduler": Service(
        "scheduler",
        {
            "CreateSchedule": Path("POST", "/schedules/"),
            "DeleteSchedule": Path("DELETE", "/schedules/", {"ClientToken": "clientToken", "GroupName": "groupName"}),
        },
        tokens={"CreateSchedule": "ClientToken", "DeleteSchedule": "ClientToken"},
    ),
    # Objects are no JSON: see `object_client.py`.
    "s3": Service("s3", _named("GetObject", "PutObject")),
    "sesv2": Service("sesv2", {"SendEmail": Path("POST", "/v2/email/outbound-emails")}, host="email", signed_for="ses"),
}


class Endpoint(NamedTuple):
    """Where a service is; `authority` is what the header Host says."""

    url: str
    host: str
    port: int
    authority: str
    is_secure: bool


class Answer(NamedTuple):
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stale(Exception):
    """A kept connection was found closed before anything came back."""


class Unanswered(Exception):
    """No answer, for this reason: the name of the SDK's error."""


def client_for(service: str, region: str, environ: Mapping[str, str], boto3_client: Callable[[], Any]) -> Any:
    """Return our client of a service in a region, or None where only the SDK knows the way."""
    endpoint = endpoint_of(service, region, environ) if service in SERVICES else None
    return JsonClient(service, region, endpoint, boto3_client) if endpoint else None


def endpoint_of(service: str, region: str, environ: Mapping[str, str]) -> Endpoint | None:
    """Return where a service is, or None where only the SDK knows."""
    name = SERVICES[service].name.upper().replace("-", "_")
    url = environ.get(f"AWS_ENDPOINT_URL_{name}") or environ.get("AWS_ENDPOINT_URL")
    if environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        url = None
    if url is None and not _REGION.fullmatch(region):
        return None
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    parts = urlsplit(url or f"https://{SERVICES[service].host or service}.{region}.{domain}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
        return None
    is_secure = parts.scheme == "https"
    usual = 443 if is_secure else 80
    authority = parts.netloc.removesuffix(f":{usual}")
    return Endpoint(f"{parts.scheme}://{parts.netloc}/", parts.hostname, parts.port or usual, authority, is_secure)


class Connection:
    """A connection to an endpoint, kept from call to call, also while the process is frozen. For one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._socket: socket.socket | None = None
        self._used_at = 0.0

    def exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer to a request; raises Stale, and Unanswered."""
        lines = [f"{method} {path} HTTP/1.1", *map(": ".join, headers.items()), f"content-length: {len(body)}", "", ""]
        head = "\r\n".join(lines)
        if not head.count("\n") == head.count("\r") == len(lines) - 1:
            # Its value may be a secret.
            raise ValueError("a header of a call to AWS would have two lines")
        sent = head.encode("latin-1") + body
        is_kept = self._is_alive()
        if not is_kept:
            self.close()
            self._socket = self._connected()
        line: socket.socket = self._socket  # type: ignore[assignment]
        if line.gettimeout() != ANSWER_SECONDS:
            line.settimeout(ANSWER_SECONDS)
        received = _Received(line)
        try:
            line.sendall(sent)
            answer, is_last = received.answer()
        except (OSError, ValueError, EOFError) as error:
            self.close()
            if isinstance(error, TimeoutError):
                raise Unanswered("ReadTimeoutError") from None
            if is_kept and not received.anything:
                raise Stale from None
            raise Unanswered("ConnectionClosedError") from None
        except BaseException:
            # Whoever interrupts leaves half an answer behind, which must not be the next call's.
            self.close()
            raise
        self._used_at = time.time()
        if is_last:
            self.close()
        return answer

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _is_alive(self) -> bool:
        """Tell whether a connection is kept that the other side has not closed, as far as is known here."""
        if self._socket is None or not 0 <= time.time() - self._used_at < _IDLE_SECONDS:
            return False
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def _connected(self) -> socket.socket:
        endpoint = self.endpoint
        try:
            made = socket.create_connection((endpoint.host, endpoint.port), CONNECT_SECONDS)
        except TimeoutError:
            raise Unanswered("ConnectTimeoutError") from None
        except OSError:
            raise Unanswered("EndpointConnectionError") from None
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not endpoint.is_secure:
            return made
        import ssl

        try:
            secured: socket.socket = _tls(_trusted()).wrap_socket(made, server_hostname=endpoint.host)
            return secured
        except TimeoutError:
            made.close()
            raise Unanswered("ConnectTimeoutError") from None
        except ssl.SSLError:
            made.close()
            raise Unanswered("SSLError") from None
        except OSError:
            made.close()
            raise Unanswered("EndpointConnectionError") from None


def _trusted() -> str:
    """Return the file of the authorities that are trusted: the operator's, else the SDK's."""
    import botocore

    given = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return given or os.path.join(os.path.dirname(botocore.__file__), "cacert.pem")  # noqa: PTH118, PTH120


@lru_cache
def _tls(authorities: str) -> Any:
    import ssl

    return ssl.create_default_context(cafile=authorities)


class _Received:
    """What comes in on a socket as the answer to one request, within the time that an answer may take."""

    def __init__(self, source: socket.socket) -> None:
        self._source, self._until = source, time.monotonic() + ANSWER_SECONDS
        self._data = b""
        self.anything = False

    def answer(self) -> tuple[Answer, bool]:
        """Return the answer, and whether the connection ends with it.

        Raises OSError, ValueError for what is no HTTP, and EOFError for an answer that ends early.
        """
        status = 100
        while status < 200:
            version, status, headers = self._head()
        is_last = version != "HTTP/1.1" or headers.get("connection", "").lower() == "close"
        if status in (204, 304):
            return Answer(status, headers, b""), is_last
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return Answer(status, headers, b"".join(self._chunks())), is_last
        if "content-length" in headers:
            return Answer(status, headers, self._take(int(headers["content-length"]))), is_last
        return Answer(status, headers, self._rest()), True

    def _head(self) -> tuple[str, int, Mapping[str, str]]:
        first, *lines = self._until_mark(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status = first.split(" ", 2)[:2]
        headers = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return version, int(status), headers

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._until_mark(b"\r\n").partition(b";")[0], 16):
            yield self._take(size)
            self._until_mark(b"\r\n")
        while self._until_mark(b"\r\n"):
            pass

    def _until_mark(self, mark: bytes) -> bytes:
        while (end := self._data.find(mark)) < 0:
            if len(self._data) > _LARGEST_HEAD:
                raise ValueError("the head of an answer has no end")
            self._more()
        found, self._data = self._data[:end], self._data[end + len(mark) :]
        return found

    def _take(self, size: int) -> bytes:
        if size < 0:
            raise ValueError("an answer of a negative size")
        parts, missing = [self._data], size - len(self._data)
        while missing > 0:
            self._data = b""
            self._more()
            parts.append(self._data)
            missing -= len(self._data)
        taken = b"".join(parts)
        self._data = taken[size:]
        return taken[:size]

    def _rest(self) -> bytes:
        parts = []
        try:
            while True:
                parts.append(self._data)
                self._data = b""
                self._more()
        except EOFError:
            return b"".join(parts)

    def _more(self) -> None:
        left = self._until - time.monotonic()
        # Each change is a call of the system, and a tenth too long does no harm.
        if left < 0.9 * (self._source.gettimeout() or math.inf):
            self._source.settimeout(max(0.001, left))
        received = self._source.recv(_PIECE)
        if not received:
            raise EOFError
        self.anything = True
        self._data += received


class _Again(Exception):
    """An attempt that may be made again, after a pause of up to so many seconds; else this error is the answer."""

    def __init__(self, error: Exception, pause: float) -> None:
        self.error, self.pause = error, pause


class Meta(NamedTuple):
    """What is asked of a client beside its operations, as boto3 names it."""

    region_name: str


class JsonClient:
    """One service in one region; the methods of its operations are those of boto3."""

    def __init__(self, service: str, region: str, endpoint: Endpoint, boto3_client: Callable[[], Any]) -> None:
        self.service, self.region, self.endpoint = SERVICES[service], region, endpoint
        self._scope = self.service.signed_for or service
        self._unsigned = _UNSIGNED | ({"x-amzn-query-mode": "true"} if service == "sqs" else {})
        self.meta = Meta(region)
        self._boto3_client = boto3_client
        self._of_thread = threading.local()
        self._signing: tuple[str, str, hmac.HMAC] | None = None
        self._skew = 0.0
        self._write = json.JSONEncoder(separators=(",", ":"), check_circular=False, default=_blob).encode
        read = self.service.read or {}
        self._marks = [f'"{name}"'.encode() for name in read]

        def native(found: dict[str, Any]) -> dict[str, Any]:
            for name in read:
                if name in found:
                    found[name] = read[name](found[name])
            return found

        self._with_binaries, self._plain = json.JSONDecoder(object_hook=native), json.JSONDecoder()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        operation = "".join(part.title() for part in name.split("_"))
        if operation not in self.service.operations:
            return getattr(self._boto3_client(), name)

        def call(**parameters: Any) -> Any:
            return self.call(operation, parameters)

        self.__dict__[name] = call
        return call

    def get_paginator(self, operation: str) -> Any:
        return _Pages(self.query) if operation == "query" else self._boto3_client().get_paginator(operation)

    def call(self, operation: str, parameters: Mapping[str, Any]) -> Any:
        """Return the answer to a call, in at most three attempts; raises botocore's errors."""
        token = (self.service.tokens or {}).get(operation)
        if token and token not in parameters:
            parameters = {**parameters, token: os.urandom(16).hex()}
        method, path, query, body = self._request(operation, parameters)
        for attempt in range(ATTEMPTS):
            try:
                return self._attempt(operation, method, path, query, body, attempt)
            except _Again as failed:
                if attempt == ATTEMPTS - 1:
                    raise failed.error from None
                time.sleep(random.random() * failed.pause * 2**attempt)  # noqa: S311
        raise AssertionError

    def _request(self, operation: str, parameters: Mapping[str, Any]) -> tuple[str, str, str, bytes]:
        """Return method, path, query, and body of a call."""
        place = self.service.operations[operation]
        if place is None:
            return "POST", "/", "", self._write(parameters).encode()
        rest = dict(parameters)
        path = place.path + (quote(rest.pop("Name"), safe="-_.~") if place.path.endswith("/") else "")
        asked = sorted((place.query[name], rest.pop(name)) for name in list(rest) if name in place.query)
        query = "&".join(f"{name}={quote(value, safe='-_.~')}" for name, value in asked)
        return place.method, path, query, self._write(rest).encode() if rest else b""

    def _attempt(self, operation: str, method: str, path: str, query: str, body: bytes, attempt: int) -> Any:
        credentials, connection = _credentials(), self._connection()
        headers = self._signed(operation, method, path, query, body, credentials)
        if query:
            path = f"{path}?{query}"
        try:
            try:
                answer = connection.exchange(method, path, headers, body)
            except Stale:
                # Found closed, as when the process thaws: that says nothing of AWS, so it is no attempt.
                answer = connection.exchange(method, path, headers, body)
        except Unanswered as reason:
            raise _Again(self._unanswered(str(reason)), self._pause) from None
        if answer.status >= 300:
            self._refuse(operation, answer, credentials, attempt)
        self._check(answer)
        return {**self._read(operation, answer), "ResponseMetadata": _metadata(answer, attempt)}

    @property
    def _pause(self) -> float:
        return _DYNAMODB_PAUSE if self._scope == "dynamodb" else _PAUSE

    def _connection(self) -> Connection:
        kept = self._of_thread
        try:
            found: Connection = kept.connection
        except AttributeError:
            found = kept.connection = Connection(self.endpoint)
        return found

    def _check(self, answer: Answer) -> None:
        """Raise _Again for an answer that is not as DynamoDB sent it."""
        expected = answer.headers.get("x-amz-crc32")
        if expected is None or str(zlib.crc32(answer.body)) == expected:
            return
        from botocore.exceptions import ChecksumError

        found = str(zlib.crc32(answer.body))
        error = ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=found)
        raise _Again(error, self._pause)

    def _read(self, _operation: str, answer: Answer) -> dict[str, Any]:
        body = answer.body
        if not body:
            return {}
        try:
            decoder = self._with_binaries if any(mark in body for mark in self._marks) else self._plain
            read: dict[str, Any] = decoder.decode(body.decode())
        except ValueError:
            raise _Again(self._unanswered("ConnectionClosedError"), self._pause) from None
        return read

    def _unanswered(self, name: str) -> Exception:
        from botocore import exceptions

        made: Exception = getattr(exceptions, name)(endpoint_url=self.endpoint.url, error=name)
        return made

    def _refuse(self, operation: str, answer: Answer, credentials: "Credentials", attempt: int) -> NoReturn:
        """Raise what AWS refused a call by: ClientError, or _Again if the call may be made again."""
        from botocore.exceptions import ClientError

        error = _refusal(answer, credentials, attempt)
        code, refused = error["Error"]["Code"], ClientError(error, operation)
        if code in _THROTTLED or answer.status == 429:
            raise _Again(refused, _THROTTLED_PAUSE)
        if code in _TRANSIENT or answer.status in _TRANSIENT_STATUS:
            raise _Again(refused, self._pause)
        if code in _OF_ANOTHER_TIME and self._set_clock(answer):
            raise _Again(refused, 0)
        raise refused

    def _set_clock(self, answer: Answer) -> bool:
        """Take over AWS's time; return whether it differs so much that a signature is refused for it."""
        from email.utils import parsedate_to_datetime

        try:
            skew = parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - time.time()
        except ValueError:
            return False
        differs = abs(skew - self._skew) > _SKEW_SECONDS
        if differs:
            self._skew = skew
        return differs

    def _signed(
        self, operation: str, method: str, path: str, query: str, body: bytes, credentials: "Credentials"
    ) -> Mapping[str, str]:
        """Return the headers of a request, signed by version 4."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + self._skew))
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self.endpoint.authority, "x-amz-date": now, **self._own_headers(operation, body, digest)}
        if credentials.token:
            headers["x-amz-security-token"] = credentials.token
        in_order = sorted(headers)
        names = ";".join(in_order)
        lines = "".join([f"{name}:{headers[name]}\n" for name in in_order])
        canonical = f"{method}\n{self._signed_path(path)}\n{query}\n{lines}\n{names}\n{digest}"
        scope = f"{now[:8]}/{self.region}/{self._scope}/aws4_request"
        to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = self._signature(now[:8], credentials.secret, to_sign)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={credentials.key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
        )
        return headers | self._unsigned

    def _own_headers(self, operation: str, body: bytes, _digest: str) -> Mapping[str, str]:
        """Return the headers that a service wants to be signed beside those of every call, given the body's digest."""
        if self.service.target:
            version, target = self.service.version, f"{self.service.target}.{operation}"
            return {"content-type": f"application/x-amz-json-{version}", "x-amz-target": target}
        return {"content-type": "application/json"} if body else {}

    def _signed_path(self, path: str) -> str:
        """Return a path as it is signed: quoted once more than it is sent."""
        return path if path == "/" else quote(path, safe="/-_.~")

    def _signature(self, day: str, secret: str, text: str) -> str:
        """Return the signature of a text by the key of a day."""
        kept = self._signing
        if kept is None or kept[:2] != (day, secret):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, self._scope, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            # A copy of one that knows its key takes half as long as a new one.
            kept = self._signing = (day, secret, hmac.new(key, digestmod="sha256"))
        signing = kept[2].copy()
        signing.update(text.encode())
        return signing.hexdigest()


@dataclass(frozen=True)
class Credentials:
    """What a call is signed by."""

    key_id: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False)


def _credentials() -> Credentials:
    """Return the environment's credentials, else what botocore finds; raises botocore's errors where there are none."""
    environ = os.environ
    key_id, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    if key_id and secret and not _has_more_of_credentials():
        return Credentials(key_id, secret, environ.get("AWS_SESSION_TOKEN"))
    found = _session().get_credentials()
    if found is None:
        from botocore.exceptions import NoCredentialsError

        raise NoCredentialsError
    frozen = found.get_frozen_credentials()
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


# To look for what is not in the environment takes longest, and these come with a process or not at all.
@lru_cache
def _has_more_of_credentials() -> bool:
    return "AWS_CREDENTIAL_EXPIRATION" in os.environ or "AWS_SECURITY_TOKEN" in os.environ


@lru_cache
def _session() -> Any:
    import botocore.session

    return botocore.session.get_session()


def _blob(value: Any) -> str:
    """Return what JSON has for bytes, or for a wrapper of them."""
    value = getattr(value, "value", value)
    if not isinstance(value, bytes | bytearray):
        raise TypeError(f"a call to AWS cannot hold a {type(value).__name__}")
    return base64.b64encode(value).decode()


def _metadata(answer: Answer, attempt: int) -> dict[str, Any]:
    return {
        "RequestId": answer.headers.get("x-amzn-requestid", ""),
        "HTTPStatusCode": answer.status,
        "HTTPHeaders": answer.headers,
        "RetryAttempts": attempt,
    }


def _refusal(answer: Answer, credentials: Credentials, attempt: int) -> Any:
    """Return an error as botocore's ClientError has it."""
    try:
        said = json.loads(answer.body)
    except ValueError:
        said = _said_in_xml(answer.body)
    if not isinstance(said, dict):
        said = {}
    code = str(answer.headers.get("x-amzn-errortype") or said.get("__type") or answer.status)
    code = code.partition(":")[0].rpartition("#")[2]
    # Where they have an own one, SQS's codes are those of its older protocol.
    older, _, fault = answer.headers.get("x-amzn-query-error", "").partition(";")
    error = {"Code": older or code, "Message": _unsigned(said.get("message") or said.get("Message"), credentials)}
    if older:
        error |= {"QueryErrorCode": code, "Type": fault}
    rest = {name: value for name, value in said.items() if name not in ("__type", "message", "Message")}
    return {**rest, "Error": error, "ResponseMetadata": _metadata(answer, attempt)}


def _said_in_xml(body: bytes) -> dict[str, Any]:
    """Return an error of S3 by the names that JSON has."""
    from html import unescape

    found = dict(_IN_XML.findall(body.decode(errors="replace")))
    return {"__type": found["Code"], "message": unescape(found.get("Message", ""))} if "Code" in found else {}


def _unsigned(message: object, credentials: Credentials) -> str:
    """Return what AWS says, without what a call was signed by: a refused signature is explained by all of it."""
    text = str(message or "")
    for secret in filter(None, (credentials.secret, credentials.token)):
        text = text.replace(secret, "…")
    return text


class _Pages:
    """All pages of a query."""

    def __init__(self, query: Callable[..., Any]) -> None:
        self._query = query

    def paginate(self, PaginationConfig: Mapping[str, int] | None = None, **parameters: Any) -> Iterator[Any]:  # noqa: N803 - boto3's name
        config = dict(PaginationConfig or {})
        size = config.pop("PageSize", None)
        if config:
            raise TypeError(f"pages know no {', '.join(config)}")
        if size:
            parameters["Limit"] = size
        while True:
            page = self._query(**parameters)
            yield page
            if not page.get("LastEvaluatedKey"):
                return
            parameters["ExclusiveStartKey"] = page["LastEvaluatedKey"]
