"""POST to an address that somebody else chose, without becoming their way into this network.

The URL is read again, its name is resolved once, and the connection goes to an address that was checked. `ssrfguard`
and our own `outgoing_url` both judge each step. No redirects, no proxies, no decompression, a bounded answer, and one
clock over the whole exchange, from the look-up of the name on.
"""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property, lru_cache
from http.client import BadStatusLine, HTTPConnection, HTTPException, HTTPResponse, RemoteDisconnected
from ipaddress import ip_address
from typing import Any, TypeVar

from ssrfguard import Address, Policy, SSRFGuardError, connect, resolve

from flow_hitl.platform.outgoing_url import LONGEST_URL, Destinations, ForbiddenUrl, Network, Target, read_url
from flow_hitl.platform.ports import PostResult

Resolver = Callable[..., Iterable[tuple[int, int, int, str, tuple[Any, ...]]]]
"""What has the signature of `socket.getaddrinfo`."""

_CONNECT_SECONDS = 5.0
_MOST_ATTEMPTS = 4
_BODY_SECONDS = 2.0
_BODY_BYTES = 1024
_ANSWER_BYTES = 64 * 1024

_Result = TypeVar("_Result")


class ForbiddenAddress(Exception):
    """The URL's name leads to an address that is not allowed."""


class SafeHttpPoster:
    """POSTs under the operator's rules, each within `total_seconds`, and never raises for what the peer does.

    `resolver` is asked once for each POST; `tls` stands in for the system's trust where a test has its own.
    """

    def __init__(
        self,
        destinations: Destinations,
        *,
        total_seconds: float,
        resolver: Resolver = socket.getaddrinfo,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._destinations, self._total_seconds, self._resolver = destinations, total_seconds, resolver
        self._given_tls = tls

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        """POST once; the result's reason names no address, because whoever chose the URL may read it."""
        began = time.monotonic()
        status, reason, text = None, "", ""
        try:
            target = read_url(url, self._destinations)
            clock = _Clock(began + self._total_seconds)
            with self._connected(target, url, clock) as line:
                status, text = _exchange(_Line(line, clock), target, body, headers)
                reason = f"HTTP {status}"
        except ForbiddenUrl as error:
            reason = f"the URL {error}"
        except (ForbiddenAddress, SSRFGuardError):
            reason = f"{target.host} resolves to an address that is not public"
        except (HTTPException, OSError, UnicodeError) as error:
            reason = f"no answer: {_cause(error)}"
        taken = time.monotonic() - began
        if status is None and taken >= self._total_seconds:
            reason = f"no answer within {self._total_seconds:g} seconds"
        return PostResult(status, reason, text, round(taken * 1000))

    @contextmanager
    def _connected(self, target: Target, url: str, clock: "_Clock") -> Iterator[socket.socket]:
        policy = self._policy(target)
        addresses = self._addresses(target, url, policy, clock)
        attempts = min(len(addresses), _MOST_ATTEMPTS)
        pause = min(_CONNECT_SECONDS, clock.left() / attempts)
        with connect(addresses, policy=policy, timeout=pause) as line:
            self._check(target, [line.getpeername()[0]])
            if not target.secure:
                yield line
                return
            # A handshake has this time as a whole, however many octets it comes in.
            line.settimeout(clock.left())
            with self._tls.wrap_socket(line, server_hostname=target.host) as secured:
                yield secured

    def _addresses(self, target: Target, url: str, policy: Policy, clock: "_Clock") -> Sequence[Address]:
        theirs = policy.check_url(url)
        if (theirs.host, theirs.port) != (target.host, target.port):
            raise ForbiddenAddress("the URL can be read in two ways")

        def look_up() -> Sequence[Address]:
            return resolve(theirs, policy=policy, resolver=self._resolver)

        # An address in the URL is read, not looked up: nobody can hold that up.
        addresses = look_up() if theirs.is_literal_address else clock.run(look_up)
        self._check(target, [address.sockaddr[0] for address in addresses])
        return addresses

    def _check(self, target: Target, addresses: Iterable[str]) -> None:
        for text in addresses:
            if not self._destinations.allow_address(target.host, ip_address(text)):
                raise ForbiddenAddress(f"{target.host} leads to {text}")

    def _policy(self, target: Target) -> Policy:
        destinations = self._destinations
        return _policy(target.port, destinations.networks_for(target.host), insecure=destinations.insecure)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # To read the system's certificates takes longer than most answers do.
        return self._given_tls or ssl.create_default_context()


# Most flows of a process are at one port, and to check the networks takes longer than to connect.
@lru_cache(maxsize=8)
def _policy(port: int, networks: tuple[Network, ...], *, insecure: bool) -> Policy:
    return Policy(
        allowed_schemes=frozenset({"https", "http"} if insecure else {"https"}),
        allowed_ports=frozenset({port}),
        allowed_networks=networks,
        max_connection_attempts=_MOST_ATTEMPTS,
        max_redirects=0,
        max_url_length=LONGEST_URL,
    )


class _Clock:
    """The time that one POST has, on the monotonic clock."""

    def __init__(self, end: float) -> None:
        self.end = end

    def left(self) -> float:
        """Return the seconds that are left; raises TimeoutError if there are none."""
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def run(self, call: Callable[[], _Result]) -> _Result:
        """Return what a call returns or raise what it raises, or TimeoutError, and then leave it to itself.

        `getaddrinfo` takes no time-out, and whoever owns a name decides how long its look-up lasts.
        """
        made: list[_Result] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                made.append(call())
            except BaseException as error:
                failed.append(error)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        worker.join(self.left())
        if failed:
            raise failed[0]
        if not made:
            raise TimeoutError
        return made[0]


def _cause(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "the host name does not resolve"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not valid ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"the TLS handshake failed ({error.reason or 'for no stated reason'})"
    known = {
        ConnectionRefusedError: "the connection was refused",
        ConnectionResetError: "the connection was reset",
        ConnectionAbortedError: "the connection broke off",
        RemoteDisconnected: "the connection was closed without an answer",
        BadStatusLine: "what came back is not HTTP",
        TimeoutError: "the connection timed out",
    }
    return known.get(type(error), type(error).__name__)


def _exchange(line: "_Line", target: Target, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
    # The connection is made: http.client only speaks over it, and would not know where else to go.
    connection = HTTPConnection("")
    connection.sock = line
    fixed = {
        "Host": target.authority,
        "Content-Type": "application/json",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    connection.request("POST", target.path, body=body, headers={**headers, **fixed})
    response = connection.getresponse()
    return response.status, _text(response, line)


def _text(response: HTTPResponse, line: "_Line") -> str:
    """Return the text of the first KB, or what of it comes within two seconds: the status is the answer."""
    read = bytearray()
    line.end_within(_BODY_SECONDS)
    with suppress(OSError, HTTPException, ValueError):
        while len(read) < _BODY_BYTES:
            piece = response.read1(_BODY_BYTES - len(read))
            if not piece:
                break
            read += piece
    if response.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        # Asked for as it is and packed all the same: it is not unpacked here.
        return ""
    return read.decode("utf-8", "replace").replace("\0", "\ufffd")


class _Line(io.RawIOBase):
    """A connected socket as http.client knows it, on one clock, and out of it comes no more than a budget of octets.

    Each octet is waited for only as long as time is left for all: a peer that drips them outlives no clock.
    """

    def __init__(self, line: socket.socket, clock: _Clock) -> None:
        self._line, self._clock, self._budget = line, clock, _ANSWER_BYTES
        self._unsent = b""

    def end_within(self, seconds: float) -> None:
        """Have the time end in so many seconds, or when it would anyway."""
        self._clock = _Clock(min(time.monotonic() + seconds, self._clock.end))

    def sendall(self, data: bytes) -> None:
        # http.client sends head and body apart, and the peer may take its time to say that it has the first.
        self._unsent += data

    def makefile(self, _mode: str) -> io.BufferedReader:
        left = memoryview(self._unsent)
        while left:
            self._line.settimeout(self._clock.left())
            left = left[self._line.send(left) :]
        self._unsent = b""
        return io.BufferedReader(self)

    def close(self) -> None:
        """Leave the closing to whoever connected."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._budget <= 0:
            raise ConnectionAbortedError("the response is too long")
        self._line.settimeout(self._clock.left())
        count = self._line.recv_into(memoryview(buffer)[: self._budget])
        self._budget -= count
        return count
