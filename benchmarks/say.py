"""What the benchmark tells while it runs: lines on stdout, each with the time since the start."""

import sys
import time

_STARTED = time.monotonic()


def step(text: str) -> None:
    """Tell what begins, or how far it is."""
    line(f"[{time.monotonic() - _STARTED:6.1f}s] {text}")


def line(text: str = "") -> None:
    """Tell something as it is."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
