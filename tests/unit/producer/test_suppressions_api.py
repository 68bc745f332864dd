"""The suppressions API: who may, what is listed, added and lifted, and what the audit is told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from producer.suppressions_api import SuppressionsApi
from tests.support.clock import ManualClock
from tests.support.recording import FULL, Recorder
from tests.unit.web.support import Keys, pointers, slug
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.runtime import discover
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressions import Suppressions
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

PATH = "/v1/suppressions"
ADA = {"channel": "email", "address": "ada@example.test"}


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        await upgrade(opened)
        yield opened


@pytest.fixture
async def client(store: Store, log: Recorder, keys: Keys, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of an operator of the tenant `default`, whose name is `test`."""
    channels = {"email": discover.channels()["email"]}
    api = SuppressionsApi(store=store, channels=channels, publisher=log, clock=clock)
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[api.router],
        metrics=Metrics(version="1"),
        authenticator=Authenticator(keys, monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    headers = {"Authorization": f"Bearer {keys.add('operate')}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://tocsin", headers=headers) as opened:
        yield opened


async def added(client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    response = await client.post(PATH, json={**ADA, **wanted})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def items(client: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    response = await client.get(PATH, params=wanted)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


async def test_an_address_is_added_in_its_normal_form_and_listed(client: httpx.AsyncClient) -> None:
    made = await added(client, address="ada@EXAMPLE.test")

    assert made == {
        "id": made["id"],
        **ADA,
        "category": None,
        "reason": "manual",
        "source": "test",
        "added_at": "2030-01-01T00:00:00.000Z",
        "expires_at": None,
        "lifted_at": None,
    }
    assert await items(client) == [made]


async def test_a_category_is_added_listed_and_lifted_on_its_own(client: httpx.AsyncClient, log: Recorder) -> None:
    whole = await added(client)
    offers = await added(client, category="offers", reason="unsubscribe")
    assert (offers["category"], offers["reason"]) == ("offers", "unsubscribe")
    assert offers["id"] != whole["id"]
    assert {each["id"] for each in await items(client, address=ADA["address"])} == {whole["id"], offers["id"]}
    assert await items(client, category="offers") == [offers]

    lifted = await client.delete(PATH, params={**ADA, "category": "offers"})

    assert (lifted.status_code, lifted.json()["id"]) == (200, offers["id"])
    assert await items(client) == [whole]
    assert [event.data.get("category") for event in log.events] == [None, "offers", "offers"]
    assert (await client.delete(PATH, params={**ADA, "category": "news"})).status_code == 404


@pytest.mark.parametrize("category", ["", "x" * 65, 1])
async def test_a_category_that_is_none_is_refused(client: httpx.AsyncClient, category: object) -> None:
    response = await client.post(PATH, json={**ADA, "category": category})

    assert (response.status_code, pointers(response)) == (422, ["/category"])


async def test_adding_is_an_event_with_the_name_of_the_key(client: httpx.AsyncClient, log: Recorder) -> None:
    await added(client, reason="opt_out", expires_at="2031-01-01T00:00:00+01:00")
    [event] = log.events

    assert (event.type, event.tenant) == (Event.SUPPRESSION_ADDED, "default")
    assert event.data == {**ADA, "reason": "opt_out", "source": "test", "expires_at": "2030-12-31T23:00:00.000Z"}


async def test_adding_again_is_no_error_and_the_same_event(
    client: httpx.AsyncClient, log: Recorder, clock: ManualClock
) -> None:
    first = await added(client)
    clock.advance(timedelta(seconds=5))
    again = await client.post(PATH, json={**ADA, "reason": "complaint"})

    assert (again.status_code, again.json()) == (200, first)
    assert len({event.id for event in log.events}) == 1


async def test_lifting_by_id_and_by_address(client: httpx.AsyncClient, log: Recorder, clock: ManualClock) -> None:
    first = await added(client)
    by_id = await client.delete(f"{PATH}/{first['id']}")
    clock.advance(timedelta(seconds=5))
    await added(client)
    by_address = await client.delete(PATH, params={**ADA, "address": "Ada@example.TEST"})

    assert (by_id.status_code, by_address.status_code) == (200, 200)
    assert by_id.json() == {**first, "lifted_at": "2030-01-01T00:00:00.000Z"}
    assert by_address.json()["lifted_at"] == "2030-01-01T00:00:05.000Z"
    assert await items(client) == []
    assert [event.type for event in log.events] == [Event.SUPPRESSION_ADDED, Event.SUPPRESSION_LIFTED] * 2
    assert len({event.id for event in log.events}) == 4
    assert log.events[1].data == {**ADA, "source": "test"}


async def test_what_the_log_did_not_take_is_told_by_the_repeat(client: httpx.AsyncClient, log: Recorder) -> None:
    log.fails = FULL
    refused = await client.post(PATH, json=ADA)
    log.fails = None
    repeated = await client.post(PATH, json=ADA)
    log.fails = FULL
    not_lifted = await client.delete(PATH, params=ADA)
    log.fails = None
    lifted = await client.delete(PATH, params=ADA)

    assert [each.status_code for each in (refused, repeated, not_lifted, lifted)] == [503, 200, 503, 200]
    assert [event.type for event in log.events] == [Event.SUPPRESSION_ADDED, Event.SUPPRESSION_LIFTED]


@pytest.mark.parametrize("path", [f"{PATH}/sup_00000000006pp1rh1n2e3act78", f"{PATH}/x", f"{PATH}/{'x' * 500}"])
async def test_what_is_not_there_cannot_be_lifted(client: httpx.AsyncClient, path: str) -> None:
    assert slug(await client.delete(path)) == "not-found"
    assert slug(await client.delete(PATH, params=ADA)) == "not-found"


async def test_a_list_is_narrowed_and_read_in_pages(client: httpx.AsyncClient, clock: ManualClock) -> None:
    for number in range(5):
        await added(client, address=f"a{number}@example.test", reason="opt_out" if number % 2 else "manual")
        clock.advance(timedelta(seconds=1))
    first = (await client.get(PATH, params={"limit": 3})).json()
    second = (await client.get(PATH, params={"limit": 3, "cursor": first["next_cursor"]})).json()

    assert [each["address"][1] for each in [*first["items"], *second["items"]]] == ["4", "3", "2", "1", "0"]
    assert second["next_cursor"] is None
    assert len(await items(client, reason="opt_out")) == 2
    assert [each["address"] for each in await items(client, address="A3@example.test")] == ["a3@example.test"]
    assert await items(client, channel="sms", address="a3@example.test") == []
    assert await items(client, address="no address at all") == []


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"address": "ada@example.test"}, "/channel"),
        ({"channel": "pigeon", "address": "x"}, "/channel"),
        ({"channel": "email"}, "/address"),
        ({"channel": "email", "address": "ada"}, "/address"),
        ({"channel": "email", "address": ""}, "/address"),
        ({**ADA, "reason": "dislike"}, "/reason"),
        ({**ADA, "expires_at": "tomorrow"}, "/expires_at"),
        ({**ADA, "expires_at": "2029-12-31T23:59:59Z"}, "/expires_at"),
        ({**ADA, "source": "me"}, "/source"),
        ([], ""),
    ],
)
async def test_what_is_wrong_has_its_place(client: httpx.AsyncClient, wanted: Any, pointer: str) -> None:
    response = await client.post(PATH, json=wanted)

    assert slug(response) == "invalid"
    assert pointers(response) == [pointer]


@pytest.mark.parametrize(
    ("query", "pointer"),
    [("adress=x", "/adress"), ("reason=dislike", "/reason"), ("limit=0", "/limit"), ("cursor=x", "/cursor")],
)
async def test_a_query_that_is_not_understood_is_refused(client: httpx.AsyncClient, query: str, pointer: str) -> None:
    response = await client.get(f"{PATH}?{query}")

    assert slug(response) == "invalid"
    assert pointers(response) == [pointer]


async def test_it_needs_the_scope_operate(client: httpx.AsyncClient, keys: Keys) -> None:
    reader = {"Authorization": f"Bearer {keys.add('submit', 'read')}"}
    for method, path in (("GET", PATH), ("POST", PATH), ("DELETE", PATH), ("DELETE", f"{PATH}/sup_1")):
        assert slug(await client.request(method, path, headers=reader, params=ADA)) == "forbidden"


async def test_a_tenant_has_its_own(client: httpx.AsyncClient, keys: Keys, store: Store, clock: ManualClock) -> None:
    other = {"Authorization": f"Bearer {keys.add('operate', tenant='other')}"}
    made = await added(client)

    assert (await client.get(PATH, headers=other)).json()["items"] == []
    assert (await client.delete(f"{PATH}/{made['id']}", headers=other)).status_code == 404
    assert (await client.post(PATH, headers=other, json=ADA)).json()["id"] != made["id"]
    assert await Suppressions(store=store, clock=clock).reason("default", **ADA) == "manual"


async def test_an_expiry_at_the_end_of_time_can_be_listed(client: httpx.AsyncClient) -> None:
    made = await added(client, expires_at="9999-12-31T23:59:59.999999Z")

    assert await items(client) == [made]


async def test_the_documentation_has_the_routes(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    assert paths[PATH].keys() == {"get", "post", "delete"}
    assert paths[PATH]["post"]["requestBody"]["content"]["application/json"]["example"]["channel"] == "email"
    assert "example" in paths[f"{PATH}/{{suppression_id}}"]["delete"]["responses"]["200"]["content"]["application/json"]
