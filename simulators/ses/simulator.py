"""The entry point: SES's API, served beside its control on the port of all controls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends

from simulators.mail import control, telling
from simulators.mail.faults import Faults
from simulators.mail.telling import Teller
from simulators.ses import api, builtin, events
from simulators.ses import topic as topics
from simulators.ses.signing import Account
from simulators.ses.topic import Place, Topic
from simulators.sms.callbacks import calling
from simulators.smtp.mailbox import Mailbox
from tocsin.clock import Clock
from tocsin.runtime.service import LOOPBACK, Simulator
from tocsin.runtime.simulating import PORT

NAME = "ses"
SNS_URL = f"http://{LOOPBACK}:{PORT}/{NAME}/sns"
# Where the gateway of a demo is told.
ENDPOINT = f"http://{LOOPBACK}:8080/v1/callbacks/{NAME}"
ACCOUNT = Account("eu-central-1", "AKIASIMULATED", "simulated-secret-access-key")


@asynccontextmanager
async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - it has no port of its own
    mailbox, faults, at = Mailbox(now=clock.now), Faults(builtin.faults()), Place(SNS_URL + "/")
    topic = Topic(clock, base=lambda: at.url)
    async with calling(clock) as caller:
        teller = Teller(caller, url=ENDPOINT, made=lambda kind, sent: topic.notification(events.event(kind, sent)))
        routes = APIRouter(dependencies=[Depends(at.learn)])
        routes.include_router(api.router(account=ACCOUNT, mailbox=mailbox, faults=faults, teller=teller, clock=clock))
        routes.include_router(topics.router(topic, teller))
        routes.include_router(telling.router(teller))
        routes.include_router(control.router(name=NAME, mailbox=mailbox, faults=faults))
        yield routes


# The demo's mail goes by SMTP; these are ready for who sets `email.routes`.
simulator = Simulator(
    name=NAME,
    overrides={
        NAME: {
            "region": ACCOUNT.region,
            "access_key_id": ACCOUNT.access_key_id,
            "secret_access_key": ACCOUNT.secret_access_key,
            # What a settings file may have instead, or besides.
            "access_key_id_file": None,
            "secret_access_key_file": None,
            "session_token": None,
            "session_token_file": None,
            "base_url": f"http://{LOOPBACK}:{PORT}/{NAME}",
            "sns_topic": topics.TOPIC,
            "sns_url": SNS_URL,
        }
    },
    open=_open,
    shows="mails",
)
