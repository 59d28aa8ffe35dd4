"""URLs that somebody hands in to reach what only this network reaches: not one of them is ever connected to."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flow_hitl.platform.http_poster import SafeHttpPoster
from flow_hitl.platform.outgoing_url import Destinations, url_problem
from infra.local.patience import HANG_SECONDS
from tests.support.name_server import NameServer, name_server

LINES = (Path(__file__).parents[1] / "data" / "hostile_urls.txt").read_text(encoding="ascii").splitlines()
HOSTILE = [line.encode().decode("unicode_escape") for line in LINES if line and not line.startswith("# ")]

# Written once more and by its own hand: where nothing public is (IANA's registries and the clouds' documents).
NOT_PUBLIC = [
    ipaddress.ip_network(each)
    for each in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/3",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
        "4000::/2",
        "8000::/1",
    )
]


class Connections(list[str]):
    """The addresses that somebody tried to connect to."""


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """Note every TCP connection instead of making it."""
    tried = Connections()
    real = socket.socket

    class Noting(real):  # type: ignore[valid-type, misc]
        def connect(self, address: Any) -> None:
            if self.type == socket.SOCK_STREAM:
                tried.append(str(address[0]))
                raise ConnectionRefusedError
            super().connect(address)

    monkeypatch.setattr(socket, "socket", Noting)
    return tried


@pytest.fixture(scope="module")
def names() -> Iterator[NameServer]:
    with name_server() as server:
        yield server


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len(HOSTILE) >= 300
    assert len(set(HOSTILE)) == len(HOSTILE)


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_a_hostile_url_is_never_connected_to(url: str, names: NameServer, connections: Connections) -> None:
    poster = SafeHttpPoster(Destinations(), total_seconds=HANG_SECONDS, resolver=names.resolver())
    result = poster.post(url, b"{}", {})
    assert connections == []
    assert result.status is None
    assert result.reason


def test_all_but_names_are_refused_when_they_are_handed_in() -> None:
    hosts = [urlsplit(url).hostname or "" for url in HOSTILE if url_problem(url, Destinations()) is None]
    assert len(hosts) < len(HOSTILE) / 6
    assert all(host.endswith((".dns.test", ".internal", ".local", ".home.arpa")) for host in hosts)


def test_a_host_that_changes_its_address_is_called_at_the_one_that_was_checked(
    names: NameServer, connections: Connections
) -> None:
    poster = SafeHttpPoster(Destinations(), total_seconds=HANG_SECONDS, resolver=names.resolver())
    url = "https://rebind.8-8-8-8.127-0-0-1.dns.test/"
    before = names.asked.copy()
    poster.post(url, b"{}", {})
    assert connections == ["8.8.8.8"]
    assert set((names.asked - before).values()) == {1}

    result = poster.post(url, b"{}", {})
    assert connections == ["8.8.8.8"]
    assert result.reason == "rebind.8-8-8-8.127-0-0-1.dns.test resolves to an address that is not public"


def test_a_reason_names_no_address(names: NameServer) -> None:
    poster = SafeHttpPoster(Destinations(), total_seconds=HANG_SECONDS, resolver=names.resolver())
    result = poster.post("https://alias.alias.10-0-0-1.dns.test/", b"{}", {})
    assert result.reason == "alias.alias.10-0-0-1.dns.test resolves to an address that is not public"


# --- and what nobody thought of

_ADDRESSES = st.one_of(st.ip_addresses(), *(st.ip_addresses(network=str(each)) for each in NOT_PUBLIC)).map(str)
_NUMBERS = st.one_of(st.integers(0, 2**33), st.sampled_from([0, 1, 127, 2130706433, 2852039166])).flatmap(
    lambda number: st.sampled_from([str(number), hex(number), f"0{number:o}", f"{number:08x}"])
)
_HOSTS = st.one_of(
    st.text(max_size=30),
    st.text("0123456789abcdefx.:[]%@\\/#?-", max_size=40),
    st.lists(_NUMBERS, min_size=1, max_size=5).map(".".join),
    _ADDRESSES,
    _ADDRESSES.map("[{}]".format),
    _ADDRESSES.map(lambda text: f"[::ffff:{text}]"),
    _ADDRESSES.map(lambda text: f"[64:ff9b::{text}]"),
    st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,10}){0,3}\.?", fullmatch=True),
)


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    host=_HOSTS,
    rest=st.sampled_from(["", "/", ":443/", ":443", "@flow.example.com/", "#@flow.example.com/", "?x"]),
    found=st.lists(_ADDRESSES, max_size=4),
)
@example(host="flow.example.com", rest="/", found=["8.8.8.8", "::ffff:10.0.0.1"])
def test_no_host_and_no_answer_leads_to_an_address_that_is_not_public(
    connections: Connections, host: str, rest: str, found: list[str]
) -> None:
    def look_up(name: str, port: int, *_: int) -> list[tuple[int, int, int, str, tuple[Any, ...]]]:
        # What the C library takes for an address is one, whatever it looks like; else the name's owner decides.
        texts = found
        with suppress(socket.gaierror, UnicodeError):
            texts = [str(each[4][0]) for each in socket.getaddrinfo(name, port, flags=socket.AI_NUMERICHOST)]
        if not texts:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        rows = [(text, socket.AF_INET6 if ":" in text else socket.AF_INET) for text in texts]
        return [
            (family, socket.SOCK_STREAM, 6, "", (text, port, 0, 0) if family == socket.AF_INET6 else (text, port))
            for text, family in rows
        ]

    connections.clear()
    result = SafeHttpPoster(Destinations(), total_seconds=HANG_SECONDS, resolver=look_up).post(
        f"https://{host}{rest}", b"", {}
    )
    assert result.status is None
    for text in connections:
        assert not any(ipaddress.ip_address(text) in network for network in NOT_PUBLIC), text
