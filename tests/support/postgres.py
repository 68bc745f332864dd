"""A real PostgreSQL for tests: the one that TOCSIN_POSTGRES_URL names, else a private one; and databases on it.

Import the fixtures that a folder's tests need into its conftest. The server is started once for all of them.
"""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tocsin.store.engine import open_store
from tocsin.store.migrate import upgrade

GROUP = pytest.mark.xdist_group("postgres")

_VARIABLE = "TOCSIN_POSTGRES_URL"
_READY = "database system is ready to accept connections"
_PATIENCE_SECONDS = 60
# The locale's order is not that of bytes, so that nothing relies on a database which happens to have that.
_INITDB = ("-U", "tocsin", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale", "C.UTF-8")
_ICU = ("--locale-provider", "icu", "--icu-locale", "en-US")
# What survives the end of a process survives without fsync; power cuts are not what these tests are about.
_OPTIONS = (
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
    "max_connections=60",
    "autovacuum_naptime=1h",
)


# All tables but the one that says how far it is migrated.
_EMPTY = """
DO $$ BEGIN EXECUTE (
    SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ') FROM pg_tables
    WHERE schemaname = current_schema() AND tablename <> 'alembic_version'
); END $$
"""
# Of a process that was killed a moment ago sessions go on, until the server has noticed. What is still at work after
# 10 s is a transaction that a test has left open: a failure, though it hold no lock.
_REST = """
DO $$ BEGIN
    FOR i IN 1..500 LOOP
        IF NOT EXISTS (
            SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
            AND pid <> pg_backend_pid() AND state <> 'idle'
        ) THEN RETURN; END IF;
        PERFORM pg_sleep(0.02), pg_stat_clear_snapshot();
    END LOOP;
    RAISE EXCEPTION 'a session is still at work: a test has left a transaction open';
END $$
"""
# What a test that changes tables must not leave to the next.
_SHAPE = """
SELECT md5(string_agg(concat_ws(' ', relname, relkind, attname, atttypid, attnotnull), ',' ORDER BY relname, attnum))
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relnamespace = current_schema()::regnamespace
"""


class Server:
    """A private PostgreSQL, reached through a socket in its own folder."""

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        # Not below pytest's folders, which other users may not enter: PostgreSQL refuses to run as root.
        self._root = Path(tempfile.mkdtemp(prefix="tocsin-pg-"))
        self._process: subprocess.Popen[str] | None = None
        self._said: deque[str] = deque(maxlen=50)
        self._as_user: tuple[str, ...] = ()
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self._root, account.pw_uid, account.pw_gid)
            self._as_user = ("setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
        self._run("initdb", "-D", str(self._data), *_INITDB, *_ICU)

    @property
    def url(self) -> str:
        """The URL of its first database."""
        return f"postgresql://tocsin@/postgres?host={quote(str(self.socket), safe='')}"

    @property
    def socket(self) -> Path:
        """The folder of its socket."""
        return self._root

    @property
    def _data(self) -> Path:
        return self._root / "data"

    def start(self, *options: str) -> None:
        """Start it, with settings beyond those of all tests, and return once it takes connections."""
        ready = threading.Event()
        named = (*_OPTIONS, f"unix_socket_directories={self._root}", *options)
        settings = [word for option in named for word in ("-c", option)]
        # It does not outlive the tests, whatever ends them.
        bound = ("--pdeathsig", "QUIT") if shutil.which("setpriv") else ()
        prefix = (*(self._as_user or (("setpriv",) if bound else ())), *bound)
        self._process = subprocess.Popen(
            [*prefix, str(self._binaries / "postgres"), "-D", str(self._data), *settings],
            cwd="/",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process, ready), daemon=True).start()
        if not ready.wait(_PATIENCE_SECONDS) or self._process.poll() is not None:
            raise AssertionError("PostgreSQL does not start:\n" + "".join(self._said))

    def lock(self, *options: str) -> None:
        """Start it anew, and from now on let nobody in without a password."""
        self.stop()
        (self._data / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        self.start(*options)

    def crash(self) -> None:
        """End it without letting it finish anything, as `pg_ctl stop -m immediate` does."""
        self._end(signal.SIGQUIT)

    def stop(self) -> None:
        """End it in order, breaking off what is connected."""
        self._end(signal.SIGINT)

    def remove(self) -> None:
        """End it if it runs, and delete it."""
        if self._process is not None and self._process.poll() is None:
            self.crash()
        shutil.rmtree(self._root, ignore_errors=True)

    def _end(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(_PATIENCE_SECONDS)

    def _listen(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stderr is not None
        with process.stderr as told:
            for line in told:
                self._said.append(line)
                if _READY in line:
                    ready.set()
        ready.set()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._as_user, str(self._binaries / program), *arguments], cwd="/", check=True, capture_output=True
        )


class Databases:
    """Makes databases on a server. Those that are migrated are emptied after use, and used again."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        self._idle: list[str] = []
        self._shape: str | None = None

    @asynccontextmanager
    async def migrated(self) -> AsyncIterator[str]:
        """Return the URL of a database with all tables, and nothing in them."""
        url = self._url(self._idle.pop()) if self._idle else await self._migrated()
        yield url
        name = urlsplit(url).path.lstrip("/")
        async with connected(url) as connection:
            whole = await connection.scalar(text(_SHAPE)) == self._shape
            if whole:
                await connection.execute(text(_REST))
                # A transaction that a test has left open is a failure, and no reason to wait for ever.
                await connection.execute(text("SET lock_timeout = '10s'"))
                await connection.execute(text(_EMPTY))
        if whole:
            self._idle.append(name)
        else:
            await self._drop(name)

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """Return the URL of a fresh database with nothing in it."""
        name = await self._make()
        yield self._url(name)
        await self._drop(name)

    async def close(self) -> None:
        """Delete what was kept for the session."""
        for name in self._idle:
            await self._drop(name)

    async def _migrated(self) -> str:
        url = self._url(await self._make())
        async with open_store(url) as store:
            await upgrade(store)
        async with connected(url) as connection:
            self._shape = await connection.scalar(text(_SHAPE))
        return url

    def _url(self, name: str) -> str:
        return urlunsplit(urlsplit(self._admin_url)._replace(path=f"/{name}"))

    async def _make(self) -> str:
        name = f"tocsin_test_{uuid4().hex}"
        async with connected(self._admin_url) as connection:
            await connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        return name

    async def _drop(self, name: str) -> None:
        async with connected(self._admin_url) as connection:
            await connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a connection of the test's own, each statement of which is a transaction."""
    engine = create_async_engine(
        "postgresql+asyncpg://", connect_args={"dsn": url}, poolclass=NullPool, isolation_level="AUTOCOMMIT"
    )
    async with engine.connect() as connection:
        yield connection
    await engine.dispose()


_shared: pytest.StashKey[Databases] = pytest.StashKey()


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> Databases:
    """Return databases on the server that all tests share. Without one: skipped here, a failure in CI."""
    stash = request.config.stash
    if _shared not in stash:
        given = os.environ.get(_VARIABLE)
        shared = stash[_shared] = Databases(given or _started(request.config).url)
        if given:
            request.config.add_cleanup(lambda: asyncio.run(shared.close()))
    return stash[_shared]


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """Return the URL of a migrated database of the test's own."""
    async with databases.migrated() as url:
        yield url


@pytest.fixture
async def empty_database(databases: Databases) -> AsyncIterator[str]:
    """Return the URL of an empty database of the test's own."""
    async with databases.empty() as url:
        yield url


@pytest.fixture
def own_server() -> Iterator[Server]:
    """Return a running server that the test may stop and crash."""
    server = Server(binaries())
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _started(config: pytest.Config) -> Server:
    server = Server(binaries())
    config.add_cleanup(server.remove)
    server.start()
    return server


def binaries() -> Path:
    """Return the folder of PostgreSQL's programs; Debian keeps them out of the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("postgres")
    for folder in (*([Path(on_path).resolve().parent] if on_path else []), *debian):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    reason = f"PostgreSQL is not installed, and {_VARIABLE} is not set"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
