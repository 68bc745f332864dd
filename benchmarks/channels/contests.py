"""Which clients are compared for each channel, and what we want to come out."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC

ServerName = Literal["http", "apns", "smtp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A client that one would take without us. `module` is below this package; some need `.venv-bench`."""

    name: str
    module: str
    in_bench: bool = False
    arguments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A channel. The ratio and its goal are to the first of the peers."""

    server: ServerName
    goal: float
    peers: tuple[Peer, ...]


_APP = (KEY_ID, TEAM_ID, TOPIC)

CONTESTS: Mapping[str, Contest] = MappingProxyType(
    {
        "sms": Contest(server="http", goal=3.0, peers=(Peer(name="twilio", module="peer_twilio"),)),
        "fcm": Contest(server="http", goal=5.0, peers=(Peer(name="httpx", module="peer_fcm"),)),
        "apns": Contest(
            server="apns",
            goal=3.0,
            peers=(
                Peer(name="aioapns", module="peer_aioapns", in_bench=True, arguments=_APP),
                Peer(name="httpx HTTP/2", module="peer_httpx_apns", arguments=_APP),
            ),
        ),
        "webpush": Contest(server="http", goal=2.5, peers=(Peer(name="pywebpush", module="peer_pywebpush"),)),
        "email": Contest(server="smtp", goal=8.0, peers=(Peer(name="aiosmtplib", module="peer_aiosmtplib"),)),
    }
)
