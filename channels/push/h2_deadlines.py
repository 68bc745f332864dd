"""Deadlines of many requests with one timer: nearly all of them are over long before theirs."""

import asyncio
from collections.abc import Mapping

from channels.push.h2_stream import Stream

# The loop's timers may be early by so much, in seconds.
_EARLY = 0.001


class Deadlines:
    """Ends those of `streams` whose deadline, a time of `loop.time()`, has come. `watch` each that is opened."""

    def __init__(self, streams: Mapping[int, Stream], loop: asyncio.AbstractEventLoop) -> None:
        self._streams = streams
        self._loop = loop
        self._next: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, stream: Stream) -> None:
        """End this stream in time too."""
        if self._next is None or stream.deadline < self._next:
            self._wait_until(stream.deadline)

    def stop(self) -> None:
        """End no stream any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._next = None

    def _wait_until(self, deadline: float) -> None:
        self.stop()
        self._next = deadline
        self._timer = self._loop.call_at(deadline, self._look)

    def _look(self) -> None:
        """End the streams that are due; wait for the next, which need not be of a request that was there before."""
        self.stop()
        now = self._loop.time() + _EARLY
        for stream in self._streams.values():
            if stream.deadline <= now:
                stream.lose()
        if left := [stream.deadline for stream in self._streams.values() if not stream.ended]:
            self._wait_until(min(left))
