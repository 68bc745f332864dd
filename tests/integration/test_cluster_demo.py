"""`make run LOG=kafka`: the demo on a Kafka and a PostgreSQL that are started for it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import httpx
import pytest

from tests.support import kafka_jars, postgres, readme
from tests.support.waiting import until

# The demo's ports are fixed.
pytestmark = [pytest.mark.xdist_group("ports"), pytest.mark.timeout(240)]
URL = "http://127.0.0.1:8080"
SHOWN = (
    "attempt 2: delivered",
    "dead letter dlt_",
    "vonage · after twilio",
    "suppressed  hard_bounce",
    "suppressed  dead_token",
)


@pytest.fixture(autouse=True)
def peers() -> None:
    """Skip where there is no Kafka or PostgreSQL; in CI that is a failure."""
    postgres.binaries()
    if reason := kafka_jars.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


async def test_the_demo_shows_the_same_notifications_on_a_cluster() -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TOCSIN")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.cluster", Path(sys.executable).with_name("tocsin"), "up", "--demo"),
        cwd=readme.ROOT,
        env=inherited,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said: list[str] = []

    async def listen() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            said.append(line.decode())  # noqa: PERF401 - as they come

    listening = asyncio.create_task(listen())
    try:
        await until(lambda: _toured(said) or listening.done(), what="the tour", seconds=120)
        text = "".join(said)
        assert [each for each in SHOWN if each not in text] == [], text
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{URL}/readyz")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
        await listening


def _toured(said: list[str]) -> bool:
    return any("The gateway stays up" in line for line in said)
