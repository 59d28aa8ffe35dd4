"""POSTs to addresses that somebody else chose: only the public internet, no redirects, bounded in size and time."""

import gzip
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from flow_hitl.platform import http_poster
from flow_hitl.platform.http_poster import SafeHttpPoster
from flow_hitl.platform.outgoing_url import Destinations
from flow_hitl.platform.ports import PostResult
from infra.local.patience import HANG_SECONDS
from tests.support.name_server import name_server
from tests.support.receiver import receiving

LOCAL = Destinations(insecure=True)


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
        thread.join(HANG_SECONDS)


def read_request(connection: socket.socket) -> None:
    """Read the whole POST: to close before would be a reset, which may overtake the answer."""
    read = b""
    while not read.endswith(b"}"):
        read += connection.recv(65536) or b"}"


def post(url: str, total_seconds: float = HANG_SECONDS) -> PostResult:
    poster = SafeHttpPoster(LOCAL, total_seconds=total_seconds)
    return poster.post(url, b'{"a":1}', {"X-Signature": "sha256=x"})


def test_body_and_headers_arrive() -> None:
    with receiving() as flow:
        result = post(flow.url)
    assert (result.status, result.reason, result.body) == (200, "HTTP 200", "")
    assert 0 <= result.duration_ms < 2000
    (received,) = flow.received
    assert (received.path, received.body) == ("/resume?run=7", b'{"a":1}')
    assert received.headers["x-signature"] == "sha256=x"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == flow.url.split("/")[2]


def test_a_url_without_path_has_one() -> None:
    with receiving() as flow:
        post(flow.url.split("/resume")[0] + "?a=b")
    assert flow.received[0].path == "/?a=b"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    with receiving() as flow:
        flow.status, flow.location = status, flow.url
        assert post(flow.url).reason == f"HTTP {status}"
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
        read_request(connection)
        connection.sendall(answer)
        connection.close()

    with peer(talk) as address:
        result = post(f"http://{address}/")
    assert result.delivered is delivered
    assert result.reason


def answering(answer: bytes) -> Callable[[socket.socket], None]:
    """Return a talk that reads the request and says this."""

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)
        connection.close()

    return talk


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "hello"),
        (b"HTTP/1.1 500 No\r\n\r\nit broke", "it broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "hello"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000, "x" * 1024),
        ("HTTP/1.1 200 OK\r\n\r\nSchön".encode(), "Schön"),
        (b"HTTP/1.1 200 OK\r\n\r\n\xff\x00", "\ufffd\ufffd"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nhalf", "half"),
        (b"HTTP/1.1 204 No\r\n\r\n", ""),
    ],
)
def test_the_first_kilobyte_of_the_answer_is_kept(answer: bytes, body: str) -> None:
    with peer(answering(answer)) as address:
        assert post(f"http://{address}/").body == body


def test_what_is_packed_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    tracemalloc.start()
    try:
        with peer(answering(head + bomb)) as address:
            result = post(f"http://{address}/")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (result.status, result.body) == (200, "")
    assert most < 1_000_000


@pytest.mark.parametrize("again", [b"HTTP/1.1 100 Continue\r\n\r\n", b"X: " + b"y" * 60_000 + b"\r\n"])
def test_before_the_status_there_is_an_end_to_patience(again: bytes) -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 100 Continue\r\n" + (b"\r\n" if again.startswith(b"HTTP") else b""))
        while sent < 1_000_000_000:
            sent += connection.send(again * 100)

    with peer(talk) as address:
        result = post(f"http://{address}/", total_seconds=10.0)
    assert (result.status, result.reason) == (None, "no answer: the connection broke off")
    assert sent < 20_000_000


def test_a_status_counts_though_its_body_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_poster, "_BODY_SECONDS", 0.2)

    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.05)

    with peer(talk) as address:
        result = post(f"http://{address}/")
    assert result.delivered
    assert set(result.body) <= {"x"}
    assert result.duration_ms > 150


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
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


def silent(connection: socket.socket) -> None:
    """Say nothing until the other side hangs up."""
    while connection.recv(65536):
        pass


# A TLS handshake record of 16 KB, whose content never comes to its end.
_ENDLESS_HANDSHAKE = b"\x16\x03\x03\x40\x00" + b"\x02"


@pytest.mark.parametrize(
    ("scheme", "talk"),
    [
        ("http", drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100, 0.05)),
        ("http", drip(b"x", 0.05)),
        ("https", drip(_ENDLESS_HANDSHAKE, 0.05)),
        ("https", silent),
        ("http", silent),
    ],
)
def test_the_clock_covers_the_whole_exchange(scheme: str, talk: Callable[[socket.socket], object]) -> None:
    with peer(talk) as address:
        began = time.monotonic()
        result = post(f"{scheme}://{address}/", total_seconds=0.3)
        taken = time.monotonic() - began
    assert result.status is None
    assert result.reason == "no answer within 0.3 seconds"
    assert 250 < result.duration_ms < taken * 1000 + 1


def test_the_clock_covers_the_sending_to_a_peer_that_reads_slowly() -> None:
    def talk(connection: socket.socket) -> None:
        while connection.recv(65536):
            time.sleep(0.02)

    with peer(talk) as address:
        result = SafeHttpPoster(LOCAL, total_seconds=0.3).post(f"http://{address}/", b"x" * 50_000_000, {})
    assert result.reason == "no answer within 0.3 seconds"


def test_a_status_that_comes_at_the_end_of_the_time_counts() -> None:
    def talk(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        silent(connection)

    with peer(talk) as address:
        result = post(f"http://{address}/", total_seconds=0.3)
    assert (result.status, result.body) == (200, "")


def test_the_clock_covers_the_look_up_of_the_name() -> None:
    given_up = threading.Event()

    def look_up(*_: object) -> list[Any]:
        given_up.wait(HANG_SECONDS)
        return []

    result = SafeHttpPoster(LOCAL, total_seconds=0.2, resolver=look_up).post("https://flow.example.com/", b"", {})
    given_up.set()
    assert result.reason == "no answer within 0.2 seconds"


# --- over TLS, to a host that the operator lists


def leads_to(*addresses: str) -> Callable[..., list[Any]]:
    """Return a look-up by which every name has these addresses."""

    def look_up(_name: str, port: int, *_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    return look_up


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a certificate for flow.example.com, which vouches for itself, and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "flow.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("flow.example.com")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "flow.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


def hello(connection: socket.socket) -> None:
    answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")(connection)


@contextmanager
def tls_peer(
    certificate: Path, asked_for: list[str | None], say: Callable[[socket.socket], object] = hello
) -> Iterator[int]:
    """Run a server that talks over TLS; yield its port and note the names it is asked for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _line, name, _context: asked_for.append(name)

    def talk(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            say(secured)

    with peer(talk) as address:
        yield int(address.partition(":")[2])


def post_tls(
    host: str, port: int, certificate: Path, *addresses: str, listed: str = "127.0.0.0/8", total_seconds: float = 2.0
) -> PostResult:
    poster = SafeHttpPoster(
        Destinations.parse(f"{listed}, {host}:{port}"),
        total_seconds=total_seconds,
        resolver=leads_to(*addresses),
        tls=ssl.create_default_context(cafile=str(certificate)),
    )
    return poster.post(f"https://{host}:{port}/", b"{}", {})


def test_a_flow_in_a_listed_network_is_called(certificate: Path) -> None:
    asked_for: list[str | None] = []
    with tls_peer(certificate, asked_for) as port:
        result = post_tls("flow.example.com", port, certificate, "127.0.0.1")
    assert (result.status, result.body) == (200, "hello")
    assert asked_for == ["flow.example.com"]


def test_the_next_address_is_tried_where_one_is_dead(certificate: Path) -> None:
    with tls_peer(certificate, []) as port:
        assert post_tls("flow.example.com", port, certificate, "127.0.0.9", "127.0.0.8", "127.0.0.1").delivered


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("10.0.0.1", "127.0.0.1"), ("127.0.0.1", "10.0.0.1")])
def test_where_one_of_its_addresses_is_not_listed_it_is_not(certificate: Path, addresses: tuple[str, ...]) -> None:
    asked_for: list[str | None] = []
    with tls_peer(certificate, asked_for) as port:
        result = post_tls("flow.example.com", port, certificate, *addresses, listed="10.0.0.0/8")
    assert result.reason == "flow.example.com resolves to an address that is not public"
    assert asked_for == []


def test_a_certificate_for_another_name_is_refused(certificate: Path) -> None:
    with tls_peer(certificate, []) as port:
        result = post_tls("other.example.com", port, certificate, "127.0.0.1")
    assert result.status is None
    assert result.reason.startswith("no answer: the certificate is not valid (Hostname mismatch")


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    with tls_peer(certificate, []) as port:
        poster = SafeHttpPoster(LOCAL, total_seconds=HANG_SECONDS, resolver=leads_to("127.0.0.1"))
        result = poster.post(f"https://flow.example.com:{port}/", b"{}", {})
    assert result.status is None
    assert result.reason == "no answer: the certificate is not valid (self-signed certificate)"


def test_plain_http_needs_the_operators_leave() -> None:
    with receiving() as flow:
        result = SafeHttpPoster(Destinations.parse("127.0.0.0/8"), total_seconds=2.0).post(flow.url, b"", {})
    assert flow.received == []
    assert result.reason == "the URL must begin with https://"


def test_a_name_that_nobody_knows() -> None:
    with name_server() as names:
        poster = SafeHttpPoster(Destinations(), total_seconds=HANG_SECONDS, resolver=names.resolver())
        result = poster.post("https://none.dns.test/", b"", {})
    assert (result.status, result.reason) == (None, "no answer: the host name does not resolve")


def test_the_clock_covers_an_answer_that_drips_over_tls(certificate: Path) -> None:
    drips = drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100, 0.05)
    with tls_peer(certificate, [], drips) as port:
        result = post_tls("flow.example.com", port, certificate, "127.0.0.1", total_seconds=0.5)
    assert result.reason == "no answer within 0.5 seconds"
