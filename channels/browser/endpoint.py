"""Where a subscription's push service is: an URL that a stranger's browser gave, so judged before it is called. Pure.

Two guards, one behind the other: this one knows which hosts are push services, at submit and again before each send;
the HTTP client's (`tocsin.net`) looks at the addresses that a host has at the moment of the call.
"""

import re
from dataclasses import dataclass

from tocsin.net import origin
from tocsin.net.origin import Origin

# The rest of a delivery's address, which may have 2048 characters in all, is the keys.
MAX_LENGTH = 1800

_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{2,59})")
_HTTPS_PORT = 443
ANY = "*"


def origin_of(url: str) -> Origin | None:
    """Return the origin that an URL names, None for what is no plain URL of the web (user, fragment, odd characters).

    Read by the parser of the client that calls it: two parsers might read one URL in two ways.
    """
    try:
        return origin.parse(url, allow_plain=True)[0] if url.isascii() else None
    except ValueError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointPolicy:
    """Which endpoints are called.

    `hosts` are names of push services, `*.example.com` for all below one, or `*` for every public host. `exceptions`
    (`host:port`) may be anything, plain HTTP and private addresses too.
    """

    hosts: tuple[str, ...]
    exceptions: frozenset[str]

    def fault(self, endpoint: str) -> str | None:
        """Return what is wrong with an endpoint, without repeating it; None if it may be called."""
        if len(endpoint) > MAX_LENGTH:
            return f"must have at most {MAX_LENGTH} characters"
        found = origin_of(endpoint)
        if found is None:
            return "must be an URL like https://push.example.com/…, without a user or a fragment"
        return None if f"{found.host}:{found.port}" in self.exceptions else self._stranger(found)

    def _stranger(self, found: Origin) -> str | None:
        if found.scheme != "https" or found.port != _HTTPS_PORT:
            return "must begin with https:// and use port 443"
        if _NAME.fullmatch(found.host) is None:
            return "must name its host, not an address"
        known = any(_covers(pattern, found.host) for pattern in self.hosts)
        return None if known else "is not at a push service that the setting browser.push_hosts knows"


def _covers(pattern: str, host: str) -> bool:
    if pattern == ANY:
        return True
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
