"""The entry point: FCM and Google's token endpoint below the simulators' own port, and the settings that use them.

The service account has to be known to the gateway and to the simulator, and none shall lie about: the settings of the
demo hold the one that the simulator has made, in memory. A gateway in another process takes it from the control.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Any

from fastapi import APIRouter

from simulators.fcm import account, builtin, control, google
from simulators.fcm.account import Account
from simulators.fcm.faults import Faults
from simulators.fcm.inbox import Inbox
from simulators.fcm.tokens import Tokens
from tocsin.clock import Clock
from tocsin.runtime import simulating
from tocsin.runtime.service import LOOPBACK, Simulator

NAME = "fcm"
URL = f"http://{LOOPBACK}:{simulating.PORT}/{NAME}"


class Demo(Mapping[str, Mapping[str, Any]]):
    """The settings of a demo by section. The account is made when it is first asked for: an import makes none."""

    @cached_property
    def account(self) -> Account:
        """The service account of this process."""
        return account.generate()

    def __getitem__(self, section: str) -> Mapping[str, Any]:
        if section != NAME:
            raise KeyError(section)
        return {
            "base_url": URL,
            "token_url": f"{URL}/token",
            "credentials": self.account.document(),
            # What a settings file may have instead.
            "credentials_file": None,
            "project_id": None,
        }

    def __iter__(self) -> Iterator[str]:
        return iter((NAME,))

    def __len__(self) -> int:
        return 1


def routes(
    account: Account, *, inbox: Inbox, faults: Faults, clock: Clock, randbytes: Callable[[int], bytes]
) -> APIRouter:
    """Return all routes of one simulator: Google's and the control's. They can be mounted anywhere."""
    tokens = Tokens(account, clock=clock, randbytes=randbytes)
    both = APIRouter()
    both.include_router(google.router(project=account.project, tokens=tokens, inbox=inbox, faults=faults, clock=clock))
    both.include_router(control.router(account=account, tokens=tokens, inbox=inbox, faults=faults))
    return both


def _simulator() -> Simulator:
    demo = Demo()

    @asynccontextmanager
    async def _open(clock: Clock, *, host: str = LOOPBACK) -> AsyncIterator[APIRouter]:  # noqa: ARG001 - no port of its own
        inbox, faults = Inbox(now=clock.now), Faults(builtin.faults())
        yield routes(demo.account, inbox=inbox, faults=faults, clock=clock, randbytes=secrets.token_bytes)

    return Simulator(name=NAME, overrides=demo, open=_open, shows="pushes")


simulator = _simulator()
