"""The gateway as its users run it: in one process or several, on a fresh store or a given one, and what that says."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import backends, mails, procfs
from benchmarks.backends import Backend, Log
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
    """A gateway that serves. `child` has the API; `others` are the processes that deliver, if it does not."""

    port: int
    child: Child
    others: Sequence[Child]
    backend: Backend

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of all its processes, without what they stand on."""
        return procfs.cpu_seconds(child.pid for child in (self.child, *self.others))

    def counts(self) -> Counts:
        """Return what the audit says."""
        states = dict(self.backend.rows("SELECT state, count(*) FROM lives GROUP BY state"))
        return Counts(
            known=sum(states.values()), retrying=states.get("retrying", 0), delivered=states.get("delivered", 0)
        )

    def passed(self) -> int:
        """Return how far the audit has come, in records. Costs next to nothing, where to count rows costs a core's
        fifth while it is watched."""
        query = "SELECT coalesce(sum(next_offset), 0) FROM consumer_offsets WHERE consumer_group LIKE 'tocsin.audit.%'"
        return int(self.backend.rows(query)[0][0])

    def events(self) -> int:
        """Return how many audit rows there are."""
        return int(self.backend.rows("SELECT count(*) FROM events")[0][0])


@contextmanager
def serving(
    directory: Path, data: Path, *, smtp_port: int, log: Log = "embedded", processes: int = 0
) -> Iterator[Gateway]:
    """Run the gateway, its files in `data`; with `processes`, so many that deliver beside one that has the API.

    Raises Failed if it does not start.
    """
    with backends.opened(log, data) as backend, Children(directory) as children:
        environ = {
            **SETTINGS,
            **backend.environ,
            "TOCSIN__EMAIL__PORT": str(smtp_port),
            "TOCSIN_BOOTSTRAP_KEY": mails.KEY,
        }
        services = ["run", "producer", "dlq", "audit"] if processes else ["up"]
        child, port = _started(children, services, environ)
        others = []
        if processes:
            channel = ["run", "channel", "email", "--port", "0", "--processes", str(processes)]
            others.append(_started(children, channel, environ)[0])
        yield Gateway(port=port, child=child, others=others, backend=backend)


def _started(children: Children, arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[Child, int]:
    child = children.start("gateway", [TOCSIN, *arguments], environ=environ)
    until(lambda: _url(child) is not None, child, within=60, every=0.05)
    return child, urlsplit(_url(child) or "").port or 0


def _url(child: Child) -> str | None:
    """Return the URL that the gateway says it serves on."""
    found = re.search(r"^\s*API\s+(\S+)", child.text(), re.MULTILINE)
    return found.group(1) if found else None
