"""Scenario 21: a full disk refuses, and neither lies nor loses; with room again, everything goes on by itself."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.chaos.full_disk import fill, free, mounted
from tests.chaos.power_load import Load, opened
from tests.chaos.power_promises import Cut, Promises, breaches
from tests.support.clock import ManualClock
from tests.support.gateways import Gateway, running
from tests.support.logs import drain, embedded_config, reading
from tests.support.waiting import until
from tocsin.errors import LogFull
from tocsin.eventlog.embedded.log import open_log
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.port import Settlement, Submission
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Record
from tocsin.topics import TopicSpec

_SOON = 45.0  # seconds: "by itself, within seconds", on a machine that has other work


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 MiB, or as many as the test asks for."""
    with mounted(tmp_path / "disk", mib=getattr(request, "param", 32)) as place:
        yield place


def notification(name: str, **changes: Any) -> dict[str, Any]:
    """Return a notification to `name@example.test`."""
    content = {"email": {"subject": name, "text": "It arrives tomorrow."}}
    return {"recipient": {"email": f"{name}@example.test"}, "channels": ["email"], "content": content, **changes}


async def post(gateway: Gateway, name: str) -> httpx.Response:
    """Submit under a key, so that it can be repeated."""
    headers = {"Idempotency-Key": name}
    return await gateway.client.post("/v1/notifications", json=notification(name), headers=headers)


async def post_until_refused(gateway: Gateway, client: str) -> tuple[dict[str, str], httpx.Response, str]:
    """Submit one after the other; return the ids of what was accepted by name, the refusal, and what was refused."""
    accepted: dict[str, str] = {}
    for number in range(2000):
        name = f"{client}-{number}"
        response = await post(gateway, name)
        if response.status_code != 202:
            return accepted, response, name
        accepted[name] = response.json()["id"]
    raise AssertionError("the disk was not full")


async def ready(gateway: Gateway) -> dict[str, Any]:
    """Wait until the gateway is ready again; return what it said last."""

    async def look() -> dict[str, Any]:
        while True:
            response = await gateway.client.get("/readyz")
            if response.status_code == 200:
                found: dict[str, Any] = response.json()
                return found

    return await asyncio.wait_for(look(), timeout=_SOON)


async def unready(gateway: Gateway, check: str) -> str:
    """Wait until a readiness check fails; return why."""

    async def look() -> str:
        while True:
            response = await gateway.client.get("/readyz")
            found = response.json()["checks"][check]
            if not found["ok"]:
                assert response.status_code == 503
                assert check in response.json()["detail"]
                return str(found["detail"])

    return await asyncio.wait_for(look(), timeout=_SOON)


async def delivered(gateway: Gateway, identities: set[str]) -> None:
    """Wait until the audit tells that all of these were delivered."""

    async def look() -> set[str]:
        found: set[str] = set()
        cursor: dict[str, str] = {}
        while True:
            parameters = {"state": "delivered", "limit": "200", **cursor}
            page = (await gateway.client.get("/v1/notifications", params=parameters)).json()
            found |= {each["id"] for each in page["notifications"]}
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}

    async with asyncio.timeout(_SOON * 2):
        while identities - await look():
            pass


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


def assert_refused(response: httpx.Response) -> None:
    """Check that it is the answer that lets a client repeat."""
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["type"] == "urn:tocsin:problem:unavailable"


async def test_a_full_disk_refuses_and_goes_on_by_itself(disk: Path) -> None:
    async with running(disk / "data") as gateway:
        before = await gateway.submit(notification("before"))
        await gateway.ended(before["id"])
        in_flight = {f"slow+{n}": (await gateway.submit(notification(f"slow+{n}")))["id"] for n in range(5)}
        slow = next(rule for rule in gateway.faults if rule.fault.meets("slow+0@example.test"))
        await until(lambda: slow.applied == len(in_flight), what="the slow mails to be on their way")

        posting = [asyncio.create_task(post_until_refused(gateway, f"client{n}")) for n in range(4)]
        await asyncio.to_thread(fill, disk)
        outcomes = await asyncio.gather(*posting)
        why = await unready(gateway, "event_log")
        told = await gateway.client.get(f"/v1/notifications/{before['id']}")
        await until(lambda: gateway.mailbox.total >= 1 + len(in_flight), what="the slow mails to be taken")

        assert "full" in why
        assert (told.status_code, told.json()["state"]) == (200, "delivered")
        for _, refusal, _ in outcomes:
            assert_refused(refusal)
        assert gateway.mailbox.total <= 1 + len(in_flight) + sum(len(accepted) for accepted, _, _ in outcomes)

        free(disk)
        await ready(gateway)
        accepted = in_flight | {name: found for accepted, _, _ in outcomes for name, found in accepted.items()}
        for _, _, name in outcomes:
            repeated = await post(gateway, name)
            assert repeated.status_code == 202
            accepted[name] = repeated.json()["id"]
        for identity in accepted.values():
            assert (await gateway.ended(identity))["state"] == "delivered"
        assert {gateway.mailbox.by_recipient[f"{name}@example.test"] for name in accepted} == {1}


async def test_a_gateway_starts_on_a_full_disk_and_reads(disk: Path) -> None:
    async with running(disk / "data") as gateway:
        before = await gateway.submit(notification("before"))
        await gateway.ended(before["id"])
    fill(disk)
    async with running(disk / "data") as gateway:
        told = await gateway.client.get(f"/v1/notifications/{before['id']}")
        accepted, refusal, _ = await post_until_refused(gateway, "client")
        await unready(gateway, "event_log")

        assert (told.status_code, told.json()["state"]) == (200, "delivered")
        assert_refused(refusal)

        free(disk)
        await ready(gateway)
        after = await gateway.submit(notification("after"))
        for identity in (*accepted.values(), after["id"]):
            assert (await gateway.ended(identity))["state"] == "delivered"


@asynccontextmanager
async def with_store_on(disk: Path, directory: Path, **log: int) -> AsyncIterator[Gateway]:
    """Run a gateway that has its store on the small disk, and its log, with these settings, elsewhere."""
    store = {"url": f"sqlite:///{disk / 'store.db'}"}
    async with running(directory, store=store, eventlog=dict(log)) as gateway:
        yield gateway


async def test_a_full_store_holds_nothing_up_and_catches_up(disk: Path, tmp_path: Path) -> None:
    async with with_store_on(disk, tmp_path / "data") as gateway:
        before = await gateway.submit(notification("before"))
        await gateway.ended(before["id"])
        fill(disk)
        accepted = {f"during-{n}": (await gateway.submit(notification(f"during-{n}")))["id"] for n in range(50)}
        await until(lambda: gateway.mailbox.total == 1 + len(accepted), what="all to be sent, whatever the store does")
        why = await unready(gateway, "audit")
        told = await gateway.client.get(f"/v1/notifications/{before['id']}")
        more = await post(gateway, "more")

        assert "full" in why
        assert told.json()["state"] == "delivered"
        assert more.status_code == 202

        free(disk)
        await ready(gateway)
        for identity in (*accepted.values(), more.json()["id"]):
            assert (await gateway.ended(identity))["state"] == "delivered"
        assert gateway.mailbox.total == 2 + len(accepted)


@pytest.mark.parametrize("disk", [192], indirect=True)
async def test_the_size_cap_refuses_what_is_new_and_lets_the_rest_end(disk: Path, tmp_path: Path) -> None:
    """The full store keeps the audit from reading, and so the log from forgetting, until the log is at its cap."""
    metadata = {f"key{n}": "x" * 500 for n in range(32)}
    async with with_store_on(disk, tmp_path / "data", max_bytes=16 << 20) as gateway:
        fill(disk)
        accepted: list[str] = []
        while True:
            names = [f"n{len(accepted) + n}" for n in range(50)]
            batch = {"notifications": [notification(name, metadata=metadata) for name in names]}
            response = await gateway.client.post("/v1/notifications/batch", json=batch)
            if response.status_code != 202:
                break
            accepted.extend(result["id"] for result in response.json()["results"])
        why = await unready(gateway, "event_log")
        await until(lambda: gateway.mailbox.total == len(accepted), what="what was accepted to be sent")

        assert_refused(response)
        assert "size cap" in why

        free(disk)
        await ready(gateway)
        after = await gateway.submit(notification("after"))
        await delivered(gateway, {*accepted, after["id"]})
        assert gateway.mailbox.total == len(accepted) + 1


async def test_a_group_that_never_commits_closes_intake_at_the_cap_until_it_does(tmp_path: Path) -> None:
    """Deleting what it has yet to read would be quick, and silent."""
    clock, place = ManualClock(), Partition("work", 0)
    settings = embedded_config(tmp_path, partitions=1, max_bytes=1 << 20)
    async with open_log(settings, clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics([TopicSpec(name="work", kind="delivery")])
        ledger = EmbeddedLedger(log, clock=clock, lease=timedelta(seconds=90))
        await ledger.open()
        async with reading(log, "work", group="slow") as slow, reading(log, "work", group="fast") as fast:
            accepted = 0
            with pytest.raises(LogFull, match="size cap"):
                while True:
                    records = (Record(topic="work", key=None, value=b"%d" % accepted + bytes(20_000)),)
                    await ledger.submit([Submission(records=records, answer=b"")])
                    accepted += 1
                    clock.advance(timedelta(seconds=1))
            received = await drain(fast, accepted)
            await fast.commit({place: accepted})
            for each in received:  # what was accepted still moves, and ends
                ended = Settlement(source=each.source, life=(str(each.offset), 0), terminal=State.DELIVERED, records=())
                assert await ledger.settle(ended)
            for _ in range(90):  # the log has had time to sweep more than once
                clock.advance(timedelta(seconds=1))
                await log.run(lambda _: None)

            assert not log.health().accepting
            assert [each.offset for each in await drain(slow, accepted)] == list(range(accepted))

            await slow.commit({place: accepted})
            await until(lambda: log.health().accepting or ticks(clock), what="intake to open")
            await ledger.submit([Submission(records=records, answer=b"")])


async def test_a_disk_that_is_full_again_and_again_loses_nothing_that_was_promised(disk: Path) -> None:
    """The load of the power cuts, on the log alone: what was promised is there, what failed is not there by half."""
    clock, promised, random = ManualClock(), Promises(), Random(1)
    async with opened(disk / "data", clock) as (log, ledger):
        working = asyncio.create_task(Load(log, ledger, clock, promised).run(batches=400, random=random))
        refused = 0
        while not working.done():
            await asyncio.to_thread(fill, disk)
            await until(lambda: working.done() or not log.health().writable, what="the log to notice")
            refused += not log.health().writable
            free(disk)
            done = len(promised.closed)
            await until(lambda: working.done() or len(promised.closed) > done + 20, what="work to go on")  # noqa: B023
        await working
    files = (disk / "data").glob("log.db*")
    cut = Cut(image={path.name: path.read_bytes() for path in files}, promised=promised)

    assert refused > 2
    assert breaches(cut, disk / "data") == []
