"""Frames are cut out of bytes that come in any pieces, and made as hyperframe has them."""

import pytest
from hyperframe.frame import GoAwayFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from channels.push import h2_frames
from channels.push.h2_frames import LARGEST, MOST_PAYLOAD, ErrorCode, Fault, Frame, FrameReader, Setting, frame

frames = st.builds(
    Frame, st.integers(0, 255), st.integers(0, 255), st.integers(0, LARGEST), st.binary(max_size=MOST_PAYLOAD)
)


@given(st.lists(frames, max_size=6), st.lists(st.integers(1, 9000), min_size=1))
def test_what_was_put_together_comes_apart_again(made: list[Frame], sizes: list[int]) -> None:
    data = b"".join(frame(*each) for each in made)
    reader, found, turn = FrameReader(), list[Frame](), 0
    while data:
        size = sizes[turn % len(sizes)]
        found += reader.read(data[:size])
        data, turn = data[size:], turn + 1

    assert found == made


def test_a_frame_that_is_too_large_is_a_fault_after_those_before_it() -> None:
    read = FrameReader().read(frame(6, 0, 0, b"12345678") + frame(0, 0, 1, b"x" * (MOST_PAYLOAD + 1)))

    assert next(read).payload == b"12345678"
    with pytest.raises(Fault) as caught:
        next(read)
    assert caught.value.code == ErrorCode.FRAME_SIZE_ERROR


def test_frames_are_made_as_hyperframe_makes_them() -> None:
    told = {Setting.ENABLE_PUSH: 0, Setting.MAX_HEADER_LIST_SIZE: 65_536}

    assert h2_frames.settings(told) == SettingsFrame(0, settings={2: 0, 6: 65_536}).serialize()
    assert h2_frames.reset(5, ErrorCode.CANCEL) == RstStreamFrame(5, error_code=8).serialize()
    assert h2_frames.window_update(3, 70_000) == WindowUpdateFrame(3, window_increment=70_000).serialize()
    assert h2_frames.go_away(ErrorCode.NO_ERROR) == GoAwayFrame(0, last_stream_id=0, error_code=0).serialize()
    assert frame(h2_frames.Kind.PING, 0, 0, b"12345678") == PingFrame(0, opaque_data=b"12345678").serialize()
