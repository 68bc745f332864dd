"""Bodies: bounded, strictly JSON, and free of text that cannot be kept."""

import contextlib
import json
from collections.abc import AsyncIterator, Callable

import httpx
import msgspec
import pytest
from fastapi import APIRouter, Request
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.support import Serve, slug
from tocsin.web import body
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
    max_leaves=20,
)


def refused(raw: bytes) -> ProblemError:
    with pytest.raises(ProblemError) as caught:
        body.decode(raw)
    return caught.value


@given(JSON)
def test_decodes_what_json_can_say(value: object) -> None:
    raw = json.dumps(value).encode()
    if b"\\u0000" not in raw:
        assert body.decode(raw) == value


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\ud8019eE.-tfn \x00', max_size=40).map(str.encode))
def test_never_fails_but_with_a_problem(raw: bytes) -> None:
    with contextlib.suppress(ProblemError):
        body.decode(raw)


@pytest.mark.parametrize(
    ("raw", "detail"),
    [
        (b"", "expecting value at line 1, column 1"),
        (b'{"a": ', "expecting value at line 1, column 7"),
        (b'{"a": 1,}', "property name enclosed in double quotes at line 1, column 9"),
        (b'{\n  "a": nul\n}', "expecting value at line 2, column 8"),
        (b'{"a":1} x', "extra data at line 1, column 9"),
        (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
        (b'"\x00"', "invalid control character at"),
        (b"[NaN]", "not JSON as RFC 8259 has it"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'"abc', "unterminated string starting at line 1, column 1"),
        (b"[" * 100_000, "deeper than 64"),
        (b"[" * 65 + b"]" * 65, "deeper than 64"),
        (b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64"),
    ],
)
def test_what_is_not_json_is_told_with_its_place(raw: bytes, detail: str) -> None:
    problem = refused(raw)

    assert (problem.status, problem.slug) == (400, "malformed")
    assert detail in problem.detail


def test_sixty_four_levels_are_fine_and_so_is_width() -> None:
    body.decode(b"[" * 64 + b"]" * 64)
    body.decode(b"[" + b"[[]]," * 1000 + b"[]]")


def test_masses_of_containers_are_refused_before_they_are_made() -> None:
    assert refused(b"[" + b"{}," * 500_000 + b"{}]").status == 413


@pytest.mark.parametrize(
    ("raw", "pointers"),
    [
        (rb'{"a": ["x", "\u0000"]}', ["/a/1"]),
        (rb'{"a/b": {"~": "\ud800 x"}}', ["/a~1b/~0"]),
        (rb'{"a": "\udc00\ud800"}', ["/a"]),
        (rb'"\u0000"', [""]),
        (rb'{"a": {"\u0000": 1}}', ["/a"]),
        (rb'{"b": "\uDfFf", "a": "\u0000"}', ["/a", "/b"]),
    ],
)
def test_text_that_cannot_be_kept_is_told_with_pointers(raw: bytes, pointers: list[str]) -> None:
    problem = refused(raw)

    assert problem.status == 422
    assert [fault.pointer for fault in problem.faults] == pointers


def test_what_only_looks_like_it_is_fine() -> None:
    assert body.decode(rb'["\\u0000", "\ud83d\ude00"]') == ["\\u0000", "😀"]


@pytest.mark.parametrize("raw", [b"1e999", b'{"a": [1' + b"0" * 5000 + b"]}"])
def test_numbers_out_of_range_are_well_formed_but_wrong(raw: bytes) -> None:
    assert refused(raw).status == 422


class Order(msgspec.Struct, frozen=True):
    lines: list[dict[str, int]]
    note: str = ""


@pytest.mark.parametrize(
    ("raw", "pointer", "detail"),
    [
        (b'{"lines": [{}], "note": 1}', "/note", "Expected `str`, got `int`"),
        (b'{"lines": [{}, 1]}', "/lines/1", "Expected `object`, got `int`"),
        (b'{"lines": [{"a": "x"}]}', "/lines/0", "Expected `int`, got `str`"),
        (b"{}", "", "Object missing required field `lines`"),
        (b"[]", "", "Expected `object`, got `array`"),
    ],
)
def test_what_does_not_fit_is_told_with_a_pointer(raw: bytes, pointer: str, detail: str) -> None:
    with pytest.raises(ProblemError) as caught:
        body.decode_as(raw, Order)

    assert (caught.value.status, caught.value.faults[0].pointer, caught.value.faults[0].detail) == (
        422,
        pointer,
        detail,
    )


def test_what_fits_is_a_struct() -> None:
    assert body.decode_as(b'{"lines": []}', Order) == Order(lines=[])


def sink(limit: int = 10) -> APIRouter:
    routes = APIRouter()

    @routes.post("/in")
    async def take(request: Request) -> Json:
        return Json({"bytes": len(await body.read(request, limit=limit))})

    return routes


async def pieces(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"12345"


async def test_body_up_to_the_limit_is_read(serve: Serve) -> None:
    async with serve(sink()) as client:
        whole = await client.post("/in", content=b"1234567890")
        streamed = await client.post("/in", content=pieces(2))

    assert whole.json() == streamed.json() == {"bytes": 10}


@pytest.mark.parametrize("content", [lambda: b"12345678901", lambda: pieces(3)], ids=["declared", "streamed"])
async def test_body_beyond_the_limit_is_refused(
    serve: Serve, content: Callable[[], bytes | AsyncIterator[bytes]]
) -> None:
    async with serve(sink()) as client:
        response = await client.post("/in", content=content())

    assert response.status_code == 413
    assert slug(response) == "too-large"
    assert "connection" not in response.headers


async def test_declared_length_is_enough_to_refuse(serve: Serve) -> None:
    async with serve(sink()) as client:
        response = await client.post("/in", content=b"1", headers={"Content-Length": "9" * 30})

    assert response.status_code == 413
    assert response.headers["connection"] == "close"


async def test_what_is_sent_beyond_the_limit_is_read_up_to_a_bound(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.web.body._DRAINED", 10)
    taken: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        while len(taken) < 100:
            taken.append(5)
            yield b"12345"

    async with serve(sink()) as client:
        response = await client.post("/in", content=endless())

    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert len(taken) < 10


async def test_lying_length_does_not_help(serve: Serve) -> None:
    async with serve(sink()) as client:
        response = await client.post("/in", content=pieces(3), headers={"Content-Length": "1"})

    assert response.status_code == 413


async def test_compressed_body_is_refused(serve: Serve) -> None:
    async with serve(sink()) as client:
        response: httpx.Response = await client.post("/in", content=b"1", headers={"Content-Encoding": "gzip"})

    assert response.status_code == 415
    assert slug(response) == "unsupported"
