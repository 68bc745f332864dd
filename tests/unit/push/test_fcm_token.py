"""The access token: asked for once by however many, kept, renewed early, and given up on for a moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from channels.push import fcm_account
from channels.push.fcm_token import Tokens
from tests.support.clock import ManualClock
from tests.support.http_server import Reply
from tests.unit.push.fcm_peer import NOW, Fcm, fcm, granted, service_account, soon
from tocsin.net.client import Client
from tocsin.outcome import Deferred, Misconfigured


@asynccontextmanager
async def tokens(peer: Fcm, clock: ManualClock) -> AsyncIterator[Tokens]:
    client = Client(connections=4, monotonic=clock.monotonic, allow_plain=True)
    account = fcm_account.parse(service_account().document())
    yield Tokens(account, url=f"{peer.server.url}/token", client=client, clock=clock)
    await client.aclose()


async def test_an_assertion_is_traded_for_a_token() -> None:
    clock = ManualClock(NOW)
    async with fcm() as peer, tokens(peer, clock) as held:
        token = await held.get(soon())
        [request] = peer.asked
        form = parse_qs(request.body.decode())

    assert token == "token-1"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert form["assertion"] == [fcm_account.parse(service_account().document()).assertion(NOW)]


async def test_a_hundred_at_once_ask_once() -> None:
    async with fcm() as peer, tokens(peer, ManualClock(NOW)) as held:
        found = await asyncio.gather(*(held.get(soon()) for _ in range(100)))

        assert (set(found), len(peer.asked)) == ({"token-1"}, 1)


async def test_a_token_is_renewed_five_minutes_before_its_end() -> None:
    clock = ManualClock(NOW)
    async with fcm() as peer, tokens(peer, clock) as held:
        peer.tokens = [granted(1, seconds=3600), granted(2)]
        found = [await held.get(soon())]
        for wait in (timedelta(minutes=54), timedelta(minutes=2)):
            clock.advance(wait)
            found.append(await held.get(soon()))

    assert found == ["token-1", "token-1", "token-2"]


async def test_while_a_token_is_renewed_the_others_go_on_with_the_old_one() -> None:
    clock = ManualClock(NOW)
    renewed = asyncio.Event()
    async with fcm() as peer, tokens(peer, clock) as held:
        peer.tokens = [granted(1, seconds=3600), Reply(body=granted(2).body, after=renewed)]
        await held.get(soon())
        clock.advance(timedelta(minutes=56))
        peer.server.arrived.clear()
        renewing = asyncio.create_task(held.get(soon()))
        await peer.server.arrived.wait()
        meanwhile = await held.get(soon())
        renewed.set()

        assert (meanwhile, await renewing, await held.get(soon())) == ("token-1", "token-2", "token-2")


async def test_a_renewal_that_fails_does_no_harm_while_the_token_is_good() -> None:
    clock = ManualClock(NOW)
    async with fcm() as peer, tokens(peer, clock) as held:
        peer.tokens = [granted(1, seconds=3600), Reply(status=503)]
        await held.get(soon())
        clock.advance(timedelta(minutes=56))
        still = [await held.get(soon()), await held.get(soon())]
        asked = len(peer.asked)
        clock.advance(timedelta(minutes=5))

        assert (still, asked) == (["token-1", "token-1"], 2)
        assert isinstance(await held.get(soon()), Deferred)


async def test_a_failure_answers_all_that_wait_and_is_tried_again_after_a_moment() -> None:
    clock = ManualClock(NOW)
    async with fcm() as peer, tokens(peer, clock) as held:
        peer.tokens = [Reply(status=503), granted(1)]
        first = await asyncio.gather(*(held.get(soon()) for _ in range(20)))
        asked = len(peer.asked)
        clock.advance(timedelta(seconds=1))

        assert set(first) == {Deferred(cause="token_refused", code="503")}
        assert asked == 1
        assert await held.get(soon()) == "token-1"


async def test_a_refused_token_is_forgotten_but_not_the_one_that_followed_it() -> None:
    async with fcm() as peer, tokens(peer, ManualClock(NOW)) as held:
        peer.tokens = [granted(1), granted(2), granted(3)]
        await held.get(soon())
        held.refused("token-1")
        second = await held.get(soon())
        held.refused("token-1")

        assert (second, await held.get(soon()), len(peer.asked)) == ("token-2", "token-2", 2)


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (
            Reply(status=400, body=b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}'),
            Misconfigured(
                detail="the service account is refused",
                code="400 invalid_grant",
                message="the service account is refused: Invalid JWT Signature.",
            ),
        ),
        (Reply(status=429), Deferred(cause="token_refused", code="429")),
        (Reply(body=b"<html>"), Deferred(cause="token_refused", code="200")),
        (Reply(body=b'{"access_token": ' + b"[" * 100_000), Deferred(cause="token_refused", code="200")),
        (Reply(body=b'{"x": ' + b"[" * 100_000), Deferred(cause="token_refused", code="200")),
        (Reply(body=b'{"access_token": 1}'), Deferred(cause="token_refused", code="200")),
        (
            Reply(fault="close_before_answer"),
            Deferred(cause="token_unanswered", message="the token endpoint did not answer"),
        ),
    ],
)
async def test_why_there_is_no_token(reply: Reply, outcome: object) -> None:
    async with fcm() as peer, tokens(peer, ManualClock(NOW)) as held:
        peer.tokens = [reply]

        assert await held.get(soon()) == outcome


async def test_who_gives_up_waiting_does_not_take_the_token_from_the_others() -> None:
    answered = asyncio.Event()
    async with fcm() as peer, tokens(peer, ManualClock(NOW)) as held:
        peer.tokens = [Reply(body=granted(1).body, after=answered), granted(2)]
        asking = asyncio.create_task(held.get(soon()))
        waiting = asyncio.create_task(held.get(soon()))
        await peer.server.arrived.wait()
        late = await held.get(soon(0.01))
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        answered.set()

        assert late == Deferred(cause="deadline", message="no access token could be had in time")
        assert await waiting == "token-2"
