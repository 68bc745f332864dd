"""A contest, run by run: ours, then each peer, against the same server, each in a process of its own."""

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import msgspec

from benchmarks import sinks
from benchmarks.channels.contests import Contest, Peer, ServerName
from benchmarks.children import BENCH_BIN, Children, Failed, free_port, listening

_SERVERS: Mapping[ServerName, str] = {"http": "http_server", "apns": "apns_server"}


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What a side tells when it is done."""

    count: int
    cpu_seconds: float
    seconds: float

    @property
    def per_cpu_second(self) -> float:
        """Messages a CPU second of the client."""
        return self.count / self.cpu_seconds


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a contest came to: medians of messages a CPU second, and the ratio to the first peer with its goal."""

    ratio: float
    goal: float
    peer: str
    ours_per_cpu_s: float
    peer_per_cpu_s: float
    ours_cpu_us: float
    peer_cpu_us: float
    ours_per_s: float
    peer_per_s: float
    # The ratio to each of the further peers.
    others: Mapping[str, float] = {}


def run(name: str, contest: Contest, children: Children, *, count: int, runs: int, limit: float) -> Result:
    """Run a contest. `count` messages a side in each of so many runs, none longer than `limit` seconds. Raises Failed.

    The server is the contest's own; it goes on until `children` end.
    """
    port = _serve(contest.server, children)
    names = ["ours", *(peer.name for peer in contest.peers)]
    found: dict[str, list[Figures]] = {each: [] for each in names}
    for _ in range(runs):
        ours: list[object] = ["ours", name, port, count, children.directory]
        found["ours"].append(_measured(children, ours, in_bench=False, limit=limit))
        for peer in contest.peers:
            theirs = _arguments(peer, port, count, children.directory)
            found[peer.name].append(_measured(children, theirs, in_bench=peer.in_bench, limit=limit))
    return _result(contest, found)


def _serve(server: ServerName, children: Children) -> int:
    if server == "smtp":
        return sinks.postfix(children).port
    port = free_port()
    place = (children.directory,) if server == "apns" else ()
    listening(children.python(f"server-{server}", f"channels.{_SERVERS[server]}", port, *place), port)
    return port


def _arguments(peer: Peer, port: int, count: int, directory: Path) -> list[object]:
    return [peer.module, port, count, directory, *peer.arguments]


def _measured(children: Children, arguments: list[object], *, in_bench: bool, limit: float) -> Figures:
    module, *rest = arguments
    python = BENCH_BIN / "python" if in_bench else Path(sys.executable)
    child = children.python(str(module), f"channels.{module}", *rest, interpreter=python)
    told = child.wait(within=limit)
    try:
        return msgspec.json.decode(told.strip().rpartition("\n")[2], type=Figures)
    except msgspec.DecodeError:
        raise Failed(f"{module} told no figures:\n{told[-2_000:]}") from None


def _result(contest: Contest, found: Mapping[str, list[Figures]]) -> Result:
    per_cpu = {name: median(each.per_cpu_second for each in figures) for name, figures in found.items()}
    per_second = {name: median(each.count / each.seconds for each in figures) for name, figures in found.items()}
    first, *more = (peer.name for peer in contest.peers)
    return Result(
        ratio=round(per_cpu["ours"] / per_cpu[first], 2),
        goal=contest.goal,
        peer=first,
        ours_per_cpu_s=round(per_cpu["ours"]),
        peer_per_cpu_s=round(per_cpu[first]),
        ours_cpu_us=round(1e6 / per_cpu["ours"], 1),
        peer_cpu_us=round(1e6 / per_cpu[first], 1),
        ours_per_s=round(per_second["ours"]),
        peer_per_s=round(per_second[first]),
        others={name: round(per_cpu["ours"] / per_cpu[name], 2) for name in more},
    )
