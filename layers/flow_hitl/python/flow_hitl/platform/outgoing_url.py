"""Where this system may be sent: which URLs somebody else may hand in, and which addresses they may lead to.

Nothing here resolves a name. A URL is checked when it comes in and again before it is used, and then so is every
address that its name has.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from flow_hitl.platform.records import dataclass

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2048


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(ip_network(entry) for entry in text.split())


_LOOPBACK = _networks("127.0.0.0/8 ::1/128")
_PRIVATE = _networks("10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7")
# Inside of private or public networks, and yet never a place for a webhook: Alibaba, Azure, AWS, Google, Oracle,
# Scaleway. Those at 169.254.0.0/16 and 192.0.0.0/24 are out of reach with their networks.
_METADATA = _networks("100.100.100.200/32 168.63.129.16/32 fd00:ec2::/32 fd20:ce::/32 fd00:c1::/32 fd00:42::/32")
# What `ipaddress` calls global, in one Python version or another, and no webhook lives in.
_NOT_FOR_HOSTS = _networks(
    "0.0.0.0/8 192.0.0.0/24 192.88.99.0/24 198.18.0.0/15 2001::/23 2001:db8::/32 2002::/16 3fff::/20"
)
# The only IPv6 addresses that are given out; this leaves out every prefix that stands for an IPv4 address, but those
# of _NOT_FOR_HOSTS.
_GIVEN_OUT = IPv6Network("2000::/3")

_URL = re.compile(r"(https?)://([^/?]+)([/?].*)?", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::([0-9]{1,5}))?")
_UNSAFE = re.compile(r"[^!-~]|[\"<>\\^`{|}]")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
# The last label by which a browser and the C library take a name for an IPv4 address: 127.1, 0x7f000001, 017700000001.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class ForbiddenUrl(Exception):
    """The URL may not be used; the text says why and fits behind a field's name."""


@dataclass(frozen=True)
class Target:
    """A URL that may be tried: `host` in lower case and without brackets, `path` with the query."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"


@dataclass(frozen=True)
class Destinations:
    """What the operator allows beside HTTPS to port 443 of the public internet.

    `networks` are private ones that any name may lead to; `hosts` are names with the port each may be called at, and
    these may be private too. `insecure` allows plain HTTP, any port and this machine: for the local stack.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[tuple[str, int]] = frozenset()
    insecure: bool = False

    @classmethod
    def parse(cls, text: str, *, insecure: bool = False) -> Self:
        """Read `10.0.0.0/8, jira.internal.example, git.internal.example:8443`; ValueError names a bad entry."""
        networks: list[Network] = []
        hosts: set[tuple[str, int]] = set()
        for entry in (part.strip().lower() for part in text.split(",")):
            if not entry:
                continue
            try:
                network = ip_network(entry)
            except ValueError:
                hosts.add(_listed_host(entry))
                continue
            if not any(_covers(wide, network) for wide in (*_PRIVATE, *_LOOPBACK)):
                raise ValueError(f"{entry!r} is not inside of a private network, which alone can be allowed")
            networks.append(network)
        return cls(tuple(networks), frozenset(hosts), insecure)

    def networks_for(self, host: str) -> tuple[Network, ...]:
        """Return the networks, not public, that this host may lead to."""
        named = any(host == name for name, _ in self.hosts)
        return (*self.networks, *(_PRIVATE if named else ()), *(_LOOPBACK if self.insecure else ()))

    def allow_address(self, host: str, address: Address) -> bool:
        """Tell whether `host` may be at `address`: one on the public internet, or one that the operator lists.

        The services by which a cloud tells a machine its credentials are never allowed, whatever is listed.
        """
        if _is_metadata(address):
            return False
        return _is_public(address) or any(address in network for network in self.networks_for(host))

    def allow_port(self, host: str, port: int) -> bool:
        """Tell whether `host` may be called at `port`."""
        return self.insecure or port == 443 or (host, port) in self.hosts


def url_problem(url: str, destinations: Destinations) -> str | None:
    """Return why a URL that was handed in may not be used, or None; the text fits behind a field's name."""
    try:
        read_url(url, destinations)
    except ForbiddenUrl as forbidden:
        return str(forbidden)
    return None


def read_url(url: str, destinations: Destinations) -> Target:
    """Take a URL apart; raises ForbiddenUrl.

    Stricter than RFC 3986: what two parsers could read differently (user names, fragments, backslashes, numbers for
    addresses, names that are not plain ASCII) is refused rather than understood.
    """
    if len(url) > LONGEST_URL:
        raise ForbiddenUrl(f"must be at most {LONGEST_URL} characters long")
    if _UNSAFE.search(url):
        raise ForbiddenUrl("must be ASCII without spaces; percent-encode what is not")
    if "#" in url:
        raise ForbiddenUrl("must not carry a fragment")
    found = _URL.fullmatch(url)
    secure = found is not None and found[1].lower() == "https"
    if found is None or not (secure or destinations.insecure):
        raise ForbiddenUrl("must begin with https://")
    if "@" in found[2]:
        raise ForbiddenUrl("must not carry a user name or password")
    authority = _AUTHORITY.fullmatch(found[2])
    if authority is None:
        raise ForbiddenUrl("must name a host, in ASCII")
    host, port = _host(authority[1], authority[2], destinations), int(authority[3] or (443 if secure else 80))
    if not 0 < port < 65536 or not destinations.allow_port(host, port):
        raise ForbiddenUrl("must use port 443")
    rest = found[3] or "/"
    return Target(secure, host, port, rest if rest.startswith("/") else f"/{rest}")


def _host(six: str | None, name: str | None, destinations: Destinations) -> str:
    if name is None:
        return _literal(str(six), destinations)
    name = name.lower()
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1] or labels[-2]):
        return _literal(name, destinations)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ForbiddenUrl("must name a host, in ASCII")
    if labels[-1] == "localhost":
        _literal("127.0.0.1", destinations, host=name)
    elif len(labels) == 1 and not destinations.insecure and all(name != host for host, _ in destinations.hosts):
        # A resolver would look it up below the search domains of this network.
        raise ForbiddenUrl("must name a host in full, such as flow.example.com")
    return name


def _literal(text: str, destinations: Destinations, host: str | None = None) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise ForbiddenUrl("must name a host, or an address as four decimal numbers or as IPv6 in brackets") from None
    if not destinations.allow_address(host or str(address), address):
        raise ForbiddenUrl("must resolve to a public address")
    return str(address)


# A URL leads to one address three times: as it is read, as its name is looked up, and as it is connected.
@lru_cache(maxsize=64)
def _is_metadata(address: Address) -> bool:
    return any(address in network for network in _METADATA)


@lru_cache(maxsize=64)
def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address) and (address not in _GIVEN_OUT or _is_isatap(address)):
        return False
    if any(address in network for network in _NOT_FOR_HOSTS):
        return False
    return address.is_global and not address.is_multicast


def _is_isatap(address: IPv6Address) -> bool:
    """Tell whether the lower half stands for an IPv4 address (RFC 5214)."""
    return (int(address) >> 32) & 0xFDFFFFFF == 0x00005EFE


def _listed_host(entry: str) -> tuple[str, int]:
    found = _AUTHORITY.fullmatch(entry)
    name, port = (found[2], int(found[3] or 443)) if found else (None, 0)
    if not name or not 0 < port < 65536 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{entry!r} is no network (10.0.0.0/8) and no host (jira.internal.example, or with :8443)")
    return name, port


def _covers(wide: Network, narrow: Network) -> bool:
    return narrow.version == wide.version and narrow.network_address in wide and narrow.broadcast_address in wide
