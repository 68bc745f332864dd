"""Answers are the same wherever the network splits their bytes."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.net.http import Answer
from tocsin.net.reading import AnswerReader

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
_ANSWERS = [
    _OK + b"Content-Length: 11\r\nX-A: 1\r\nx-a:\t2 \r\n\r\nhello world",
    _OK + _CHUNKED + b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + _OK + b"Content-Length: 2\r\n\r\nhi",
    b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    b"HTTP/1.1 429 \r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
]
_BAD = [
    _OK + b"Content-Length: x\r\n\r\n",
    _OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    _OK + _CHUNKED + b"zz\r\n",
    _OK + b"X : y\r\n\r\n",
    _OK + b"X: a\x00b\r\n\r\n",
    _OK + b"X: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    b"\x16\x03\x01\x02",
]


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    borders = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(borders)]


def reader(*, to_head: bool = False, max_body: int = 1000) -> AnswerReader:
    made = AnswerReader(max_body=max_body)
    made.expect(to_head=to_head)
    return made


def is_whole(reading: AnswerReader) -> bool:
    return reading.answer is not None


_CUTS = st.lists(st.integers(0, 10_000), max_size=40)


@given(st.lists(st.sampled_from(_ANSWERS), min_size=1, max_size=4), _CUTS)
def test_answers_on_one_connection_do_not_depend_on_the_cuts(answers: list[bytes], cuts: list[int]) -> None:
    split = reader()
    for raw in answers:
        whole = reader()
        whole.feed(raw)
        split.expect(to_head=False)
        for piece in pieces(raw, cuts):
            assert not is_whole(split)
            split.feed(piece)
        assert split.answer == whole.answer
        assert split.answer is not None
        assert split.reusable
        assert not split.failed


@given(st.sampled_from(_BAD), _CUTS)
def test_what_is_no_answer_is_none_wherever_it_is_cut(raw: bytes, cuts: list[int]) -> None:
    split = reader()
    for piece in pieces(raw, cuts):
        if not split.failed:
            split.feed(piece)
    assert split.failed
    assert split.answer is None
    assert not split.reusable


@given(st.binary(max_size=300), _CUTS, st.booleans())
def test_any_bytes_give_an_answer_or_a_failure_and_no_error(data: bytes, cuts: list[int], after_a_status: bool) -> None:
    split = reader()
    for piece in pieces((_OK if after_a_status else b"") + data, cuts):
        if not split.failed and split.answer is None:
            split.feed(piece)
    split.finish()
    assert (split.answer is None) is split.failed
    assert not split.reusable


@given(st.binary(max_size=200), _CUTS)
def test_a_body_may_end_with_the_connection(body: bytes, cuts: list[int]) -> None:
    split = reader()
    for piece in pieces(_OK + b"\r\n" + body, cuts):
        split.feed(piece)
        assert not is_whole(split)
    split.finish()
    assert split.answer == Answer(status=200, headers={}, body=body)
    assert not split.reusable


@pytest.mark.parametrize("size", [1000, 1001])
def test_the_bound_of_a_body_is_exact(size: int) -> None:
    for framing in (b"Content-Length: %d\r\n\r\n" % size + b"x" * size,
                    _CHUNKED + b"1\r\nx\r\n" * size + b"0\r\n\r\n"):  # fmt: skip
        bounded = reader(max_body=1000)
        bounded.feed(_OK + framing)
        assert (bounded.answer is not None) is (size == 1000)
        assert bounded.failed is (size == 1001)


def test_the_phase_is_what_is_missing() -> None:
    halting = reader()
    phases: list[str] = [halting.phase]
    for piece in (b"HTTP/1.1 100 Continue\r\n\r\n" + _OK + b"Content-Length: 2\r\n", b"\r\n"):
        halting.feed(piece)
        phases.append(halting.phase)
    assert phases == ["headers", "headers", "body"]


@pytest.mark.parametrize("tail", [b"Content-Length: 9\r\n\r\n", _CHUNKED, b"\r\n"])
def test_the_answer_to_head_ends_with_its_headers(tail: bytes) -> None:
    split = reader(to_head=True)
    split.feed(_OK + tail)
    assert split.answer is not None
    assert split.answer.body == b""
    assert not split.reusable
