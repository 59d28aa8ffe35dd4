"""POST to an address that somebody else chose, without becoming their way into this network.

The name is resolved once, every address it has must be public, and the connection goes to the address that was
checked. No redirects, no proxies, a bounded answer, and a clock of its own over the whole exchange.
"""

import ipaddress
import socket
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

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
        try:
            address = public_address(host, port, any_address=self._insecure_allowed)
            return self._exchange(
                _connection(address, host, port, secure=secure), target, body, {**headers, "Host": parts.netloc}
            )
        except ForbiddenAddress as error:
            return PostResult(None, str(error))
        except (HTTPError, HTTPException, OSError) as error:
            return PostResult(None, f"no answer: {type(error).__name__}")

    def _exchange(self, connection: Any, target: str, body: bytes, headers: Mapping[str, str]) -> PostResult:
        connection.connect()
        # A peer that drips one octet at a time outlives every socket time-out; cutting the line ends it.
        cut = threading.Timer(self._total_seconds, connection.sock.shutdown, [socket.SHUT_RDWR])
        cut.daemon = True
        cut.start()
        try:
            connection.request("POST", target, body=body, headers={**headers, "Content-Type": "application/json"})
            response = connection.getresponse()
            response.read(_ANSWER_BYTES)
            return PostResult(int(response.status), f"HTTP {response.status}")
        finally:
            cut.cancel()
            connection.close()


def _connection(address: str, host: str, port: int, *, secure: bool) -> HTTPConnection:
    if not secure:
        return HTTPConnection(address, port, timeout=_CONNECT_SECONDS)
    return HTTPSConnection(
        address,
        port,
        timeout=_CONNECT_SECONDS,
        server_hostname=host,
        assert_hostname=host,
        ssl_context=ssl.create_default_context(),
    )
