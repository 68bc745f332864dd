"""The ways in for mail that comes back, at work over a log that a test reads."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from channels.email import codes
from channels.email.bounce_intake import BounceIntake
from channels.email.bounce_listener import BounceListener
from channels.email.bounces import Bounces
from channels.email.receiving import Receiving
from tests.support.clock import ManualClock
from tests.support.recording import Recorder
from tests.unit.email.coming_back import PATHS
from tocsin.observe.metrics import Metrics


@dataclass(kw_only=True)
class Peer:
    """A mail server that talks to us, a line at a time."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def reply(self) -> str:
        """Return the next reply, its lines joined by blanks; empty at the end."""
        lines = []
        while line := (await asyncio.wait_for(self.reader.readline(), 10)).decode():
            lines.append(line.rstrip())
            if line[3:4] != "-":
                break
        return " ".join(lines)

    async def say(self, command: str) -> str:
        """Say a command; return the reply."""
        self.writer.write(f"{command}\r\n".encode())
        return await self.reply()

    async def bring(self, recipient: str, raw: bytes, *, greeting: str = "LHLO mail.example.com") -> list[str]:
        """Bring a mail from the greeting on; return the replies, up to the first that refuses."""
        replies = [await self.reply()]
        for command in (greeting, "MAIL FROM:<>", f"RCPT TO:<{recipient}>", "DATA"):
            replies.append(await self.say(command))
            if replies[-1][:1] not in "23":
                return replies
        self.writer.write(raw.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return [*replies, await self.reply()]


@dataclass(kw_only=True)
class Listening:
    """A listener at work."""

    listener: BounceListener
    recorder: Recorder
    metrics: Metrics

    @asynccontextmanager
    async def peer(self) -> AsyncIterator[Peer]:
        """Connect."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        try:
            yield Peer(reader=reader, writer=writer)
        finally:
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)

    def counted(self, result: str) -> bool:
        """Return whether a result was counted, once."""
        return f'tocsin_bounces_total{{result="{result}"}} 1.0' in self.metrics.render()[0].decode()


def intake(recorder: Recorder, metrics: Metrics) -> BounceIntake:
    """Return an intake."""
    receiving = Receiving(publisher=recorder, metrics=metrics)
    bounces = Bounces(PATHS, codes.load())
    return BounceIntake(lambda: bounces, receiving, clock=ManualClock())


@asynccontextmanager
async def listening(protocol: Literal["lmtp", "smtp"] = "lmtp", *, max_bytes: int = 20_000) -> AsyncIterator[Listening]:
    """Run a listener until the block is left."""
    recorder, metrics, bound = Recorder(), Metrics(version="1"), socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    made = BounceListener(bound, intake(recorder, metrics), protocol=protocol, max_bytes=max_bytes)
    task = asyncio.create_task(made.run())
    try:
        yield Listening(listener=made, recorder=recorder, metrics=metrics)
    finally:
        made.stop()
        await task
