"""The gateway as its users run it, on a fresh data directory or a given one, and what its store says of the job."""

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import mails
from benchmarks.children import Child, Children, until

TOCSIN = Path(sys.executable).with_name("tocsin")
# All that differs from the defaults: everything else is on, audit, ledger, metrics and synchronous=FULL included.
SETTINGS = {"TOCSIN__HTTP__PORT": "0", "TOCSIN__EMAIL__TLS": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many deliveries the audit in SQL knows: all, those that wait for another attempt, those delivered."""

    known: int
    retrying: int
    delivered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that serves."""

    port: int
    child: Child
    store: Path

    def counts(self) -> Counts:
        """Return what the audit says."""
        states = dict(self._rows("SELECT state, count(*) FROM lives GROUP BY state"))
        return Counts(
            known=sum(states.values()), retrying=states.get("retrying", 0), delivered=states.get("delivered", 0)
        )

    def events(self) -> int:
        """Return how many audit rows there are."""
        return int(self._rows("SELECT count(*) FROM events")[0][0])

    def _rows(self, query: str) -> list[tuple[str, int]]:
        # Opened each time: a reader that stays could keep an old snapshot, and the WAL from being checkpointed.
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def serving(directory: Path, data: Path, *, smtp_port: int) -> Iterator[Gateway]:
    """Run the gateway with its data in `data`. Raises Failed if it does not start."""
    with Children(directory) as children:
        environ = {
            **SETTINGS,
            "TOCSIN__DATA_DIR": str(data),
            "TOCSIN__EMAIL__PORT": str(smtp_port),
            "TOCSIN_BOOTSTRAP_KEY": mails.KEY,
        }
        child = children.start("gateway", [TOCSIN, "up"], environ=environ)
        until(lambda: _url(child) is not None, child, within=60, every=0.05)
        port = urlsplit(_url(child) or "").port or 0
        yield Gateway(port=port, child=child, store=data / "store.db")


def _url(child: Child) -> str | None:
    """Return the URL that the gateway says it serves on."""
    found = re.search(r"^\s*API\s+(\S+)", child.text(), re.MULTILINE)
    return found.group(1) if found else None
