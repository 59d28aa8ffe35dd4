"""POSTs to addresses that somebody else chose: only the public internet, no redirects, bounded in size and time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from flow_hitl.adapters.http_poster import ForbiddenAddress, SafeHttpPoster, public_address
from flow_hitl.ports import PostResult
from tests.functions.receiver import receiving


@contextmanager
def peer(talk: Callable[[socket.socket], object]) -> Iterator[str]:
    """Run a server whose every connection is given to `talk`; yield its host and port."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            connections.append(connection)
            with suppress(OSError):
                talk(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()
        listening.close()
        thread.join(2)


def post(url: str, total_seconds: float = 2.0) -> PostResult:
    poster = SafeHttpPoster(insecure_allowed=True, total_seconds=total_seconds)
    return poster.post(url, b'{"a":1}', {"X-Signature": "sha256=x"})


def test_body_and_headers_arrive() -> None:
    with receiving() as flow:
        assert post(flow.url) == PostResult(200, "HTTP 200")
    (received,) = flow.received
    assert (received.path, received.body) == ("/resume?run=7", b'{"a":1}')
    assert received.headers["x-signature"] == "sha256=x"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == flow.url.split("/")[2]


def test_a_url_without_path_has_one() -> None:
    with receiving() as flow:
        post(flow.url.split("/resume")[0] + "?a=b")
    assert flow.received[0].path == "/?a=b"


def test_redirects_are_not_followed() -> None:
    with receiving() as flow:
        flow.status, flow.location = 307, flow.url
        assert post(flow.url) == PostResult(307, "HTTP 307")
    assert len(flow.received) == 1


def test_the_environments_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with receiving() as flow:
        assert post(flow.url).delivered


@pytest.mark.parametrize(
    ("answer", "delivered"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.0 200 OK\r\n\r\nbody until the end", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", False),
        (b"", False),
        (b"\r\n", False),
        (b"not http at all\r\n\r\n", False),
        (b"HTTP/1.1 abc\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", False),
        (b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", True),
    ],
)
def test_whatever_the_peer_says_there_is_a_result(answer: bytes, delivered: bool) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer)
        connection.close()

    with peer(talk) as address:
        result = post(f"http://{address}/")
    assert result.delivered is delivered
    assert result.reason


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            sent += connection.send(b"x" * 65536)

    with peer(talk) as address:
        assert post(f"http://{address}/").delivered
    assert sent < 20_000_000


def drip(pieces: bytes, pause: float) -> Callable[[socket.socket], None]:
    """Return a talk that sends one octet, and then the next, and so on."""

    def talk(connection: socket.socket) -> None:
        while True:
            for number in range(len(pieces)):
                connection.sendall(pieces[number : number + 1])
                time.sleep(pause)

    return talk


# A TLS handshake record of 16 KB, whose content never comes to its end.
_ENDLESS_HANDSHAKE = b"\x16\x03\x03\x40\x00" + b"\x02"


@pytest.mark.parametrize(
    ("scheme", "talk"),
    [
        ("http", drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100, 0.05)),
        ("http", drip(b"x", 0.05)),
        ("https", drip(_ENDLESS_HANDSHAKE, 0.05)),
        ("https", lambda _: time.sleep(0.6)),
        ("http", lambda _: time.sleep(0.6)),
    ],
)
def test_the_clock_covers_the_whole_exchange(scheme: str, talk: Callable[[socket.socket], object]) -> None:
    with peer(talk) as address:
        began = time.monotonic()
        result = post(f"{scheme}://{address}/", total_seconds=0.3)
        taken = time.monotonic() - began
    assert not result.delivered
    assert result.status is None
    assert 0.25 < taken < 0.6


def test_a_certificate_that_nobody_vouches_for_is_refused() -> None:
    with receiving() as plain:
        result = post(plain.url.replace("http://", "https://"))
    assert result.status is None
    assert "no answer" in result.reason


def test_plain_http_needs_the_operators_leave() -> None:
    result = SafeHttpPoster(insecure_allowed=False).post("http://127.0.0.1:1/", b"", {})
    assert result == PostResult(None, "the URL is not https")


@pytest.mark.parametrize(
    "host", ["a..b.example", "a" * 64 + ".example", "no-such-host.invalid", "\u00fc" * 70 + ".example", "ex ample", ""]
)
def test_a_name_that_leads_nowhere_is_a_result(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def offline(name: Any, port: int, **options: Any) -> Any:
        if name and name != "no-such-host.invalid":
            return real(name, port, flags=socket.AI_NUMERICHOST)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    result = post(f"http://{host}/")
    assert result.status is None
    assert result.reason


# --- where it may go


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 - nothing listens there
    "0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%lo",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "100::1",
    "5f00::1",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_no_spelling_of_a_private_address_is_public(host: str) -> None:
    with pytest.raises((ForbiddenAddress, OSError)):
        public_address(host, 443, any_address=False)


@pytest.mark.parametrize("host", ["8.8.8.8", "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_public_addresses_are_public(host: str) -> None:
    assert public_address(host, 443, any_address=False) == host


def addresses(*texts: str) -> Callable[..., list[Any]]:
    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 443)) for text in texts]

    return getaddrinfo


def test_one_private_address_among_public_ones_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", addresses("8.8.8.8", "10.0.0.1"))
    result = SafeHttpPoster(insecure_allowed=False).post("https://rebind.example/", b"", {})
    assert result.status is None
    assert "not public" in result.reason
    assert "10.0.0.1" not in result.reason


def test_the_address_that_was_checked_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def rebinding(host: Any, *_: Any, **__: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8" if len(asked) == 1 else "127.0.0.1", 443))]

    called: list[Any] = []

    def connect(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        called.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    result = SafeHttpPoster(insecure_allowed=False).post("https://rebind.example/", b"", {})
    assert not result.delivered
    assert called == [("8.8.8.8", 443)]
    assert asked == ["rebind.example"]
