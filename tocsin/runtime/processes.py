"""Several processes of the same kind on one machine: started together, started again if one dies, drained together.

Should the process that keeps them be killed, they drain and end by themselves (`parent`).
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from loguru import logger

from tocsin.errors import TocsinError
from tocsin.runtime import parent, signals

_FIRST_PAUSE, _LAST_PAUSE = 1.0, 30.0
# One that ran for so long starts again at once, whatever came before.
_STEADY_SECONDS = 60.0
_SETTINGS = 2


class ProcessFailed(TocsinError):
    """A process could not start, and another try would end alike. It has said why."""


async def run(commands: Sequence[Sequence[str]]) -> None:
    """Run `tocsin` with each of the arguments until a signal ends them; a second signal ends them at once.

    Raises ProcessFailed where a process ends with exit code 2: its settings are wrong.
    """
    with parent.pipe() as end:
        await _run(commands, end)


async def _run(commands: Sequence[Sequence[str]], end: int) -> None:
    stopping = asyncio.Event()
    keepers = [_Keeper(arguments, stopping, end) for arguments in commands]

    def stop() -> None:
        stopping.set()
        for keeper in keepers:
            keeper.terminate()

    def kill() -> None:
        for keeper in keepers:
            keeper.kill()

    with signals.handled(stop, kill):
        tasks = [asyncio.create_task(keeper.keep()) for keeper in keepers]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        stop()
        # Whatever one of them met, the others drain first.
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    for error in ended:
        if error is not None:
            raise error


class _Keeper:
    """Keeps one process running, with this end of the pipe to its parent."""

    def __init__(self, arguments: Sequence[str], stopping: asyncio.Event, end: int) -> None:
        self._arguments = arguments
        self._stopping = stopping
        self._end = end
        self._process: asyncio.subprocess.Process | None = None
        self._asked = False

    def terminate(self) -> None:
        """Ask the process to drain and end. Once: asked again, it would end without."""
        if self._process is not None and self._process.returncode is None and not self._asked:
            self._asked = True
            self._process.terminate()

    def kill(self) -> None:
        """End the process at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def keep(self) -> None:
        pause = _FIRST_PAUSE
        clock = asyncio.get_running_loop().time
        while not self._stopping.is_set():
            started = clock()
            code = await self._once()
            if self._stopping.is_set():
                return
            if code == _SETTINGS:
                raise ProcessFailed(f"tocsin {' '.join(self._arguments)} could not start")
            if clock() - started >= _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            logger.error("process_ended", arguments=" ".join(self._arguments), code=code, again_in_seconds=pause)
            await _either(self._stopping, pause)
            pause = min(pause * 2, _LAST_PAUSE)

    async def _once(self) -> int:
        # A session of its own: Ctrl-C reaches this process alone, which asks the others to drain.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tocsin", *self._arguments),
            start_new_session=True,
            pass_fds=[self._end],
            env={**os.environ, parent.VARIABLE: str(self._end)},
        )
        self._asked = False
        if self._stopping.is_set():
            self.terminate()  # the signal came while it was being started
        try:
            return await self._process.wait()
        finally:
            self.terminate()


async def _either(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
