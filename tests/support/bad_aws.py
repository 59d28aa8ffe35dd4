"""An endpoint on this machine that answers as AWS, or as AWS on a bad day."""

import json
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from time import time
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came in; the names of headers are in lower case."""

    connection: int
    line: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Turn:
    """What happens at one request: these bytes go back, then the connection stays, is closed, or nothing more comes."""

    sent: bytes = b""
    then: str = "stays"


def answer(
    body: object = None, status: int = 200, *, then: str = "stays", crc: int | None = None, **headers: Any
) -> Turn:
    """Answer with a document, or with these bytes; `crc` is what DynamoDB would say of them."""
    content = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    lines = {
        "content-length": str(len(content)),
        "x-amz-crc32": str(zlib.crc32(content) if crc is None else crc),
        "date": formatdate(time(), usegmt=True),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return Turn(f"HTTP/1.1 {status} Said\r\n{head}\r\n".encode() + content, then)


def refusal(code: str, status: int = 400, message: str = "no", **headers: Any) -> Turn:
    return answer({"__type": f"com.amazonaws.x#{code}", "message": message}, status, **headers)


CUT = Turn(then="closed")
CUT_MIDWAY = Turn(answer({"Item": {}}).sent[:-3], "closed")
SILENCE = Turn(then="silent")


@dataclass
class BadAws:
    """The endpoint; it takes its turns in their order, then answers well."""

    url: str
    turns: list[Turn] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    # Seconds by which its clock is ahead; a request of another time is refused.
    ahead: float | None = None

    def bodies(self) -> Sequence[Any]:
        return [json.loads(request.body) for request in self.requests]


@contextmanager
def bad_aws(*turns: Turn, tls: ssl.SSLContext | None = None) -> Iterator[BadAws]:
    """Yield an endpoint that listens until the end of the block."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        aws = BadAws(f"{'https' if tls else 'http'}://127.0.0.1:{port}", list(turns))
        ended = threading.Event()
        opened: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    accepted, _ = listening.accept()
                    opened.append(accepted)
                    threading.Thread(target=serve, args=(accepted, len(opened)), daemon=True).start()

        def serve(accepted: socket.socket, number: int) -> None:
            with suppress(OSError, ValueError), accepted:
                served = tls.wrap_socket(accepted, server_side=True) if tls else accepted
                with served, served.makefile("rb") as incoming:
                    while request := _request(incoming, number):
                        aws.requests.append(request)
                        turn = aws.turns.pop(0) if aws.turns else _of_this_time(aws, request)
                        served.sendall(turn.sent)
                        if turn.then == "silent":
                            ended.wait()
                        if turn.then != "stays":
                            served.shutdown(socket.SHUT_RDWR)
                            return

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield aws
        finally:
            ended.set()
            listening.shutdown(socket.SHUT_RDWR)
            for one in opened:
                one.close()


def _request(incoming: Any, connection: int) -> Request | None:
    line = incoming.readline().decode().strip()
    if not line:
        return None
    headers = {}
    while text := incoming.readline().decode().strip():
        name, _, value = text.partition(":")
        headers[name.lower()] = value.strip()
    return Request(connection, line, headers, incoming.read(int(headers.get("content-length", 0))))


def _of_this_time(aws: BadAws, request: Request) -> Turn:
    from datetime import UTC, datetime

    if aws.ahead is None:
        return answer()
    now = time() + aws.ahead
    signed_at = datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(signed_at.timestamp() - now) > 300:
        return refusal("InvalidSignatureException", message="Signature expired", date=formatdate(now, usegmt=True))
    return answer()
