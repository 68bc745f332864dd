"""What Linux says of a process and of the machine: CPU time, memory, cores."""

import os
import platform
import re
import resource
import time
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time of processes so far, user and system, those that they started and that run included."""
    parents = _parents()
    family = set(pids)
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(_ticks(_PROC / str(pid) / "stat") for pid in family) / _TICKS


class Neighbours:
    """How much of the machine others use, from now on: figures of a machine that is shared need to say so."""

    def __init__(self) -> None:
        self._busy, self._own, self._began = _busy_seconds(), _own_seconds(), time.monotonic()

    def cores(self) -> float:
        """Return how many cores they have used on average."""
        others = (_busy_seconds() - self._busy) - (_own_seconds() - self._own)
        return max(0.0, others / (time.monotonic() - self._began))


def threads(pid: int) -> dict[int, float]:
    """Return the CPU time of each thread of a process."""
    return {int(task.name): _ticks(task / "stat") / _TICKS for task in (_PROC / str(pid) / "task").iterdir()}


def rss_mb(pid: int) -> float:
    """Return the memory that a process has resident now."""
    return _status(pid, "VmRSS")


def peak_mb(pid: int) -> float:
    """Return the most that a process has had resident."""
    return _status(pid, "VmHWM")


def machine(directory: Path) -> dict[str, str | int]:
    """Return what the figures depend on. Names nobody's machine."""
    model = re.search(r"^model name\s*:\s*(.+)$", (_PROC / "cpuinfo").read_text(), re.MULTILINE)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": model.group(1) if model else platform.machine(),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "filesystem": _filesystem(directory),
    }


def _busy_seconds() -> float:
    """Return the CPU time of everything on the machine so far: all but idle and waiting for a disk."""
    user, nice, system, _idle, _wait, irq, softirq, steal = map(
        int, (_PROC / "stat").read_text().partition("\n")[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def _own_seconds() -> float:
    """Return the CPU time of this process, and of all that it started."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_seconds([os.getpid()]) + ended.ru_utime + ended.ru_stime


def _filesystem(directory: Path) -> str:
    """Return the type of the file system that a directory is on: a sync costs nothing on a tmpfs."""
    mounts = [line.split()[1:3] for line in (_PROC / "mounts").read_text().splitlines()]
    holding = [(point, kind) for point, kind in mounts if directory.resolve().is_relative_to(point)]
    return max(holding, key=lambda mount: len(mount[0]), default=("/", "unknown"))[1]


def _parents() -> dict[int, int]:
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _fields(entry / "stat")):
            found[int(entry.name)] = int(fields[1])
    return found


def _ticks(stat: Path) -> int:
    fields = _fields(stat)
    return int(fields[11]) + int(fields[12]) if fields else 0


def _fields(stat: Path) -> list[str]:
    """Return the fields after the command's name (which may hold anything); none if the process is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status(pid: int, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", (_PROC / str(pid) / "status").read_text(), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0
