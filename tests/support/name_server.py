"""A DNS server on a loopback port, whose names say which addresses they have.

`8-8-8-8.10-0-0-1.dns.test` has both addresses; eight groups are an IPv6 address. Names that mean something inside
of a network have the addresses that they have there. `alias.` before a name makes it a
CNAME. `rebind.` answers with the first address at the first look-up, and with the second ever after. `loop`, `none`,
`fail`, `junk` and `mute` answer as badly as they sound.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

from ssrfguard.resolvers import UdpResolver

_A, _CNAME, _AAAA = 1, 5, 28
_SERVER_FAILED, _NO_SUCH_NAME = 2, 3
_INSIDE = {
    "metadata.google.internal": "169.254.169.254",
    "instance-data.ec2.internal": "169.254.169.254",
    "kubernetes.default.svc.cluster.local": "10.0.0.1",
    "host.docker.internal": "192.168.65.2",
    "printer.local": "192.168.1.9",
    "router.home.arpa": "192.168.1.1",
}


@dataclass
class NameServer:
    """The running server: its port, and how often each name was asked for one of its kinds of address."""

    port: int = 0
    asked: Counter[tuple[str, int]] = field(default_factory=Counter)

    def resolver(self) -> UdpResolver:
        """Return a look-up with the signature of `getaddrinfo` that asks this server."""
        return UdpResolver(
            nameservers=("127.0.0.1",), nameserver_port=self.port, timeout=3.0, attempt_timeout=1.0, attempts=1
        )

    def reply(self, query: bytes) -> bytes | None:
        """Return the answer to a query, or None to say nothing."""
        name, end = _read_name(query, 12)
        (kind,) = struct.unpack_from("!H", query, end)
        question = query[12 : end + 4]
        self.asked[name, kind] += 1
        first = name.split(".")[0]
        if first == "mute":
            return None
        if first == "junk":
            return query[:2] + b"\x81\x80" + b"\xc0\x0c" * 20
        records: list[bytes] = []
        failure = 0
        if first == "loop":
            records.append(_record(name, _CNAME, _name(name)))
        elif first == "fail":
            failure = _SERVER_FAILED
        else:
            while name.startswith("alias."):
                target = name.partition(".")[2]
                records.append(_record(name, _CNAME, _name(target)))
                name = target
            addresses = self._addresses(name, kind)
            failure = 0 if addresses else _NO_SUCH_NAME
            version = 4 if kind == _A else 6
            records += [_record(name, kind, each.packed) for each in addresses if each.version == version]
        header = struct.pack("!2sHHHHH", query[:2], 0x8180 | failure, 1, len(records), 0, 0)
        return header + question + b"".join(records)

    def _addresses(self, name: str, kind: int) -> list[IPv4Address | IPv6Address]:
        if name in _INSIDE:
            return [ip_address(_INSIDE[name])]
        labels = name.removesuffix(".dns.test").split(".")
        rebinding = labels[0] == "rebind"
        found = [
            ip_address(label.replace("-", "." if label.count("-") == 3 else ":"))
            for label in labels
            if label.count("-") in (3, 7)
        ]
        return found[:1] if rebinding and self.asked[name, kind] == 1 else found[1:] if rebinding else found


def _read_name(message: bytes, at: int) -> tuple[str, int]:
    labels = []
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels), at + 1


def _name(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def _record(name: str, kind: int, data: bytes) -> bytes:
    return _name(name) + struct.pack("!HHIH", kind, 1, 0, len(data)) + data


@contextmanager
def name_server() -> Iterator[NameServer]:
    """Run the server."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listening.bind(("127.0.0.1", 0))
    server = NameServer(listening.getsockname()[1])

    def serve() -> None:
        while True:
            query, sender = listening.recvfrom(512)
            if not query:
                return
            answer = server.reply(query)
            if answer is not None:
                with suppress(OSError):
                    listening.sendto(answer, sender)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", ("127.0.0.1", server.port))
        thread.join()
        listening.close()
