"""Where webhooks and resume URLs may lead, told from the URL and an address alone."""

from ipaddress import ip_address

import pytest

from flow_hitl.platform.outgoing_url import Destinations, ForbiddenUrl, Target, read_url, url_problem

PUBLIC = Destinations()
LOCAL = Destinations(insecure=True)


def addresses(texts: str) -> list[str]:
    return texts.split()


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://flow.example.com", Target(True, "flow.example.com", 443, "/")),
        ("https://flow.example.com/", Target(True, "flow.example.com", 443, "/")),
        ("HTTPS://Flow.Example.COM:443/Resume?Run=7", Target(True, "flow.example.com", 443, "/Resume?Run=7")),
        ("https://flow.example.com?a=b@c", Target(True, "flow.example.com", 443, "/?a=b@c")),
        ("https://flow.example.com/a@b:c//d;e=%2F..", Target(True, "flow.example.com", 443, "/a@b:c//d;e=%2F..")),
        ("https://xn--flw-sna.example/", Target(True, "xn--flw-sna.example", 443, "/")),
        ("https://8.8.8.8/x", Target(True, "8.8.8.8", 443, "/x")),
        ("https://[2606:4700::0:1111]/x", Target(True, "2606:4700::1111", 443, "/x")),
        ("https://1e100.example.co/", Target(True, "1e100.example.co", 443, "/")),
        ("https://0x7f.example.com/", Target(True, "0x7f.example.com", 443, "/")),
    ],
)
def test_a_url_that_may_be_called(url: str, target: Target) -> None:
    assert read_url(url, PUBLIC) == target
    assert url_problem(url, PUBLIC) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://flow.example.com/", "must begin with https://"),
        ("flow.example.com", "must begin with https://"),
        ("https://me:secret@flow.example.com/", "must not carry a user name or password"),
        ("https://flow.example.com/#top", "must not carry a fragment"),
        ("https://flow.example.com:8443/", "must use port 443"),
        ("https://flow.example.com/grüße", "must be ASCII without spaces; percent-encode what is not"),
        ("https://10.0.0.1/", "must resolve to a public address"),
        ("https://localhost/", "must resolve to a public address"),
        ("https://intranet/", "must name a host in full, such as flow.example.com"),
        ("https://127.1/", "must name a host, or an address as four decimal numbers or as IPv6 in brackets"),
        ("https://flow..example.com/", "must name a host, in ASCII"),
        (f"https://flow.example.com/{'a' * 2024}", "must be at most 2048 characters long"),
    ],
)
def test_the_reason_says_what_to_change(url: str, problem: str) -> None:
    assert url_problem(url, PUBLIC) == problem
    with pytest.raises(ForbiddenUrl, match="must"):
        read_url(url, PUBLIC)


@pytest.mark.parametrize("url", [f"https://flow.example.com/{'a' * 2023}", f"https://{'a.' * 126}b/"])
def test_the_longest_that_may_be(url: str) -> None:
    assert url_problem(url, PUBLIC) is None
    assert url_problem(url.replace("/a", "/aa").replace("b/", "bb/"), PUBLIC)


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        (Target(True, "flow.example.com", 443, "/"), "flow.example.com"),
        (Target(True, "flow.example.com", 8443, "/"), "flow.example.com:8443"),
        (Target(False, "flow.example.com", 80, "/"), "flow.example.com"),
        (Target(True, "2606:4700::1111", 443, "/"), "[2606:4700::1111]"),
    ],
)
def test_the_host_header(target: Target, authority: str) -> None:
    assert target.authority == authority


@pytest.mark.parametrize(
    "text", addresses("8.8.8.8 1.1.1.1 172.32.0.1 192.169.0.1 2606:4700::1111 2a00:1450::1 2620::1")
)
def test_public_addresses(text: str) -> None:
    assert PUBLIC.allow_address("flow.example.com", ip_address(text))


# --- what the operator lists


def test_nothing_listed_allows_nothing() -> None:
    assert Destinations.parse("") == Destinations.parse(" , ,") == PUBLIC


def test_a_listed_network_may_be_reached_by_any_name_and_by_address() -> None:
    listed = Destinations.parse("10.0.0.0/8, FD12::/16, 192.168.7.7")
    for text in addresses("10.1.2.3 fd12::1 192.168.7.7"):
        assert listed.allow_address("flow.example.com", ip_address(text))
    for text in addresses("172.16.0.1 192.168.7.8 fd13::1 127.0.0.1 169.254.169.254 ::ffff:10.0.0.1 64:ff9b::a00:1"):
        assert not listed.allow_address("flow.example.com", ip_address(text))
    assert url_problem("https://10.1.2.3/", listed) is None
    assert url_problem("https://[fd12::1]/", listed) is None
    assert url_problem("https://10.1.2.3:8443/", listed) == "must use port 443"


def test_a_listed_host_may_be_private_at_the_port_that_is_listed() -> None:
    listed = Destinations.parse("jira.internal.example, git.internal.example:8443, wiki")
    assert url_problem("https://Jira.Internal.example/", listed) is None
    assert url_problem("https://git.internal.example:8443/", listed) is None
    assert url_problem("https://git.internal.example/", listed) is None
    assert url_problem("https://wiki/", listed) is None
    assert url_problem("https://jira.internal.example:8443/", listed) == "must use port 443"
    for host in ("jira.internal.example", "git.internal.example"):
        for text in addresses("10.0.0.1 172.16.0.1 192.168.0.1 100.64.0.1 fd12::1 8.8.8.8"):
            assert listed.allow_address(host, ip_address(text))
        for text in addresses("127.0.0.1 ::1 0.0.0.0 169.254.1.1 fe80::1 224.0.0.1 ::ffff:10.0.0.1 2002:a00:1::"):
            assert not listed.allow_address(host, ip_address(text))
    assert not listed.allow_address("other.internal.example", ip_address("10.0.0.1"))


METADATA = "169.254.169.254 169.254.170.2 100.100.100.200 168.63.129.16 192.0.0.192 fd00:ec2::254 fd20:ce::254"


@pytest.mark.parametrize("text", addresses(METADATA))
def test_no_list_opens_the_services_that_hand_out_credentials(text: str) -> None:
    widest = Destinations.parse("10.0.0.0/8,100.64.0.0/10,fc00::/7,127.0.0.0/8,metadata.example", insecure=True)
    assert not widest.allow_address("metadata.example", ip_address(text))


@pytest.mark.parametrize(
    "entry",
    addresses(
        "0.0.0.0/0 ::/0 10.0.0.0/7 10.0.0.1/8 169.254.0.0/16 169.254.169.254 8.8.8.0/24 ::ffff:0:0/96 64:ff9b::/96"
        " 2002::/16 fe80::/10 224.0.0.0/4 jira_1.example https://jira.example jira.example:0 jira.example:99999"
        " *.example jira.example/24 .example example. [::1] [::1]:443 -a.example"
    ),
)
def test_what_cannot_be_listed_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match=r"no network|not inside") as raised:
        Destinations.parse(f"10.0.0.0/8, {entry}")
    assert repr(entry) in str(raised.value)


# --- the local stack


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8000/", "http://localhost/", "http://[::1]:1/", "https://flow.localhost:8443/", "http://box:1"],
)
def test_an_insecure_stack_may_call_its_own_machine(url: str) -> None:
    assert url_problem(url, LOCAL) is None
    assert url_problem(url, PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://169.254.169.254/",
        "http://0.0.0.0/",
        "http://127.1/",
        "http://a@localhost/",
        "ftp://a.b/",
    ],
)
def test_an_insecure_stack_may_call_nothing_else(url: str) -> None:
    assert url_problem(url, LOCAL)
