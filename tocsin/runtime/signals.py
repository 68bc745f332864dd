"""Signals: the first asks for a drain, the second ends the process at once."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def _nothing() -> None:
    pass


@contextmanager
def handled(on_first: Callable[[], None], on_second: Callable[[], None] = _nothing) -> Iterator[None]:
    """Call `on_first` at the first SIGTERM or SIGINT; at the second `on_second`, and exit with 128 + its number,
    without a drain.

    What was acknowledged is on disk by then, so nothing is lost; what was being sent may be sent again.
    """
    loop = asyncio.get_running_loop()
    asked = False

    def on_signal(number: int) -> None:
        nonlocal asked
        if asked:
            on_second()
            os._exit(128 + number)
        asked = True
        on_first()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
