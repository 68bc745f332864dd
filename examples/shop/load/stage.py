"""Which processes there are: one with everything on the embedded log, or one for each service on Kafka."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

from examples.shop.kit import topics
from examples.shop.kit.settings import ShopSettings
from examples.shop.load.processes import Process
from examples.shop.start import GATEWAY

Log = Literal["embedded", "kafka"]

STOCK = 100_000
# In flight on each lane of a channel: so many mails at most may come a second time after a kill.
IN_FLIGHT = 32
_KEY = "tcs_" + "l" * 43
_SHOP = "examples.shop"
_GATEWAY = ("producer", "channel", "email", "channel", "sms", "dlq", "audit")
# What is left by a process that was killed is taken over soon.
_QUICK = {
    "TOCSIN__KAFKA__SESSION_SECONDS": "6",
    "TOCSIN__KAFKA__HEARTBEAT_SECONDS": "1",
    "TOCSIN__WORKER__ATTEMPT_SECONDS": "5",
    "TOCSIN__WORKER__LEASE_SECONDS": "8",
    "TOCSIN__WORKER__IN_FLIGHT": str(IN_FLIGHT),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The processes, and the URL under which each service of the shop is reached."""

    processes: Sequence[Process]
    urls: Mapping[str, str]

    @property
    def kills(self) -> int:
        """How often a process was killed."""
        return sum(process.kills for process in self.processes)


def databases(environ: Mapping[str, str], *, copies: int) -> Mapping[str, str]:
    """Return the variables by which copies share databases, beside the gateway's: a file is for one copy only."""
    if copies == 1:
        return {}
    store = urlsplit(environ.get("TOCSIN__STORE__URL", ""))
    return {
        f"SHOP_{name.upper()}_DATABASE_URL": urlunsplit(store._replace(path=f"/shop_{name}"))
        for name in topics.SERVICES
    }


@contextmanager
def set_up(log: Log, *, shop: ShopSettings, environment: Mapping[str, str], copies: int, end: int) -> Iterator[Stage]:
    """Yield the processes, none of them started; their ports are kept for them until the block is left.

    `environment` is what all of them are given besides. `copies` is how many there are of each service on Kafka;
    customers ask the first.
    """
    given = {**environment, **_QUICK, "SHOP_STOCK": str(STOCK), "TOCSIN_BOOTSTRAP_KEY": _KEY}
    with _held_ports(2 if log == "embedded" else 1 + copies * len(topics.SERVICES)) as ports:
        yield _together(shop, given, ports, end) if log == "embedded" else _apart(shop, given, copies, ports, end)


def _together(shop: ShopSettings, environment: Mapping[str, str], ports: Sequence[int], end: int) -> Stage:
    port, gateway_port = ports
    url = f"http://127.0.0.1:{port}"
    arguments = [_SHOP, "--port", str(port), "--gateway-port", str(gateway_port), "--data", str(shop.data)]
    process = Process(
        "shop",
        [*arguments, "--no-simulators"],
        url=url,
        environment=environment,
        log=shop.data / "shop.log",
        end=end,
    )
    return Stage(processes=[process], urls=dict.fromkeys(topics.SERVICES, url))


def _apart(shop: ShopSettings, environment: Mapping[str, str], copies: int, ports: Sequence[int], end: int) -> Stage:
    gateway_port, *of_services = ports
    gateway = Process(
        "gateway",
        ["tocsin", "run", *_GATEWAY, "--config", str(GATEWAY / "tocsin.toml"), "--port", str(gateway_port)],
        url=f"http://127.0.0.1:{gateway_port}",
        environment={**environment, **_of_gateway(shop)},
        log=shop.data / "gateway.log",
        end=end,
    )
    services = [
        Process(
            f"{name}-{number // len(topics.SERVICES) + 1}",
            [_SHOP, name, "--port", str(port), "--data", str(shop.data)],
            url=f"http://127.0.0.1:{port}",
            environment=environment,
            log=shop.data / f"{name}-{port}.log",
            end=end,
        )
        for number, (name, port) in enumerate(zip(topics.SERVICES * copies, of_services, strict=True))
    ]
    urls = {name: service.url for name, service in zip(topics.SERVICES, services, strict=False)}
    return Stage(processes=[gateway, *services], urls=urls)


def _of_gateway(shop: ShopSettings) -> Mapping[str, str]:
    return {
        "TOCSIN__DATA_DIR": str(shop.data),
        "TOCSIN__RULES__ROOT": str(GATEWAY / "rules"),
        "TOCSIN__RULES__TOPICS": ",".join(topics.of_services(topics.SERVICES, shop)),
        "TOCSIN__TEMPLATES__ROOT": str(GATEWAY / "templates"),
    }


@contextmanager
def _held_ports(count: int) -> Iterator[list[int]]:
    """Yield ports that nobody else gets, so that a process that is started again finds its own.

    They are bound and nobody listens by that: the processes may, since they set SO_REUSEADDR.
    """
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [int(each.getsockname()[1]) for each in found]
