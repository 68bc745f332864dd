"""`python -m examples.shop`: what it tells, how it fails, and how it drains; all in one process, and some apart."""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from examples.shop import __main__ as command
from examples.shop import front
from examples.shop.kit import topics
from examples.shop.kit.settings import ShopSettings
from examples.shop.load.providers import Providers, providing
from tests.support.waiting import until

ADA = {"name": "Ada", "email": "ada@shop.example", "locale": "en"}
URL = re.compile(r"^  (\w+) +(http://\S+)$", re.MULTILINE)
# What every process answers for itself.
OWN = ("/healthz", "/readyz", "/metrics", "/shop")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no settings but those of the test."""
    for name in [name for name in os.environ if name.startswith(("TOCSIN", "SHOP_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
async def providers() -> AsyncIterator[Providers]:
    async with providing() as found:
        yield found


@dataclass(slots=True, kw_only=True)
class Running:
    """A shop in a process of its own, with what it has printed so far."""

    process: asyncio.subprocess.Process
    printed: str = ""

    @property
    def urls(self) -> dict[str, str]:
        """The URLs of its banner by name."""
        return {found[1]: found[2] for found in URL.finditer(self.printed)}

    async def drained(self) -> int:
        """Ask it to drain; return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), 60)


@asynccontextmanager
async def running(data: Path, providers: Providers) -> AsyncIterator[Running]:
    """Run the whole shop on free ports until the block is left; killed then if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "examples.shop", "--no-simulators", "--port", "0", "--gateway-port", "0"),
        *("--data", str(data)),
        env={**os.environ, **providers.environment, "SHOP_PACKING_SECONDS": "0"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shop = Running(process=process)

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            shop.printed += line.decode()

    listening = asyncio.create_task(listen())
    try:
        await until(lambda: "Ctrl-C" in shop.printed or listening.done(), what="the banner", seconds=60)
        assert "Ctrl-C" in shop.printed, shop.printed
        yield shop
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening


async def shipped(client: httpx.AsyncClient) -> str:
    """Place an order, and return its id once it is shipped."""
    customer = (await client.post("/customers", json=ADA)).json()
    wanted = {"customer_id": customer["id"], "items": [{"product": "book", "quantity": 1}]}
    placed = await client.post("/orders", json=wanted)
    assert placed.status_code == 201, placed.text
    path = f"/orders/{placed.json()['id']}"
    async with asyncio.timeout(60):
        while (await client.get(path)).json()["status"] != "SHIPPED":
            pass
    return path


@pytest.mark.timeout(180)
async def test_the_whole_shop_opens_in_one_process_drains_and_finds_its_orders_again(
    tmp_path: Path, providers: Providers
) -> None:
    async with (
        running(tmp_path / "data", providers) as shop,
        httpx.AsyncClient(base_url=shop.urls["API"].removesuffix("/docs"), timeout=30) as client,
    ):
        path = await shipped(client)
        await until(lambda: providers.mailbox.total == 3, what="the mails", seconds=60)
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "halted": {}})
        assert 'shop_orders_total{status="SHIPPED"} 1.0' in (await client.get("/metrics")).text
        gateway = (await client.get(shop.urls["gateway"].replace("/docs", "/readyz"))).json()
        assert gateway["checks"].keys() >= {f"shop.{name}" for name in (*topics.SERVICES, "page")}
        assert (await client.get(shop.urls["page"])).status_code == 200
        async with client.stream("GET", "/shop/events") as feed:
            assert feed.status_code == 200
            assert await shop.drained() == 0, shop.printed
            # Whoever listens is sent away: after 10 s the server would have cut the answer off in its middle.
            async for _ in feed.aiter_bytes():
                pass
    assert "ada@" not in shop.printed
    databases = {f"{name}.db" for name in (*topics.SERVICES, "page")}
    assert {each.name for each in (tmp_path / "data").iterdir()} >= {*databases, "log.db", "store.db"}

    async with (
        running(tmp_path / "data", providers) as again,
        httpx.AsyncClient(base_url=again.urls["API"].removesuffix("/docs")) as client,
    ):
        assert (await client.get(path)).json()["status"] == "SHIPPED"
        described = (await client.get("/openapi.json")).json()["paths"]
        assert await again.drained() == 0

    # What a service answers is handed on to it by whoever it is asked of elsewhere.
    handed = tuple(path for paths in front.PATHS.values() for path in paths)
    assert [path for path in described if not path.startswith((*handed, *OWN))] == []
    assert [path for path in handed if not any(each.startswith(path) for each in described)] == []


def test_its_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    for name in (*topics.SERVICES, "--port", "--gateway-port", "--data", "SHOP_PAYMENTS", "SHOP_TOPIC", "examples:"):
        assert name in told


@pytest.fixture
def taken() -> Iterator[int]:
    """Return a port that somebody has."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_in_use_is_told_before_anything_is_made(
    tmp_path: Path, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["--port", str(taken), "--data", str(tmp_path / "data")]) == 2
    assert f"127.0.0.1:{taken} is in use by another program" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_services_run_apart_on_kafka_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["orders", "--port", "0"]) == 2
    assert "set TOCSIN__KAFKA__BOOTSTRAP_SERVERS" in capsys.readouterr().err


def test_a_service_that_is_none_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["order"]) == 2
    assert "there is no service order; services: customers, orders" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--port", "x"], ["--port", "65536"], ["--at", "orders"], ["--at", "nobody=http://a"]]
)
def test_what_cannot_be_understood_is_a_mistake_of_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)

    assert ended.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_all_topics_are_the_shops_and_one_if_it_is_to_be_one() -> None:
    assert topics.of_services(topics.SERVICES, ShopSettings()) == [f"shop.{name}" for name in topics.SERVICES]
    assert topics.of_services(topics.SERVICES, ShopSettings(topic="shop.events")) == ["shop.events"]
