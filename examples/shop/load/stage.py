"""Which processes there are: one with everything on the embedded log, or one for each service on Kafka."""

import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
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


def set_up(log: Log, *, shop: ShopSettings, environment: Mapping[str, str], copies: int, end: int) -> Stage:
    """Return the processes, none of them started. `environment` is what all of them are given besides.

    `copies` is how many there are of each service on Kafka; customers ask the first.
    """
    given = {**environment, **_QUICK, "SHOP_STOCK": str(STOCK), "TOCSIN_BOOTSTRAP_KEY": _KEY}
    return _together(shop, given, end) if log == "embedded" else _apart(shop, given, copies, end)


def _together(shop: ShopSettings, environment: Mapping[str, str], end: int) -> Stage:
    port, gateway_port = free_ports(2)
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


def _apart(shop: ShopSettings, environment: Mapping[str, str], copies: int, end: int) -> Stage:
    gateway_port, *ports = free_ports(1 + copies * len(topics.SERVICES))
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
        for number, (name, port) in enumerate(zip(topics.SERVICES * copies, ports, strict=True))
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


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on, so that a process that is started again finds its own."""
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in found]
