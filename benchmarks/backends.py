"""What the gateway stands on: its own files, or a Kafka and a PostgreSQL that are started for it and thrown away."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncpg  # type: ignore[import-untyped] # it has no types of its own

from tests.support import cluster

Log = Literal["embedded", "kafka"]
# As a server that keeps what it acknowledges.
_POSTGRES = ("fsync=on", "full_page_writes=on", "synchronous_commit=on", "shared_buffers=256MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The settings that name it, and how its store is asked."""

    environ: Mapping[str, str]
    rows: Callable[[str], list[Any]]


def opened(log: Log, data: Path) -> AbstractContextManager[Backend]:
    """Make it ready: on the files in `data`, or new."""
    return _embedded(data) if log == "embedded" else _kafka()


@contextmanager
def _embedded(data: Path) -> Iterator[Backend]:
    def rows(query: str) -> list[Any]:
        # Opened each time: a reader that stays could keep an old snapshot, and the WAL from being checkpointed.
        with closing(sqlite3.connect(f"file:{data / 'store.db'}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query).fetchall()

    yield Backend(environ={"TOCSIN__DATA_DIR": str(data)}, rows=rows)


@contextmanager
def _kafka() -> Iterator[Backend]:
    with cluster.environment(*_POSTGRES) as environ, asyncio.Runner() as runner:
        connection = runner.run(asyncpg.connect(environ["TOCSIN__STORE__URL"]))
        try:
            yield Backend(environ=environ, rows=lambda query: runner.run(connection.fetch(query)))
        finally:
            runner.run(connection.close())
