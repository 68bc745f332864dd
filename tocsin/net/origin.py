"""URLs, read strictly: what two parsers could read in two ways is refused, because one of them is the guard's."""

import ipaddress
import re
from typing import NamedTuple

import idna

MAX_URL = 2048
"""The longest URL in characters. Push services' endpoints stay below 1,000."""

_MAX_HOST = 253
_MAX_PORT = 65535
_PORTS = {"https": 443, "http": 80}
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<name>[^/?#\[\]@:\\%\s]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?].*)?)",
    re.DOTALL,
)
# RFC 3986, sections 3.3 and 3.4, without the fragment.
_TARGET = re.compile(r"[A-Za-z0-9\-._~:/?@!$&'()*+,;=]*(?:%[0-9A-Fa-f]{2}[A-Za-z0-9\-._~:/?@!$&'()*+,;=]*)*")
# The underscore is in no host name of RFC 1123, and in many of containers.
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_\-]{0,61}[a-z0-9_])?")
_LOOKS_NUMERIC = re.compile(r"(?:.*\.)?(?:[0-9]+|0x[0-9a-f]*)")


class Origin(NamedTuple):
    """Whom to speak to (RFC 6454). `host` is in lower case: a name in its A-labels, or an address without brackets."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """What `Host` says: the port only if it is not the scheme's own (RFC 9110, section 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def parse(url: str, *, allow_plain: bool = False) -> tuple[Origin, str]:
    """Return the origin of an absolute URL and the request target, which begins with `/`.

    Raises ValueError, with words that hold nothing of the URL: for a scheme other than https (and http, if
    `allow_plain`), user information, a fragment, a host that is neither a name nor a plain address, or any character
    that RFC 3986 does not allow where it stands.
    """
    if len(url) > MAX_URL:
        raise ValueError(f"the URL is longer than {MAX_URL} characters")
    found = _URL.fullmatch(url)
    if found is None:
        raise ValueError("the URL is not of the form https://host[:port]/path")
    scheme = found["scheme"].lower()
    if scheme != "https" and not (allow_plain and scheme == "http"):
        raise ValueError("the URL's scheme is not http or https" if allow_plain else "the URL's scheme is not https")
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    if not 0 < port <= _MAX_PORT:
        raise ValueError("the URL's port is not from 1 to 65535")
    target = found["target"]
    if not _TARGET.fullmatch(target):
        raise ValueError("the URL's path or query holds a character that must be escaped, or a fragment")
    host = _ipv6(found["ipv6"]) if found["ipv6"] else _name(found["name"])
    return Origin(scheme, host, port), target if target.startswith("/") else f"/{target}"


def _ipv6(text: str) -> str:
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise ValueError("the URL's host is not an IPv6 address") from None


def _name(text: str) -> str:
    """Return a host name in its A-labels, or an IPv4 address of four decimal numbers."""
    if len(text) > _MAX_HOST:
        raise ValueError(f"the URL's host is longer than {_MAX_HOST} characters")
    host = text.lower() if text.isascii() else _a_labels(text)
    if len(host) > _MAX_HOST or not _NAME.fullmatch(host):
        raise ValueError("the URL's host is not a host name")
    if _LOOKS_NUMERIC.fullmatch(host):
        # Resolvers take "127.1", "0x7f000001" and "2130706433" for 127.0.0.1.
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError("the URL's host is not an IPv4 address of four decimal numbers") from None
    return host


def _a_labels(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        raise ValueError("the URL's host is not an internationalised host name") from None
