"""A START that comes again does nothing to a STOP that came after it; one that is new takes it back."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.recording import FULL
from tests.unit.sms.calling import Called, calling, opt_out
from tests.unit.sms.conftest import NUMBER
from tocsin.store.suppressions import Told

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def called(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Called]:
    async with calling(tmp_path, clock) as made:
        yield made


async def held(called: Called) -> str | None:
    return await called.suppressions.reason("default", "sms", NUMBER)


async def stopped(called: Called) -> None:
    called.clock.advance(MINUTE)
    await opt_out(called, "opt_out")
    called.clock.advance(MINUTE)


@pytest.mark.parametrize("before", [True, False])
async def test_twilios_start_is_done_once(called: Called, *, before: bool) -> None:
    if before:
        await stopped(called)
    await called.text("START", sid="SM1")
    await stopped(called)

    assert (await called.text("START", sid="SM1")).status_code == 204
    assert await held(called) == "opt_out"

    await called.text("START", sid="SM2")
    assert await held(called) is None


@pytest.mark.parametrize("before", [True, False])
async def test_twilios_start_is_done_once_across_a_restart(tmp_path: Path, clock: ManualClock, *, before: bool) -> None:
    async with calling(tmp_path, clock) as called:
        if before:
            await stopped(called)
        await called.text("START", sid="SM1")
        assert await held(called) is None
    async with calling(tmp_path, clock) as called:
        await stopped(called)
        assert (await called.text("START", sid="SM1")).status_code == 204
        assert await held(called) == "opt_out"

        await called.text("START", sid="SM2")
        assert await held(called) is None


async def test_a_start_that_could_not_be_written_down_is_done_when_it_comes_again(called: Called) -> None:
    await stopped(called)
    called.recorder.fails = FULL
    assert (await called.text("START")).status_code == 503
    called.recorder.fails = None
    await called.text("START")

    assert await held(called) is None


async def test_vonages_start_lifts_only_what_was_there_when_it_was_written(called: Called, tmp_path: Path) -> None:
    written = called.clock.now().strftime("%Y-%m-%d %H:%M:%S")
    await stopped(called)
    # Another process, or this one after a restart, which remembers nothing.
    async with calling(tmp_path, called.clock, ledger=called.ledger) as other:
        again = await other.vonage_text("START", **{"message-timestamp": written})
        assert (again.status_code, await held(other)) == (204, "opt_out")

        await other.vonage_text("START", messageId="0D2")
        assert await held(other) is None


@pytest.mark.parametrize("timestamp", ["1500000000", "", "soon", "9999999999", "-1", "1" * 40])
async def test_a_start_of_vonage_that_was_not_signed_just_now_is_refused(called: Called, timestamp: str) -> None:
    await stopped(called)
    refused = await called.vonage_text("START", timestamp=timestamp)

    assert (refused.status_code, await held(called)) == (403, "opt_out")


async def test_a_stop_is_taken_however_late_it_comes(called: Called) -> None:
    response = await called.vonage_text("STOP", timestamp="1500000000")

    assert response.status_code == 204
    assert [event.data["address"] for event in called.recorder.events] == [NUMBER]


@pytest.mark.parametrize("before", [True, False])
async def test_a_start_takes_back_a_stop_that_is_still_on_its_way_to_the_list(called: Called, *, before: bool) -> None:
    """A STOP is read out of the audit, which may take a while: the START may be done before it."""
    if before:
        await stopped(called)
        await called.text("START", sid="SM1")
    called.clock.advance(MINUTE)
    written = called.clock.now()
    called.clock.advance(MINUTE)
    await called.text("START", sid="SM2")
    told = Told(tenant="default", channel="sms", address=NUMBER, reason="opt_out", source="twilio", at=written)
    await called.suppressions.add(told)
    assert await held(called) is None

    await stopped(called)
    assert await held(called) == "opt_out"
