"""The mail server and the SMS provider of the load: Tocsin's simulators, which outlive every process that is killed."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from examples.shop.load import letters
from examples.shop.load.sums import Came
from simulators.sms.callbacks import calling
from simulators.sms.faults import Faults as SmsFaults
from simulators.sms.texts import Texts
from simulators.smtp import reading
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from simulators.twilio.api import Api
from simulators.twilio.simulator import ACCOUNT_SID, AUTH_TOKEN
from tocsin.runtime import server
from tocsin.runtime.clock import SystemClock

_MOST = 1_000_000
_MOST_BYTES = 2**32


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """What was taken, and the settings with which a gateway sends to them."""

    mailbox: Mailbox
    texts: Texts
    environment: Mapping[str, str]

    def came(self, templates: Path) -> Came:
        """Return all that was taken."""
        mails = [
            (recipient, reading.subject(mail.raw), reading.message_id(mail.raw))
            for mail in self.mailbox.newest()
            for recipient in mail.recipients
        ]
        return Came(post=letters.taken(mails, templates), texts=dict(self.texts.by_recipient))


@asynccontextmanager
async def providing() -> AsyncIterator[Providers]:
    """Run both on free ports until the block is left. They refuse nobody, and nothing is delayed."""
    clock = SystemClock()
    mailbox = Mailbox(now=clock.now, max_mails=_MOST, max_bytes=_MOST_BYTES)
    texts = Texts(now=clock.now, max_texts=_MOST)
    async with AsyncExitStack() as stack:
        smtp = await stack.enter_async_context(listening(mailbox=mailbox, faults=Faults(()), clock=clock))
        caller = await stack.enter_async_context(calling(clock))
        api = Api(auth_token=AUTH_TOKEN, texts=texts, faults=SmsFaults(()), caller=caller, clock=clock)
        app = FastAPI()
        app.include_router(api.router)
        port = server.listen("127.0.0.1", 0)
        stack.callback(port.close)
        url = await stack.enter_async_context(server.serving(app, port))
        yield Providers(mailbox=mailbox, texts=texts, environment=_environment(smtp, url))


def _environment(smtp_port: int, sms_url: str) -> Mapping[str, str]:
    return {
        "TOCSIN__EMAIL__HOST": "127.0.0.1",
        "TOCSIN__EMAIL__PORT": str(smtp_port),
        "TOCSIN__EMAIL__TLS": "none",
        "TOCSIN__SMS__ROUTES": "twilio",
        "TOCSIN__TWILIO__ACCOUNT_SID": ACCOUNT_SID,
        "TOCSIN__TWILIO__AUTH_TOKEN": AUTH_TOKEN,
        "TOCSIN__TWILIO__SENDER": "+15005550006",
        "TOCSIN__TWILIO__BASE_URL": sms_url,
    }
