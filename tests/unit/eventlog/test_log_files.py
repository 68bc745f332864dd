"""The directory of a log: who has it, what lies in it, and who else writes to it."""

import asyncio
import os
import sys

import pytest

from tests.support.logs import write
from tests.unit.eventlog.places import OTHER, SPECS, Place, everything, place, record
from tocsin.errors import LogLocked, LogUnavailable, TopicMismatch
from tocsin.topics import TopicSpec

__all__ = ["place"]

STRANGER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
input()
"""


async def test_a_second_gateway_is_told_who_has_the_directory(place: Place) -> None:
    async with place.log():
        with pytest.raises(LogLocked, match=f"locked by pid {os.getpid()}:"):
            async with place.log():
                pass
    async with place.log() as log:
        assert log.health().writable


async def test_a_file_that_is_no_log_is_named_and_the_directory_is_free_again(place: Place) -> None:
    path = place.directory / "log.db"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(LogUnavailable, match=r"log\.db"):
        async with place.log():
            pass
    path.unlink()
    async with place.log() as log:
        assert log.health().writable


async def test_a_mismatch_leaves_no_half_made_topics_behind(place: Place) -> None:
    async with place.log(partitions=2) as log:
        await log.ensure_topics([TopicSpec(name=OTHER, kind="delivery")])
    async with place.log(partitions=1) as log:
        with pytest.raises(TopicMismatch, match=f"{OTHER} has 2 partitions, not 1"):
            await log.ensure_topics([*SPECS, TopicSpec(name=OTHER, kind="delivery")])
        await log.ensure_topics(SPECS)
        await write(log, record(b"1"))
    async with place.log(partitions=1) as log:
        assert await everything(log) == [(0, b"1")]


async def test_a_stranger_who_writes_to_the_file_does_not_hold_the_loop(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        # In a process of its own: within one, SQLite's locks do not keep two libraries apart.
        stranger = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STRANGER, str(place.directory / "log.db")),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert stranger.stdout is not None
        await stranger.stdout.readline()
        started = asyncio.get_running_loop().time()
        with pytest.raises(LogUnavailable, match="locked"):
            await write(log, record(b"1"))
        # The bound is loose: the loop once stood still for five seconds.
        assert asyncio.get_running_loop().time() - started < 4
        await stranger.communicate(b"enough\n")
        await write(log, record(b"2"))
