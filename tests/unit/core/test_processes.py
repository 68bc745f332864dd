"""Several processes: whatever one of them meets, the others drain; a signal reaches each of them once; and none stays
behind where the one that keeps them is killed."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.waiting import until
from tocsin.runtime import parent, processes
from tocsin.runtime.processes import ProcessFailed

PYTHON = sys.executable
# In place of `python -m tocsin`: what it is to do is its first argument. It drains for a moment when asked to end.
CHILD = """
import os, signal, sys, time
from pathlib import Path
notes = Path(sys.argv[4])
what = sys.argv[3]
def say(word): (notes / f"{what}.{word}.{os.getpid()}").touch()
if what == "bad":
    while not list(notes.glob("good.serving.*")): time.sleep(0.01)
    sys.exit(2)
asked = []
def end(*_):
    if asked: os._exit(143)
    asked.append(1)
    say("draining")
    time.sleep(0.5)
    say("drained")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
say("serving")
time.sleep(60)
"""


# As `tocsin run --processes 2`, and each of the two as a gateway that is up.
KEEPER = """
import asyncio, sys
from tocsin.runtime import processes
sys.executable = sys.argv[1]
asyncio.run(processes.run([["good", sys.argv[2]]] * 2))
"""
GATEWAY = """
import asyncio, os, sys
from pathlib import Path
from tocsin.runtime import parent
notes = Path(sys.argv[4])
async def serve():
    stopping = asyncio.Event()
    with parent.watched(os.environ, stopping.set):
        (notes / f"good.serving.{os.getpid()}").touch()
        await stopping.wait()
    (notes / f"good.drained.{os.getpid()}").touch()
asyncio.run(asyncio.wait_for(serve(), 60))
"""


@pytest.fixture
def notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "child.py"
    program.write_text(CHILD)
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(wrapper))
    said = tmp_path / "notes"
    said.mkdir()
    return said


def told(notes: Path, word: str) -> int:
    return len(list(notes.glob(f"*.{word}.*")))


async def test_where_one_cannot_start_the_others_drain_first(notes: Path) -> None:
    with pytest.raises(ProcessFailed, match="bad"):
        await processes.run([["good", str(notes)], ["bad", str(notes)]])
    assert (told(notes, "serving"), told(notes, "drained")) == (1, 1)


async def test_a_signal_drains_all_and_one_that_died_is_started_again(notes: Path) -> None:
    running = asyncio.create_task(processes.run([["good", str(notes)]] * 2))
    await until(lambda: told(notes, "serving") == 2, what="both")
    victim = int(next(notes.glob("*.serving.*")).suffix[1:])
    os.kill(victim, signal.SIGKILL)
    await until(lambda: told(notes, "serving") == 3, what="another one in its place")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 20)
    assert told(notes, "drained") == 2


async def test_where_the_keeper_is_killed_its_processes_drain_and_end(notes: Path, tmp_path: Path) -> None:
    (tmp_path / "child.py").write_text(GATEWAY)
    keeper = await asyncio.create_subprocess_exec(
        *(PYTHON, "-c", KEEPER, sys.executable, str(notes)), env={**os.environ, "PYTHONPATH": str(Path.cwd())}
    )
    await until(lambda: told(notes, "serving") == 2, what="both")
    os.kill(keeper.pid, signal.SIGKILL)
    await keeper.wait()

    await until(lambda: told(notes, "drained") == 2, what="both to drain")


async def test_who_has_no_parent_of_ours_waits_for_none() -> None:
    gone = asyncio.Event()
    for given in ("", "x", "-1", "99999", "1" * 40, "²"):
        with parent.watched({parent.VARIABLE: given}, gone.set):
            await asyncio.sleep(0)
    assert not gone.is_set()
