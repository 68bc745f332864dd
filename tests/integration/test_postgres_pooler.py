"""Behind PgBouncer in transaction mode, where each transaction may have another connection, as behind Supabase's."""

import asyncio
import os
import pwd
import shutil
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from sqlalchemy import text

from dlq import items
from tests.support import postgres
from tests.support.clock import ManualClock
from tests.support.postgres import Server, own_server
from tests.support.postgres_ledgers import postgres_ledger
from tocsin.errors import StoreUnavailable
from tocsin.ledger.port import AttemptKey, Granted, Settled, Settlement
from tocsin.record import Record, Source
from tocsin.store.engine import open_store
from tocsin.store.keys import Keys
from tocsin.store.migrate import check, upgrade
from tocsin.topics import TopicSpec

__all__ = ["own_server"]

pytestmark = postgres.GROUP

_CONFIG = """\
[databases]
* = host={server} user=tocsin
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
unix_socket_mode = 0777
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
server_reset_query_always = 0
"""
_PROGRAM = "/usr/sbin/pgbouncer"


@pytest.fixture
def pooled(own_server: Server) -> Iterator[str]:
    """Return the URL of a server through a pooler with three connections. Without PgBouncer: skipped, failed in CI."""
    program = shutil.which("pgbouncer") or _PROGRAM
    if not Path(program).exists():
        reason = "PgBouncer is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    folder = own_server.socket / "pooler"
    folder.mkdir()
    config = folder / "pgbouncer.ini"
    config.write_text(_CONFIG.format(server=own_server.socket, folder=folder))
    as_user: tuple[str, ...] = ()
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        as_user += ("--pdeathsig", "KILL")
    ready = threading.Event()
    process = subprocess.Popen([*as_user, program, str(config)], cwd="/", stderr=subprocess.PIPE, text=True)
    threading.Thread(target=_listen, args=(process, ready), daemon=True).start()
    assert ready.wait(20)
    yield f"postgresql://tocsin@/postgres?host={quote(str(folder), safe='')}&port=6432&pgbouncer=true"
    process.kill()
    process.wait()


def _listen(process: subprocess.Popen[str], ready: threading.Event) -> None:
    assert process.stderr is not None
    with process.stderr as told:
        for line in told:
            if "process up" in line:
                ready.set()


async def test_everything_works_when_each_transaction_has_another_connection(pooled: str) -> None:
    async with open_store(pooled) as one, open_store(pooled) as other:
        await asyncio.gather(upgrade(one), upgrade(other))
        await check(one)
        keys = [Keys(store=store, clock=ManualClock()) for store in (one, other)]

        async def use(number: int) -> None:
            mine = keys[number % 2]
            made = await mine.create(tenant="t", name=f"{number}", scopes=["read"], key_hash=f"{number}")
            assert await mine.find(f"{number}") == made
            async with one.read() as connection:
                # Lists and JSON, for which the driver looks types up.
                assert await items.find(connection, "none", tenant="t") is None

        for _ in range(5):
            await asyncio.gather(*map(use, range(40)))

        async with one.read() as connection:
            left = "SELECT count(*) FROM pg_prepared_statements"
            assert await connection.scalar(text(left)) == 0


async def test_prepared_statements_that_the_pooler_does_not_keep_are_told_with_what_to_do(pooled: str) -> None:
    async with open_store(pooled.removesuffix("&pgbouncer=true")) as store:

        async def use() -> None:
            async with store.write() as connection:
                for number in range(5):
                    await connection.execute(text(f"SELECT {number}, pg_sleep(0.001)"))

        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(50):
                    tasks.create_task(use())

    assert caught.group_contains(StoreUnavailable, match=r"prepared_statements = false")


async def test_the_ledger_works_there_too(pooled: str, tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_store(pooled) as store:
        await upgrade(store)
    async with postgres_ledger(pooled, tmp_path, clock=clock, lease=timedelta(seconds=90)) as (log, ledger):
        await log.ensure_topics([TopicSpec(name="notifications.test", kind="delivery")])

        async def attempt(number: int) -> None:
            source, key = Source("t", 0, number), AttemptKey(f"dlv_{uuid4().hex}", 0, 1)
            assert await ledger.claim(key, source, durable=bool(number % 2)) == Granted()
            wanted = Record(topic="notifications.test", key=b"k", value=b"v")
            assert await ledger.settle(Settlement(source=source, records=(wanted,), key=key, life=key[:2]))
            assert await ledger.claim(key, source, durable=True) == Settled()

        for _ in range(3):
            await asyncio.gather(*map(attempt, range(50)))
