"""The store on a real PostgreSQL that is stopped, frozen, taken over and used by several at once."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from sqlalchemy import text

from tests.support import postgres
from tests.support.clock import ManualClock
from tests.support.postgres import Server, connected, database, databases, own_server
from tocsin.errors import SettingsError, StoreUnavailable
from tocsin.record import Partition
from tocsin.store import offsets
from tocsin.store.engine import Store, open_store
from tocsin.store.keys import Keys
from tocsin.store.migrate import check, upgrade
from tocsin.store.postgres import PostgresConfig

__all__ = ["database", "databases", "own_server"]

pytestmark = postgres.GROUP

FEW = PostgresConfig(write_connections=2, read_connections=2)
# Long enough for a server that answers, though the machine has other work.
QUICK = replace(FEW, command_timeout=timedelta(seconds=3))


@pytest.fixture
async def store(own_server: Server) -> AsyncIterator[Store]:
    """Return a migrated store on a server of the test's own."""
    async with open_store(own_server.url) as opened:
        await upgrade(opened)
        yield opened


async def add(store: Store, name: str) -> None:
    async with store.write() as connection:
        await connection.execute(text("INSERT INTO templates VALUES (:name, '1', '', 0)"), {"name": name})


async def names(store: Store) -> list[str]:
    async with store.read() as connection:
        return list(await connection.scalars(text("SELECT name FROM templates ORDER BY name")))


async def test_a_server_that_crashed_heals_when_it_is_back(store: Store, own_server: Server) -> None:
    await add(store, "before")
    await names(store)
    own_server.crash()
    with pytest.raises(StoreUnavailable):
        await add(store, "lost")
    with pytest.raises(StoreUnavailable):
        await names(store)
    own_server.start()

    await add(store, "after")
    assert await names(store) == ["after", "before"]


async def test_a_restart_while_nobody_asks_goes_unnoticed(store: Store, own_server: Server) -> None:
    await asyncio.gather(*(add(store, f"{number}") for number in range(4)))
    await names(store)
    # In a thread: that the server has closed a connection is known once the loop has heard of it.
    await asyncio.to_thread(own_server.stop)
    await asyncio.to_thread(own_server.start)

    assert await names(store) == ["0", "1", "2", "3"]
    await asyncio.gather(*(add(store, f"{number}") for number in range(4, 8)))


async def test_a_crash_in_the_middle_of_a_transaction_leaves_nothing(store: Store, own_server: Server) -> None:
    with pytest.raises(StoreUnavailable):
        async with store.write() as connection:
            await connection.execute(text("INSERT INTO templates VALUES ('lost', '1', '', 0)"))
            own_server.crash()
    own_server.start()

    assert await names(store) == []


async def test_a_connection_that_is_ended_from_outside_is_replaced(database: str) -> None:
    async with open_store(database) as store, connected(database) as admin:
        with pytest.raises(StoreUnavailable):
            async with store.write() as connection:
                pid = await connection.scalar(text("SELECT pg_backend_pid()"))
                await admin.execute(text(f"SELECT pg_terminate_backend({pid})"))
                await connection.execute(text("INSERT INTO templates VALUES ('lost', '1', '', 0)"))

        await add(store, "kept")
        assert await names(store) == ["kept"]


async def test_connections_that_were_ended_while_idle_are_replaced_unnoticed(database: str) -> None:
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = :name"
    async with open_store(database, config=PostgresConfig(untried=timedelta())) as store, connected(database) as admin:
        await names(store)
        await admin.execute(text(ended), {"name": urlsplit(database).path.lstrip("/")})

        await add(store, "kept")
        assert await names(store) == ["kept"]


async def test_connections_to_what_is_no_longer_the_primary_are_left(database: str) -> None:
    """After a failover behind one name, the old connections work on: for reading only."""
    async with open_store(database, config=FEW) as store:
        async with store.write() as connection:
            await connection.execute(text("SET default_transaction_read_only = on"))
        with pytest.raises(StoreUnavailable, match="read-only transaction"):
            await add(store, "lost")

        await add(store, "kept")
        assert await names(store) == ["kept"]


async def test_when_all_connections_are_busy_the_next_is_told_so_in_time(database: str) -> None:
    config = PostgresConfig(write_connections=1, read_connections=1, command_timeout=timedelta(seconds=2))
    async with open_store(database, config=config) as store:
        async with store.write():
            with pytest.raises(StoreUnavailable, match="busy"):
                await add(store, "lost")
            assert await names(store) == []

        await add(store, "kept")
        assert await names(store) == ["kept"]


async def test_a_statement_that_takes_too_long_is_broken_off(database: str) -> None:
    async with open_store(database, config=QUICK) as store:
        with pytest.raises(StoreUnavailable, match="did not answer in time"):
            async with store.write() as connection:
                await connection.execute(text("INSERT INTO templates VALUES ('lost', '1', '', 0)"))
                await connection.execute(text("SELECT pg_sleep(60)"))

        await add(store, "kept")
        assert await names(store) == ["kept"]


async def test_a_server_that_answers_no_more_holds_nobody_for_long(own_server: Server) -> None:
    async with open_store(own_server.url, config=QUICK) as store:
        await upgrade(store)
        async with asyncio.timeout(60):
            with pytest.raises(StoreUnavailable, match="in time"):
                async with store.write() as connection:
                    pid = await connection.scalar(text("SELECT pg_backend_pid()"))
                    os.kill(pid, signal.SIGSTOP)
                    await add(store, "kept by another")
                    await connection.execute(text("SELECT 1"))

        assert await names(store) == ["kept by another"]
    os.kill(pid, signal.SIGCONT)


async def test_of_two_that_wait_for_each_other_one_is_told_to_come_again(database: str) -> None:
    async with open_store(database) as store:
        await add(store, "a")
        await add(store, "b")
        both = asyncio.Barrier(2)

        async def change(first: str, second: str) -> None:
            async with store.write() as connection:
                await connection.execute(text("UPDATE templates SET version = 2 WHERE name = :n"), {"n": first})
                await both.wait()
                await connection.execute(text("UPDATE templates SET version = 2 WHERE name = :n"), {"n": second})

        found = await asyncio.gather(change("a", "b"), change("b", "a"), return_exceptions=True)

    assert sorted(type(each).__name__ for each in found) == ["NoneType", "StoreUnavailable"]


async def test_writers_work_side_by_side_and_a_read_waits_for_none(database: str) -> None:
    async with open_store(database) as store, store.write() as first:
        await first.execute(text("INSERT INTO templates VALUES ('first', '1', '', 0)"))
        await add(store, "second")

        assert await names(store) == ["second"]


async def test_offsets_told_by_two_processes_at_once_never_go_back(database: str) -> None:
    parts = [Partition("notifications.audit", number) for number in range(20)]

    async def advance(store: Store, by: int) -> None:
        told = dict.fromkeys(parts if by % 2 else reversed(parts), by)
        async with store.write() as connection:
            await offsets.advance(connection, "g", told)

    async with open_store(database) as one, open_store(database) as other:
        await asyncio.gather(*(advance(store, by) for by in range(20) for store in (one, other)))
        async with one.read() as connection:
            assert await offsets.load(connection, "g") == dict.fromkeys(parts, 19)


async def test_a_key_that_two_processes_keep_at_once_is_one(database: str) -> None:
    async with open_store(database) as one, open_store(database) as other:
        keys = [Keys(store=store, clock=ManualClock()) for store in (one, other)]
        made = await asyncio.gather(
            *(keys[n % 2].create(tenant="t", name=f"{n}", scopes=["read"], key_hash="same") for n in range(10))
        )

        assert made.count(made[0]) == 10
        assert await keys[0].of_tenant("t") == [made[0]]


async def test_a_database_of_another_encoding_is_refused(own_server: Server) -> None:
    create = "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE template0"
    async with connected(own_server.url) as admin:
        await admin.execute(text(create))
    with pytest.raises(SettingsError, match="UTF8"):
        async with open_store(own_server.url.replace("/postgres?", "/latin?")):
            pass


async def test_a_role_with_a_schema_of_its_own_needs_no_other(own_server: Server) -> None:
    """As on Supabase, where what is in `public` is served over HTTP."""
    async with connected(own_server.url) as admin:
        await admin.execute(text("CREATE ROLE gateway LOGIN"))
        await admin.execute(text("CREATE SCHEMA apart AUTHORIZATION gateway"))
        await admin.execute(text("ALTER ROLE gateway SET search_path = apart"))
        async with open_store(own_server.url.replace("tocsin@", "gateway@")) as store:
            await upgrade(store)
            await check(store)
            await add(store, "kept")
        where = "SELECT DISTINCT schemaname FROM pg_tables WHERE tableowner = 'gateway'"
        assert list(await admin.scalars(text(where))) == ["apart"]


async def test_a_database_that_is_not_there_is_told_without_the_password(own_server: Server) -> None:
    url = own_server.url.replace("tocsin@/postgres", "tocsin:hunter2@/nowhere")
    with pytest.raises(StoreUnavailable, match=r"nowhere.*does not exist") as caught:
        async with open_store(url):
            pass

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://db:port/x", "invalid literal"),
        ("postgresql://db/x?sslmode=perhaps", "sslmode"),
        ("postgresql://db/x?sslmode=verify-full&sslrootcert=/nowhere.pem", "there is no file /nowhere.pem"),
    ],
)
async def test_a_url_that_cannot_be_meant_is_told_apart_from_a_database_that_is_away(url: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        async with open_store(url):
            pass


class Certified:
    """A server on a port, with TLS."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.authority = folder / "authority.pem"
        self.stranger = folder / "stranger.pem"
        authority, stranger = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(self.authority)
        stranger.cert_pem.write_to_path(self.stranger)
        certificate = authority.issue_cert("localhost")
        chain, key = server.socket / "server.pem", server.socket / "server.key"
        certificate.private_key_and_cert_chain_pem.write_to_path(chain)
        certificate.private_key_pem.write_to_path(key)
        key.chmod(0o600)
        if os.geteuid() == 0:
            owner = server.socket.stat()
            for path in (chain, key):
                os.chown(path, owner.st_uid, owner.st_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        server.stop()
        server.start(
            "listen_addresses=127.0.0.1", f"port={self.port}", "ssl=on", f"ssl_cert_file={chain}", f"ssl_key_file={key}"
        )

    def url(self, *, mode: str, authority: Path | None = None, host: str = "localhost") -> str:
        root = f"&sslrootcert={authority}" if authority else ""
        return f"postgresql://tocsin@{host}:{self.port}/postgres?sslmode={mode}{root}"


async def test_tls_is_demanded_and_the_server_proves_its_name(own_server: Server, tmp_path: Path) -> None:
    certified = Certified(own_server, tmp_path)
    async with (
        open_store(certified.url(mode="verify-full", authority=certified.authority)) as store,
        store.read() as connection,
    ):
        query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        assert await connection.scalar(text(query)) is True
    for wrong in (
        certified.url(mode="verify-full", authority=certified.stranger),
        certified.url(mode="verify-full", authority=certified.authority, host="127.0.0.1"),
    ):
        with pytest.raises(StoreUnavailable, match="certificate"):
            async with open_store(wrong):
                pass


async def test_where_tls_is_demanded_a_server_without_it_is_not_used(own_server: Server) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own_server.stop()
    own_server.start("listen_addresses=127.0.0.1", f"port={port}")
    with pytest.raises(StoreUnavailable, match="SSL"):
        async with open_store(f"postgresql://tocsin@127.0.0.1:{port}/postgres?sslmode=require"):
            pass
