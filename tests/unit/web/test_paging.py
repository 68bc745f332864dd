"""Pages: opaque cursors that come back as they were, bounds on the limit, and no way to break a query."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.web.support import Serve, pointers
from tocsin.web import paging
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json


@given(st.datetimes(timezones=st.just(UTC)), st.text())
def test_cursor_comes_back_as_it_was(moment: datetime, identifier: str) -> None:
    assert paging.read(paging.write((moment, identifier)), tuple[datetime, str]) == (moment, identifier)


@given(st.text() | st.binary().map(paging.write))
def test_broken_cursor_is_a_fault_of_the_cursor(cursor: str) -> None:
    with pytest.raises(ProblemError) as caught:
        paging.read(cursor, tuple[datetime, str])

    assert caught.value.status == 422
    assert [fault.pointer for fault in caught.value.faults] == ["/cursor"]


@pytest.mark.parametrize(
    ("found", "items", "more"), [([], [], False), ([1, 2], [1, 2], False), ([1, 2, 3], [1, 2], True)]
)
def test_one_too_many_says_that_there_is_more(found: list[int], items: list[int], *, more: bool) -> None:
    page, cursor = paging.page(found, limit=2, position=lambda item: (item,))

    assert page == items
    assert (cursor is not None) is more
    assert cursor is None or paging.read(cursor, tuple[int]) == (2,)


def routes() -> APIRouter:
    router = APIRouter()

    @router.get("/list")
    async def listed(limit: paging.Limit = paging.DEFAULT_LIMIT, cursor: paging.Cursor = None) -> Json:
        return Json({"limit": limit, "after": paging.read(cursor, tuple[int]) if cursor else None})

    return router


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("limit=0", ["/limit"]),
        ("limit=201", ["/limit"]),
        ("limit=x&cursor=" + "A" * 1025, ["/limit", "/cursor"]),
        ("cursor=nonsense!", ["/cursor"]),
    ],
)
async def test_wrong_query_is_a_problem_with_pointers(serve: Serve, query: str, wrong: Sequence[str]) -> None:
    async with serve(routes()) as client:
        response = await client.get(f"/list?{query}")

    assert response.status_code == 422
    assert pointers(response) == wrong


async def test_defaults_and_cursor_hold(serve: Serve) -> None:
    async with serve(routes()) as client:
        first = await client.get("/list")
        next_one = await client.get("/list", params={"limit": 200, "cursor": paging.write((7,))})

    assert first.json() == {"limit": 50, "after": None}
    assert next_one.json() == {"limit": 200, "after": [7]}
