"""The routes: who may, what they show, and how they say no."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from dlq.api import Api
from dlq.decisions import Decisions
from dlq.items import State
from tests.support.clock import ManualClock
from tests.unit.dlq import support
from tests.unit.dlq.support import Log
from tests.unit.web.support import Keys, pointers, slug
from tocsin import delivery, envelope, topics
from tocsin.errors import LogFull, LogUnavailable
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.record import Headers
from tocsin.store.engine import Store
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

BODY = support.a_delivery()
LETTER = support.a_death(BODY)
ID = support.letter_id(LETTER)
RIDDLE = support.a_riddle()
RIDDLE_ID = support.letter_id(RIDDLE)


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
async def client(
    store: Store, decisions: Decisions, log: Log, clock: ManualClock, keys: Keys
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with the key of an operator of the tenant `default`, whose id is key_0."""
    numbers = iter(range(1_000_000))
    api = Api(
        store=store,
        decisions=decisions,
        publisher=log,
        clock=clock,
        randbytes=lambda size: next(numbers).to_bytes(size, "big"),
    )
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


def other(keys: Keys, *scopes: Any, tenant: str = "default") -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.add(*scopes, tenant=tenant)}"}


async def test_a_list_has_everything_but_the_payload(client: httpx.AsyncClient, store: Store) -> None:
    await support.keep(store, LETTER, RIDDLE)
    answer = await client.get("/v1/dlq", params={"reason": "rejected"})
    assert answer.status_code == 200
    assert answer.json() == {
        "items": [
            {
                "id": ID,
                "state": "open",
                "channel": "email",
                "reason": "rejected",
                "code": "550 5.1.1",
                "message": "no such box",
                "provider": "smtp-a",
                "attempts": 2,
                "died_at": "2026-03-01T12:00:00.000Z",
                "notification_id": BODY.notification_id,
                "delivery_id": BODY.id,
                "life": 0,
                "lane": "high",
                "category": "orders",
                "template": "order-confirmation",
                "replayable": True,
                "replay_life": None,
                "replay_state": None,
                "replayed_at": None,
                "replayed_by": None,
                "discarded_at": None,
                "discarded_by": None,
            }
        ],
        "next_cursor": None,
    }


async def test_pages_are_followed_by_their_cursors(client: httpx.AsyncClient, store: Store) -> None:
    letters = [support.a_death(support.a_delivery(number=number)) for number in range(5)]
    await support.keep(store, *letters)
    seen: list[str] = []
    params: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get("/v1/dlq", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == sorted(map(support.letter_id, letters), reverse=True)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("channel=email", 2),
        ("channel=push", 0),
        ("reason=undecodable", 1),
        ("code=550%205.1.1", 1),
        ("state=open", 2),
        ("state=replaying", 0),
        ("from=2026-03-01T12:00:00Z", 2),
        ("from=2026-03-01T13:00:00.001%2B01:00", 0),
        ("to=2026-03-01T12:00:00Z", 0),
        ("to=2026-03-01T12:00:00.001Z", 2),
        (f"notification_id={BODY.notification_id}", 1),
        ("notification_id=ntf_x", 0),
    ],
)
async def test_every_filter_narrows(client: httpx.AsyncClient, store: Store, query: str, count: int) -> None:
    await support.keep(store, LETTER, RIDDLE)
    answer = await client.get(f"/v1/dlq?{query}")
    assert answer.status_code == 200
    assert len(answer.json()["items"]) == count


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("chanel=email", ["/chanel"]),
        ("since=2026-03-01T12:00:00Z&status=open", ["/since", "/status"]),
        ("state=dead", ["/state"]),
        ("from=yesterday", ["/from"]),
        ("from=2026-03-01", ["/from"]),
        ("from=2026-03-01T12:00:00", ["/from"]),
        ("from=1700000000", ["/from"]),
        ("to=2026-03-01T12:00:00+01:00", ["/to"]),
        ("channel=", ["/channel"]),
        (f"code={'x' * 201}", ["/code"]),
        ("limit=0", ["/limit"]),
        ("cursor=nonsense", ["/cursor"]),
        ("cursor=ks__________-hYQ", ["/cursor"]),
    ],
)
async def test_what_a_query_does_not_mean_is_refused(client: httpx.AsyncClient, query: str, where: list[str]) -> None:
    answer = await client.get(f"/v1/dlq?{query}")
    assert (answer.status_code, slug(answer), list(pointers(answer))) == (422, "invalid", where)


async def test_a_whole_letter_has_its_payload_and_every_attempt(client: httpx.AsyncClient, store: Store) -> None:
    await support.keep(store, LETTER)
    whole = (await client.get(f"/v1/dlq/{ID}")).json()
    assert whole["body"]["address"] == "ada@example.test"
    assert delivery.decode(LETTER.value).id == whole["body"]["id"]
    assert "body_base64" not in whole
    assert [(each["attempt"], each["code"]) for each in whole["history"]] == [(1, "451 4.7.1"), (2, "550 5.1.1")]
    assert whole["origin"] == {"topic": "notifications.email.high", "partition": 3, "offset": 7}
    assert whole["key_base64"] == base64.b64encode(b"recipient\xff").decode()
    assert _headers(whole) == LETTER.headers


@pytest.mark.parametrize("value", [b"\xff", b"", b"[" * 100_000, b'"\xff"', b'"\\ud800"', b"NaN"])
async def test_a_payload_that_is_not_json_is_shown_in_base64(
    client: httpx.AsyncClient, store: Store, value: bytes
) -> None:
    await support.keep(store, support.a_riddle(value=value))
    answer = await client.get(f"/v1/dlq/{RIDDLE_ID}")
    assert answer.status_code == 200
    assert base64.b64decode(answer.json()["body_base64"]) == value
    assert "body" not in answer.json()


async def test_json_is_shown_as_it_was_written(client: httpx.AsyncClient, store: Store) -> None:
    value = b'{"n": 1.10000000000000000000001, "n": 12345678901234567890123}'
    await support.keep(store, support.a_riddle(value=value))
    assert b'"body":' + value in (await client.get(f"/v1/dlq/{RIDDLE_ID}")).content


async def test_each_reading_is_told_to_the_audit(client: httpx.AsyncClient, store: Store, log: Log) -> None:
    await support.keep(store, LETTER, RIDDLE)
    for letter_id in (ID, ID, RIDDLE_ID):
        assert (await client.get(f"/v1/dlq/{letter_id}")).status_code == 200
    events = [envelope.audit_event(record.value) for record in log.records]
    assert {event.type for event in events} == {Event.OPERATOR_DEAD_LETTER_READ}
    assert [event.data["dead_letter_id"] for event in events] == [ID, ID, RIDDLE_ID]
    assert {event.data["actor"] for event in events} == {"key_0"}
    assert [event.delivery_id for event in events] == [BODY.id, BODY.id, None]
    assert len({event.id for event in events}) == 3


async def test_a_reading_that_cannot_be_told_shows_nothing(client: httpx.AsyncClient, store: Store, log: Log) -> None:
    await support.keep(store, LETTER)
    log.failing = [LogUnavailable("disk full")]
    answer = await client.get(f"/v1/dlq/{ID}")
    assert (answer.status_code, slug(answer)) == (503, "unavailable")
    assert b"ada@example.test" not in answer.content


async def test_a_replay_says_which_life_it_opened(client: httpx.AsyncClient, store: Store, log: Log) -> None:
    await support.keep(store, LETTER)
    answer = await client.post(f"/v1/dlq/{ID}/replay")
    assert (answer.status_code, answer.json()) == (202, {"id": ID, "life": 1, "state": "replayed"})
    assert [record.topic for record in log.records] == ["notifications.email.high", topics.AUDIT]
    item = (await client.get("/v1/dlq")).json()["items"][0]
    assert (item["replayed_by"], item["replayed_at"]) == ("key_0", "2026-03-01T12:00:00.000Z")


async def test_a_discard_says_so(client: httpx.AsyncClient, store: Store) -> None:
    await support.keep(store, LETTER)
    answer = await client.post(f"/v1/dlq/{ID}/discard", json={})
    assert (answer.status_code, answer.json()) == (200, {"id": ID, "state": "discarded"})


@pytest.mark.parametrize("first", ["replay", "discard"])
@pytest.mark.parametrize("then", ["replay", "discard"])
async def test_a_second_decision_is_a_conflict_with_the_first(
    client: httpx.AsyncClient, store: Store, first: str, then: str
) -> None:
    await support.keep(store, LETTER)
    await client.post(f"/v1/dlq/{ID}/{first}")
    answer = await client.post(f"/v1/dlq/{ID}/{then}")
    assert (answer.status_code, slug(answer)) == (409, "already-decided")
    wanted = State.REPLAYED if first == "replay" else State.DISCARDED
    assert (answer.json()["id"], answer.json()["state"]) == (ID, wanted)


async def test_an_unreadable_letter_says_why_it_is_not_replayed_and_what_to_do(
    client: httpx.AsyncClient, store: Store
) -> None:
    await support.keep(store, RIDDLE)
    answer = await client.post(f"/v1/dlq/{RIDDLE_ID}/replay")
    assert (answer.status_code, slug(answer)) == (409, "not-replayable")
    assert "undecodable: the body is not JSON" in answer.json()["detail"]
    assert "discard" in answer.json()["detail"]
    assert (await client.post(f"/v1/dlq/{RIDDLE_ID}/discard")).status_code == 200


@pytest.mark.parametrize("error", [LogUnavailable("disk full"), LogFull("20 GiB are full")])
async def test_a_log_that_is_away_keeps_the_decision(
    client: httpx.AsyncClient, store: Store, log: Log, error: Exception
) -> None:
    await support.keep(store, LETTER)
    log.failing = [error]
    answer = await client.post(f"/v1/dlq/{ID}/replay")
    assert (answer.status_code, slug(answer), answer.json()["id"]) == (503, "unavailable", ID)
    assert "Retry-After" in answer.headers
    refused = await client.post(f"/v1/dlq/{ID}/discard")
    assert (refused.status_code, refused.json()["state"]) == (409, "replaying")
    assert (await client.post(f"/v1/dlq/{ID}/replay")).json() == {"id": ID, "life": 1, "state": "replayed"}


_ROUTES = [("GET", "/v1/dlq"), ("GET", "/v1/dlq/{}"), ("POST", "/v1/dlq/{}/replay"), ("POST", "/v1/dlq/{}/discard")]


@pytest.mark.parametrize(("method", "path"), _ROUTES)
async def test_only_operators_may(
    *, client: httpx.AsyncClient, store: Store, keys: Keys, log: Log, method: str, path: str
) -> None:
    await support.keep(store, LETTER)
    answer = await client.request(method, path.format(ID), headers=other(keys, "read", "submit"))
    assert (answer.status_code, slug(answer)) == (403, "forbidden")
    answer = await client.request(method, path.format(ID), headers={"Authorization": ""})
    assert (answer.status_code, slug(answer)) == (401, "unauthorized")
    assert log.records == []


@pytest.mark.parametrize(("method", "path"), _ROUTES[1:])
async def test_what_another_tenant_has_is_not_there(
    *, client: httpx.AsyncClient, store: Store, keys: Keys, log: Log, method: str, path: str
) -> None:
    await support.keep(store, LETTER, RIDDLE)
    headers = other(keys, "operate", tenant="acme")
    for letter_id in (ID, RIDDLE_ID, "dlt_nonsense"):
        answer = await client.request(method, path.format(letter_id), headers=headers)
        assert (answer.status_code, slug(answer)) == (404, "not-found")
    assert (await client.get("/v1/dlq", headers=headers)).json()["items"] == []
    assert log.records == []


@pytest.mark.parametrize("action", ["replay", "discard"])
async def test_a_body_that_asks_for_something_is_refused(client: httpx.AsyncClient, store: Store, action: str) -> None:
    await support.keep(store, LETTER)
    answer = await client.post(f"/v1/dlq/{ID}/{action}", json={"data": {"order": "1002"}})
    assert (answer.status_code, slug(answer)) == (422, "invalid")
    assert (await client.post(f"/v1/dlq/{ID}/{action}", content=b"{")).status_code == 400
    assert (await support.look(store, ID)).state is State.OPEN


async def test_the_documentation_has_an_example_of_every_answer(client: httpx.AsyncClient, store: Store) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    await support.keep(store, LETTER)
    listed = paths["/v1/dlq"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    line = (await client.get("/v1/dlq")).json()["items"][0]
    # FastAPI leaves nulls out of what it documents.
    nulls = {"discarded_at", "discarded_by"}
    assert {*listed["items"][0], *nulls} == line.keys()
    whole = paths["/v1/dlq/{letter_id}"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    shown = (await client.get(f"/v1/dlq/{ID}")).json()
    assert {*whole, *nulls} == {"key" if name == "key_base64" else name for name in shown}
    replay = paths["/v1/dlq/{letter_id}/replay"]["post"]["responses"]["202"]["content"]["application/json"]["example"]
    assert replay.keys() == (await client.post(f"/v1/dlq/{ID}/replay")).json().keys()
    names = {each["name"] for each in paths["/v1/dlq"]["get"]["parameters"]}
    assert names == {"channel", "reason", "code", "state", "from", "to", "notification_id", "limit", "cursor"}


def _headers(whole: dict[str, Any]) -> Headers:
    """Return the headers that an answer shows."""
    return tuple(
        (each["name"], each["value"].encode() if "value" in each else base64.b64decode(each["value_base64"]))
        for each in whole["headers"]
    )
