"""What the host runs: something that goes on until it is told to stop, and then drains."""

from typing import Protocol


class Loop(Protocol):
    """A long-running part of a service. The host awaits `run` in a task of its own, and never cancels it lightly."""

    @property
    def name(self) -> str:
        """The name in logs and readiness."""

    async def run(self) -> None:
        """Work until stopped; return once drained. An exception that leaves it is a bug, and stops the gateway."""

    def stop(self) -> None:
        """Take nothing new, finish what runs, and let `run` return. May be called before `run`, and twice."""
