"""Bodies that wait for a window when their stream is reset: the others go on as if nothing were."""

import asyncio

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from tests.support.waiting import until
from tests.unit.push.h2_clients import pool, post
from tests.unit.push.scripted_h2 import serving
from tocsin.net.http import Answer, Unanswered


@pytest.mark.parametrize("opened", ["window", "settings"])
async def test_a_stream_that_is_reset_with_the_opening_of_the_window_ends_alone(opened: str) -> None:
    closed = {SettingCodes.INITIAL_WINDOW_SIZE: 0}
    async with serving(settings=closed) as server, pool(server.port) as client:
        calls = [asyncio.create_task(post(client, server.port, name=str(number))) for number in range(3)]
        await until(lambda: server.peers and server.peers[0].h2.open_inbound_streams == 3, what="three header sections")
        peer = server.peers[0]
        # In one piece: the window first, then the reset of a stream whose body still waits for it.
        if opened == "window":
            for stream in (1, 3, 5):
                peer.h2.increment_flow_control_window(100, stream)
        else:
            peer.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
        peer.h2.reset_stream(3, ErrorCodes.CANCEL)
        peer.flush()
        ends = await asyncio.gather(*calls, return_exceptions=True)

    assert sorted(type(end).__name__ for end in ends) == [Answer.__name__, Answer.__name__, Unanswered.__name__]
    assert len(server.peers) == 1
    assert [heard.stream for heard in server.heard] == [1, 5]
