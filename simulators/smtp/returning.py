"""Brings reports to where a mail's return path leads: over LMTP (RFC 2033), in the background."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from simulators.smtp.mailbox import Mail
from simulators.smtp.reports import Kind, kind_for, report

_SECONDS = 10.0


class Returner:
    """Knows whom to bring reports to. Made by `returning`, which also ends what is under way."""

    def __init__(self, host: str, port: int) -> None:
        self._at = (host, port)
        self._tasks: set[asyncio.Task[str]] = set()

    def took(self, mail: Mail) -> None:
        """Tell later of a mail that was taken, if its recipient asks for it. A report has no sender to tell of it."""
        for recipient in mail.recipients if mail.mail_from else ():
            kind = kind_for(recipient)
            if kind is not None:
                task = asyncio.create_task(self.tell(kind, mail))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def tell(self, kind: Kind, mail: Mail) -> str:
        """Tell of a mail now; return the server's last reply, empty where nobody answers."""
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._bring(mail.mail_from, report(kind, mail, mail.recipients[0]))
        except (OSError, TimeoutError):
            return ""

    async def stop(self) -> None:
        """Give up what is under way."""
        under_way = list(self._tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _bring(self, recipient: str, raw: bytes) -> str:
        reader, writer = await asyncio.open_connection(*self._at)
        try:
            said = await _reply(reader)
            steps = ("LHLO smtp.simulator.test", "MAIL FROM:<>", f"RCPT TO:<{recipient}>", "DATA")
            for step in (*(f"{each}\r\n".encode() for each in steps), raw.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n"):
                if said[:1] not in {"2", "3"}:
                    break
                writer.write(step)
                said = await _reply(reader)
            writer.write(b"QUIT\r\n")
            return said
        finally:
            writer.close()


async def _reply(reader: asyncio.StreamReader) -> str:
    line = (await reader.readline()).decode("utf-8", "replace")
    while line[3:4] == "-":
        line = (await reader.readline()).decode("utf-8", "replace")
    return line.strip()


@asynccontextmanager
async def returning(host: str, port: int) -> AsyncIterator[Returner]:
    """Yield a returner; on leaving, what is under way is given up."""
    returner = Returner(host, port)
    try:
        yield returner
    finally:
        await returner.stop()
