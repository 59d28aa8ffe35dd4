"""POST to an address that somebody else chose, without becoming their way into this network.

The name is resolved once, every address it has must be public, and the connection goes to the address that was
checked. No redirects, no proxies, a bounded answer, and a clock of its own over the whole exchange.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from flow_hitl.ports import PostResult

_TOTAL_SECONDS = 20.0
_CONNECT_SECONDS = 5.0
_ANSWER_BYTES = 1024


class ForbiddenAddress(Exception):
    """The URL leads to an address that is not on the public internet."""


def public_address(host: str, port: int, *, any_address: bool) -> str:
    """Return the address to connect to; raises ForbiddenAddress if one of the host's is not public, OSError if none."""
    found = [info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not any_address:
        for text in found:
            if not _is_public(ipaddress.ip_address(str(text).partition("%")[0])):
                raise ForbiddenAddress(f"{host} leads to an address that is not public")
    return str(found[0])


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        # Only what is allocated to the public internet; this leaves out every form that carries an IPv4 address.
        global_unicast = address in ipaddress.ip_network("2000::/3")
        if not global_unicast or address.sixtofour or address.teredo:
            return False
    return address.is_global and not address.is_multicast


class SafeHttpPoster:
    def __init__(self, *, insecure_allowed: bool, total_seconds: float = _TOTAL_SECONDS) -> None:
        self._insecure_allowed, self._total_seconds = insecure_allowed, total_seconds

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        parts = urlsplit(url)
        host, secure = parts.hostname or "", parts.scheme == "https"
        if not secure and not self._insecure_allowed:
            return PostResult(None, "the URL is not https")
        port = parts.port or (443 if secure else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        request = {**headers, "Host": parts.netloc, "Content-Type": "application/json"}
        try:
            address = public_address(host, port, any_address=self._insecure_allowed)
            with self._line(address, port) as line:
                return _exchange(_secured(line, host) if secure else line, target, body, request)
        except ForbiddenAddress as error:
            return PostResult(None, str(error))
        except (HTTPException, OSError, UnicodeError) as error:
            return PostResult(None, f"no answer: {type(error).__name__}")

    @contextmanager
    def _line(self, address: str, port: int) -> Iterator[socket.socket]:
        """Connect, and cut the line when the time is over.

        A peer that drips one octet at a time, be it of its handshake, outlives every socket time-out.
        """
        with (
            socket.create_connection((address, port), timeout=min(_CONNECT_SECONDS, self._total_seconds)) as line,
            line.dup() as twin,
        ):
            line.settimeout(self._total_seconds)
            cut = threading.Timer(self._total_seconds, _shut_down, [twin])
            cut.daemon = True
            cut.start()
            try:
                yield line
            finally:
                cut.cancel()
                cut.join()


def _shut_down(line: socket.socket) -> None:
    with suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _secured(line: socket.socket, host: str) -> ssl.SSLSocket:
    return ssl.create_default_context().wrap_socket(line, server_hostname=host)


def _exchange(line: socket.socket, target: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
    # The connection is made: http.client only speaks over it, and would not know where else to go.
    connection = HTTPConnection("")
    connection.sock = line
    with closing(connection):
        connection.request("POST", target, body=body, headers=headers)
        response = connection.getresponse()
        with suppress(OSError, HTTPException):
            # Their status is the answer, whatever becomes of the rest; to take a little of it spares them a reset.
            response.read1(_ANSWER_BYTES)
        return PostResult(response.status, f"HTTP {response.status}")
