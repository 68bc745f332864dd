"""The keys API: who may, what is shown and when, and what the audit is told."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.clock import ManualClock
from tests.unit.web.support import pointers, slug
from tocsin.errors import LogUnavailable
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.store.engine import open_store
from tocsin.store.keys import Keys, Scope
from tocsin.store.tables import metadata
from tocsin.web import keys_api
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator
from tocsin.web.keys import hashed, mode_of, newkey, well_formed


class Gateway:
    """The application with nothing but the keys API, on a real store, and the events that it told."""

    def __init__(self, keys: Keys, clock: ManualClock) -> None:
        self.keys = keys
        self.clock = clock
        self.events: list[AuditEvent] = []
        self.log_away = False
        self._random = random.Random(1)
        self._app = create_app(
            title="Tocsin",
            version="1.2.3",
            routers=[keys_api.router(keys, self._publish, randbytes=self._random.randbytes)],
            metrics=Metrics(version="1.2.3"),
            authenticator=Authenticator(keys, monotonic=clock.monotonic),
            checks={},
            monotonic=clock.monotonic,
        )

    async def _publish(self, event: AuditEvent) -> None:
        if self.log_away:
            raise LogUnavailable("the disk is full")
        self.events.append(event)

    async def key(self, *scopes: Scope, tenant: str = "default") -> tuple[str, str]:
        """Return a key that was made without the API, and its id."""
        plain, key_hash = newkey(self._random.randbytes)
        made = await self.keys.create(tenant=tenant, name="by hand", scopes=scopes, key_hash=key_hash)
        return plain, made.key_id

    @asynccontextmanager
    async def asked_with(self, key: str) -> AsyncIterator[httpx.AsyncClient]:
        headers = {"Authorization": f"Bearer {key}"}
        transport = httpx.ASGITransport(app=self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://tocsin", headers=headers) as client:
            yield client


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    clock = ManualClock()
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        async with store.write() as connection:
            await connection.run_sync(metadata.create_all)
        yield Gateway(Keys(store=store, clock=clock), clock)


@pytest.fixture
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    plain, _ = await gateway.key("admin")
    async with gateway.asked_with(plain) as client:
        yield client


async def made(client: httpx.AsyncClient, *scopes: str, name: str = "shop") -> dict[str, Any]:
    response = await client.post("/v1/keys", json={"name": name, "scopes": scopes})
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_a_new_key_is_shown_once_and_works(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    response = await admin.post("/v1/keys", json={"name": "shop", "scopes": ["submit", "read", "submit"]})
    key = response.json()
    listed = (await admin.get("/v1/keys")).text
    found = await gateway.keys.find(hashed(key["key"]))

    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert well_formed(key["key"])
    assert (key["name"], key["scopes"], key["revoked_at"]) == ("shop", ["read", "submit"], None)
    assert key["id"] in listed
    assert key["key"] not in listed
    assert hashed(key["key"]) not in listed
    assert found is not None
    assert found.key_id == key["id"]


async def test_making_a_key_is_an_event_without_the_key(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    key = await made(admin, "submit")

    [event] = gateway.events
    assert event.type is Event.OPERATOR_KEY_CREATED
    assert event.time == gateway.clock.now()
    assert event.data["key_id"] == key["id"]
    assert event.data["actor"].startswith("key_")
    assert event.data["actor"] != key["id"]
    assert (event.data["name"], event.data["scopes"]) == ("shop", ["submit"])
    assert key["key"] not in repr(event)


async def test_a_test_key_tells_what_it_is(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    wanted = {"name": "ci", "scopes": ["submit", "read"], "mode": "test"}
    key = (await admin.post("/v1/keys", json=wanted)).json()
    [listed, _] = sorted((await admin.get("/v1/keys")).json()["items"], key=lambda each: each["mode"], reverse=True)

    assert mode_of(key["key"]) == key["mode"] == listed["mode"] == gateway.events[0].data["mode"] == "test"


@pytest.mark.parametrize("scope", ["operate", "admin"])
async def test_a_test_key_may_only_submit_and_read(gateway: Gateway, admin: httpx.AsyncClient, scope: Scope) -> None:
    response = await admin.post("/v1/keys", json={"name": "ci", "scopes": ["submit", scope], "mode": "test"})

    assert pointers(response) == ["/scopes"]
    assert gateway.events == []


async def test_a_revoked_key_is_refused_at_once(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    plain, key_id = await gateway.key("admin")
    async with gateway.asked_with(plain) as other:
        before = await other.get("/v1/keys")
        revoked = await admin.delete(f"/v1/keys/{key_id}")
        after = await other.get("/v1/keys")

    assert before.status_code == 200
    assert revoked.status_code == 200
    assert revoked.json()["revoked_at"] == "2030-01-01T00:00:00.000Z"
    assert after.status_code == 401


async def test_revoking_again_changes_nothing_and_tells_the_same_event(
    gateway: Gateway, admin: httpx.AsyncClient
) -> None:
    _, key_id = await gateway.key("read")
    first = await admin.delete(f"/v1/keys/{key_id}")
    gateway.clock.advance(timedelta(hours=1))
    second = await admin.delete(f"/v1/keys/{key_id}")

    assert first.json() == second.json()
    assert [event.type for event in gateway.events] == [Event.OPERATOR_KEY_REVOKED] * 2
    assert gateway.events[0] == gateway.events[1]


async def test_a_revocation_holds_even_if_the_audit_cannot_be_told(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    plain, key_id = await gateway.key("admin")
    async with gateway.asked_with(plain) as other:
        assert (await other.get("/v1/keys")).status_code == 200
        gateway.log_away = True
        response = await admin.delete(f"/v1/keys/{key_id}")
        assert (await other.get("/v1/keys")).status_code == 401
        gateway.log_away = False
        again = await admin.delete(f"/v1/keys/{key_id}")

    assert slug(response) == "unavailable"
    assert again.status_code == 200
    assert [event.data["key_id"] for event in gateway.events] == [key_id]


async def test_a_key_that_the_audit_was_not_told_of_is_not_shown(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    gateway.log_away = True

    response = await admin.post("/v1/keys", json={"name": "shop", "scopes": ["submit"]})

    assert slug(response) == "unavailable"
    assert "tcs_" not in response.text


async def test_the_last_key_that_may_make_others_stays(admin: httpx.AsyncClient) -> None:
    [only] = (await admin.get("/v1/keys")).json()["items"]
    refused = await admin.delete(f"/v1/keys/{only['id']}")
    await made(admin, "admin")
    allowed = await admin.delete(f"/v1/keys/{only['id']}")

    assert slug(refused) == "last-admin-key"
    assert allowed.status_code == 200


async def test_a_tenant_sees_and_revokes_only_its_own(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    _, foreign = await gateway.key("read", tenant="elsewhere")

    response = await admin.delete(f"/v1/keys/{foreign}")

    assert slug(response) == "not-found"
    assert foreign not in (await admin.get("/v1/keys")).text
    assert gateway.events == []


@pytest.mark.parametrize("scope", ["submit", "read", "operate"])
async def test_other_scopes_do_not_do(gateway: Gateway, scope: Scope) -> None:
    plain, key_id = await gateway.key(scope)
    async with gateway.asked_with(plain) as client:
        answers = [
            await client.post("/v1/keys", json={"name": "mine", "scopes": ["admin"]}),
            await client.get("/v1/keys"),
            await client.delete(f"/v1/keys/{key_id}"),
        ]

    assert [slug(answer) for answer in answers] == ["forbidden"] * 3
    assert gateway.events == []


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"scopes": ["read"]}, "/name"),
        ({"name": "", "scopes": ["read"]}, "/name"),
        ({"name": "x" * 65, "scopes": ["read"]}, "/name"),
        ({"name": "shop\n", "scopes": ["read"]}, "/name"),
        ({"name": " shop", "scopes": ["read"]}, "/name"),
        ({"name": "\x1b[31mshop", "scopes": ["read"]}, "/name"),
        ({"name": "shop"}, "/scopes"),
        ({"name": "shop", "scopes": []}, "/scopes"),
        ({"name": "shop", "scopes": "read"}, "/scopes"),
        ({"name": "shop", "scopes": ["write"]}, "/scopes/0"),
        ({"name": "shop", "scopes": ["read"], "mode": "play"}, "/mode"),
        ({"name": "shop", "scopes": ["read"], "tenant": "elsewhere"}, "/tenant"),
        ([], ""),
    ],
)
async def test_what_is_wrong_has_its_place(admin: httpx.AsyncClient, wanted: Any, pointer: str) -> None:
    response = await admin.post("/v1/keys", json=wanted)

    assert slug(response) == "invalid"
    assert pointers(response) == [pointer]


async def test_the_documentation_has_the_routes(admin: httpx.AsyncClient) -> None:
    paths = (await admin.get("/openapi.json")).json()["paths"]

    body = paths["/v1/keys"]["post"]["requestBody"]["content"]["application/json"]
    assert body["example"] == {"name": "shop", "scopes": ["submit", "read"]}
    assert set(paths["/v1/keys/{key_id}"]["delete"]["responses"]) >= {"200", "409"}
