"""An SMTP server that does what a test tells it: any reply to any command, silence, a drop; with TLS and AUTH."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass, field

DROP = "drop"
HANG = "hang"

_DEFAULTS = {
    "GREETING": "220 scripted ESMTP",
    "HELO": "250 scripted",
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go ahead",
    "BODY": "250 2.0.0 Ok: queued as SCRIPTED1",
    "RSET": "250 2.0.0 Ok",
    "NOOP": "250 2.0.0 Ok",
    "QUIT": "221 bye",
    "AUTH": "235 2.7.0 Ok",
    "STARTTLS": "220 ready",
}


@dataclass(kw_only=True)
class ScriptedServer:
    """`script` holds, by verb (GREETING and BODY too), the replies to come; when they are used up, it is friendly."""

    extensions: list[str] = field(default_factory=list)
    script: dict[str, list[str]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    port: int = 0
    connections: int = 0
    open: int = 0
    most_open: int = 0
    commands: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)
    reached: dict[str, asyncio.Event] = field(default_factory=lambda: defaultdict(asyncio.Event))
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        context = self.tls if self.implicit_tls else None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    def verbs(self) -> list[str]:
        """Return the commands without their arguments."""
        return [command.partition(" ")[0].upper() for command in self.commands]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self.open -= 1
            self.closed.set()
            self._writers.discard(writer)
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._answer("GREETING", writer)
        while line := await reader.readline():
            command = line.decode().rstrip("\r\n")
            self.commands.append(command)
            verb = command.partition(" ")[0].upper()
            if verb == "EHLO":
                await self._greet(writer)
            elif verb == "STARTTLS":
                await self._answer(verb, writer)
                assert self.tls is not None
                await writer.start_tls(self.tls)
            elif verb == "DATA":
                if (await self._answer(verb, writer)).startswith("354"):
                    self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
                    await self._answer("BODY", writer)
            else:
                await self._answer(verb, writer)
                if verb == "QUIT":
                    return

    async def _greet(self, writer: asyncio.StreamWriter) -> None:
        encrypted = writer.get_extra_info("sslcontext") is not None
        offered = [each for each in self.extensions if not (encrypted and each == "STARTTLS")]
        lines = ["scripted", *offered]
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}"
        await self._answer("EHLO", writer, text)

    async def _answer(self, verb: str, writer: asyncio.StreamWriter, default: str | None = None) -> str:
        waiting = self.script.get(verb)
        reply = waiting.pop(0) if waiting else default or _DEFAULTS.get(verb, "250 Ok")
        self.reached[verb].set()
        if reply == DROP:
            raise ConnectionAbortedError
        if reply == HANG:
            await asyncio.get_running_loop().create_future()
        writer.write(reply.encode() + b"\r\n")
        await writer.drain()
        return reply
