"""Which addresses are public, what the settings except, and that only judged addresses are connected to."""

import ipaddress
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.http_server import HttpServer
from tests.unit.net.requesting import Claims, post, soon
from tocsin.net.client import Client
from tocsin.net.guard import Guard, is_public
from tocsin.net.http import NotSent

_CLOSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.255.255.254", "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",
    "192.0.0.8", "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255",
    "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:0:53aa:64c:0:0:80ff:fffe", "2001:2::1", "2001:10::1", "2001:20::1",
    "2001:db8::1", "2002:7f00:1::", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254",
    "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "ff0e::1", "4000::1",
    "", "localhost", "127.1", "0x7f.1", "2130706433", "1.2.3.4 ", "2606:4700::1%eth0x/",
]  # fmt: skip
_OPEN = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.1", "168.63.129.15", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255",
    "198.17.255.255", "198.20.0.0", "223.255.255.255",
    "2001:200::1", "2001:4860:4860::8888", "2606:4700:4700::1111", "2a00:1450:4001::1", "3ffe:ffff::1",
]  # fmt: skip


@pytest.mark.parametrize("address", _CLOSED)
def test_what_is_not_public(address: str) -> None:
    assert not is_public(address)
    assert not Guard().admits("push.example", 443, address)


@pytest.mark.parametrize("address", _OPEN)
def test_what_is_public(address: str) -> None:
    assert is_public(address)
    assert Guard().admits("push.example", 443, address)


@given(st.ip_addresses())
def test_nothing_that_python_knows_as_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    special = (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or not address.is_global
    )
    assert not (special and is_public(str(address)))


@pytest.mark.parametrize(
    ("exception", "host", "port", "address", "admitted"),
    [
        ("localhost:8190", "localhost", 8190, "127.0.0.1", True),
        ("localhost:8190", "localhost", 8191, "127.0.0.1", False),
        ("localhost:8190", "elsewhere.example", 8190, "127.0.0.1", False),
        ("Push.Internal:443", "push.internal", 443, "10.0.0.7", True),
        ("[::1]:8443", "::1", 8443, "::1", True),
        ("[::1]:8443", "::1", 443, "::1", False),
        ("10.1.0.0/16", "push.internal", 443, "10.1.2.3", True),
        ("10.1.0.0/16", "push.internal", 443, "10.2.2.3", False),
        ("10.1.2.3", "push.internal", 443, "10.1.2.3", True),
        ("fd00::/8", "push.internal", 443, "fd12::1", True),
        ("10.0.0.0/8", "push.internal", 443, "::ffff:10.0.0.1", False),
        ("10.0.0.0/8", "push.internal", 443, "no address", False),
    ],
)
def test_exceptions(exception: str, host: str, port: int, address: str, admitted: bool) -> None:
    assert Guard(exceptions=[exception]).admits(host, port, address) is admitted


@pytest.mark.parametrize("wrong", ["localhost", "localhost:", ":443", "10.0.0.1/8", "10.0.0.0/40:1", "a:b", ""])
def test_what_is_no_exception(wrong: str) -> None:
    with pytest.raises(ValueError, match="neither"):
        Guard(exceptions=[wrong])


def resolving(*addresses: str) -> Callable[..., object]:
    async def resolve(_host: str, _port: int) -> list[str]:
        return list(addresses)

    return resolve


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}", "http://localhost:{}", "http://[::1]:{}"])
async def test_inner_addresses_are_not_connected_to(
    clients: Callable[..., Client], server: HttpServer, url: str
) -> None:
    claims = Claims()
    with pytest.raises(NotSent) as failure:
        await clients(guard=Guard()).send(post(url.format(server.port)), deadline=soon(), claim=claims)
    assert (failure.value.cause, claims.made, server.connections) == ("refused_by_guard", 0, 0)


async def test_one_inner_address_among_public_ones_is_enough_to_refuse(
    clients: Callable[..., Client], server: HttpServer
) -> None:
    client = clients(guard=Guard(), resolve=resolving("93.184.215.14", "127.0.0.1"))
    with pytest.raises(NotSent) as failure:
        await client.send(post(f"http://push.example:{server.port}"), deadline=soon())
    assert failure.value.cause == "refused_by_guard"


async def test_a_name_is_resolved_once_and_connected_to_where_it_was_judged(
    clients: Callable[..., Client], server: HttpServer
) -> None:
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    client = clients(guard=Guard(exceptions=["127.0.0.1"]), resolve=rebinding)
    await client.send(post(f"http://push.example:{server.port}"), deadline=soon())
    assert asked == ["push.example"]
    assert len(server.received) == 1


async def test_an_exception_lets_a_simulator_be_reached(clients: Callable[..., Client], server: HttpServer) -> None:
    client = clients(guard=Guard(exceptions=[f"127.0.0.1:{server.port}"]))
    await client.send(post(server.url), deadline=soon())
    assert len(server.received) == 1
