"""The peer of the provider `smtp`: a mail server with STARTTLS and AUTH."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.contract.providers.harness import Answer, Sent
from tests.integration.scripted_smtp import DROP, HANG, ScriptedServer

USERNAME = "shop"
_HELD = "held"
# Which command is answered how.
_REPLIES: Mapping[Answer, tuple[str, str]] = {
    Answer.NO_SUCH_ADDRESS: ("RCPT", "550 5.1.1 no such user"),
    Answer.BAD_MESSAGE: ("BODY", "554 5.6.0 bad content"),
    Answer.WRONG_SECRET: ("AUTH", "535 5.7.8 wrong password"),
    Answer.TOO_FAST: ("MAIL", "450 4.7.1 rate limit"),
    Answer.BUSY: ("RCPT", "451 4.3.0 try again"),
    Answer.NONSENSE: ("BODY", "299"),
    Answer.GARBAGE: ("BODY", "\x00\x00 garbage"),
    Answer.CUT: ("BODY", DROP),
    Answer.SILENCE: ("BODY", HANG),
    Answer.HELD: ("BODY", _HELD),
}


@dataclass(kw_only=True)
class SmtpPeer(ScriptedServer):
    """Implements `harness.Peer`. A message has reached it once its envelope has.

    With a `password` it takes no other one.
    """

    password: str | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)
    holds: bool = False

    @property
    def sent(self) -> Sequence[Sent]:
        """See `Peer`."""
        found: list[Sent] = []
        login = ""
        for command in self.commands:
            if command.startswith("AUTH"):
                login = command
            elif command.startswith("MAIL"):
                found.append(Sent(login=login))
        return found

    def next(self, answer: Answer) -> None:
        """See `Peer`."""
        verb, reply = _REPLIES[answer]
        self.script.setdefault(verb, []).append(reply)

    def release(self) -> None:
        """See `Peer`."""
        self.holds = False
        self.released.set()

    async def _answer(self, verb: str, writer: asyncio.StreamWriter, default: str | None = None) -> str:
        if verb == "AUTH" and self.password is not None and self.commands[-1] != login(self.password):
            return await super()._answer(verb, writer, "535 5.7.8 wrong password")
        if verb != "BODY":
            return await super()._answer(verb, writer, default)
        taken = f"250 2.0.0 Ok: queued as N{len(self.sent)}"
        if self.script.get(verb, [""])[:1] == [_HELD]:
            self.script[verb].pop(0)
            self.holds = True
            await self.released.wait()
        return await super()._answer(verb, writer, taken)


def login(password: str) -> str:
    """Return the command that proves us."""
    return "AUTH PLAIN " + base64.b64encode(f"\0{USERNAME}\0{password}".encode()).decode()


@asynccontextmanager
async def smtp_peer(tls: ssl.SSLContext) -> AsyncIterator[SmtpPeer]:
    """Run a peer."""
    peer = SmtpPeer(extensions=["STARTTLS", "AUTH PLAIN", "SIZE 1000000"], tls=tls)
    await peer.start()
    try:
        yield peer
    finally:
        await peer.stop()
