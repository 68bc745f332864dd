"""Addresses that come from outside may not lead inside (server-side request forgery).

A push endpoint or a webhook is somebody else's text: its name may resolve to our own network, and to another address
each time it is asked. So the addresses themselves are judged, and the connection goes to what was judged.
"""

import ipaddress
from collections.abc import Iterable

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's registry of special-purpose IPv4 addresses (RFC 6890), with multicast (RFC 5771).
_CLOSED_IPV4 = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # not in the registry: the host of every Azure machine
            "169.254.0.0/16",  # link-local, with the metadata services of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# What is allocated for global unicast (RFC 4291). Everything else is closed: loopback, mapped and translated IPv4
# (::ffff:0:0/96, 64:ff9b::/96), unique local, link-local, site-local, multicast.
_OPEN_IPV6 = ipaddress.IPv6Network("2000::/3")
_CLOSED_IPV6 = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments, with Teredo
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "3fff::/20",  # documentation
        ),
    )
)


def is_public(address: str) -> bool:
    """Return whether an IP address is one of the public internet. False for what is no address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv4Address):
        return not any(found in network for network in _CLOSED_IPV4)
    return found in _OPEN_IPV6 and not any(found in network for network in _CLOSED_IPV6)


class Guard:
    """Says which addresses may be connected to: public ones, and the exceptions of the settings."""

    def __init__(self, *, exceptions: Iterable[str] = ()) -> None:
        """Take exceptions of three forms: `host:port` (`[::1]:8080`), a network (`10.1.0.0/16`), an address.

        Raises ValueError, naming the exception that is none of them.
        """
        self._endpoints: set[tuple[str, int]] = set()
        self._networks: list[_Network] = []
        for exception in exceptions:
            network = _network(exception)
            if network is None:
                self._endpoints.add(_endpoint(exception))
            else:
                self._networks.append(network)

    def admits(self, host: str, port: int, address: str) -> bool:
        """Return whether `host` (in lower case) at `port` may be connected to at `address`, one of its addresses."""
        if (host, port) in self._endpoints or is_public(address):
            return True
        try:
            found: _Address = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not host or "/" in text or not (port.isascii() and port.isdigit()):
        raise ValueError(f"{text!r} is neither host:port nor a network")
    return host.lower(), int(port)
