"""Keys: who gets in, what the others are told, and how soon a revocation holds."""

import random
from datetime import UTC, datetime
from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends

from tests.unit.web.support import Keys, Serve, Ticks, slug
from tocsin.errors import StoreUnavailable
from tocsin.store.keys import Key, Scope
from tocsin.web.auth import Authenticator, Principal, requires
from tocsin.web.keys import hashed, mode_of, newkey, well_formed
from tocsin.web.responses import Json

_MADE = datetime(2030, 1, 1, tzinfo=UTC)


def routes(*, test_keys: bool = False) -> APIRouter:
    router = APIRouter()

    @router.get("/things")
    async def things(principal: Annotated[Principal, Depends(requires("read", test_keys=test_keys))]) -> Json:
        return Json({"tenant": principal.tenant, "key": principal.key_id})

    return router


async def ask(serve: Serve, **headers: str) -> httpx.Response:
    async with serve(routes()) as client:
        return await client.get("/things", headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_new_key_has_its_form_and_only_its_hash_is_needed() -> None:
    plain, key_hash = newkey(random.Random(1).randbytes)

    assert plain.startswith("tcs_")
    assert len(plain) == 4 + 43
    assert well_formed(plain)
    assert key_hash == hashed(plain)
    assert plain not in key_hash


@pytest.mark.parametrize("plain", ["", "tcs_", "tcs_" + "a" * 42, "tcs_" + "a" * 44, "tcs_" + "é" * 43, "x" * 47])
def test_what_is_no_key_is_not_looked_up(plain: str) -> None:
    assert not well_formed(plain)


def test_a_test_key_has_a_form_of_its_own() -> None:
    plain, _ = newkey(random.Random(1).randbytes, mode="test")

    assert plain.startswith("tcs_test_")
    assert mode_of(plain) == "test"
    # A live one, though it begins alike: its random part has 43 characters, too.
    assert mode_of("tcs_test_" + "a" * 38) == "live"
    assert mode_of("tcs_test_" + "a" * 42) is None


async def test_a_test_key_opens_nothing_that_does_not_say_so(serve: Serve, keys: Keys) -> None:
    key = keys.add("read", mode="test")

    response = await ask(serve, X_API_Key=key)
    async with serve(routes(test_keys=True)) as client:
        allowed = await client.get("/things", headers={"X-API-Key": key})

    assert (response.status_code, slug(response)) == (403, "forbidden")
    assert "live key" in response.json()["detail"]
    assert allowed.status_code == 200


@pytest.mark.parametrize("form", ["Bearer {}", "bearer  {} "])
async def test_bearer_gets_in(serve: Serve, keys: Keys, form: str) -> None:
    response = await ask(serve, Authorization=form.format(keys.add("read", tenant="shop")))

    assert response.json() == {"tenant": "shop", "key": "key_0"}


async def test_x_api_key_gets_in(serve: Serve, keys: Keys) -> None:
    assert (await ask(serve, X_API_Key=keys.add("read"))).status_code == 200


async def test_admin_has_every_scope(serve: Serve, keys: Keys) -> None:
    assert (await ask(serve, X_API_Key=keys.add("admin"))).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic eDp5"}, {"Authorization": "Bearer"}])
async def test_without_a_key_one_is_told_how_to_send_it(serve: Serve, keys: Keys, headers: dict[str, str]) -> None:
    response = await ask(serve, **headers)

    assert response.status_code == 401
    assert slug(response) == "unauthorized"
    assert response.headers["www-authenticate"] == 'Bearer realm="tocsin"'
    assert "Authorization: Bearer tcs_" in response.json()["detail"]
    assert keys.asked == 0


async def test_an_authorization_that_is_no_bearer_is_not_overruled(serve: Serve, keys: Keys) -> None:
    assert (await ask(serve, Authorization="Basic eDp5", X_API_Key=keys.add("read"))).status_code == 401


async def test_an_unknown_key_is_refused(serve: Serve) -> None:
    response = await ask(serve, Authorization="Bearer " + newkey(random.Random(9).randbytes)[0])

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Bearer realm="tocsin", error="invalid_token"'


async def test_a_key_without_the_scope_is_told_which(serve: Serve, keys: Keys) -> None:
    response = await ask(serve, X_API_Key=keys.add("submit", "operate"))

    assert response.status_code == 403
    assert slug(response) == "forbidden"
    assert "scope `read`" in response.json()["detail"]
    assert 'error="insufficient_scope", scope="read"' in response.headers["www-authenticate"]


async def test_a_key_is_remembered_for_thirty_seconds(authenticator: Authenticator, keys: Keys, ticks: Ticks) -> None:
    plain = keys.add("read")
    await authenticator.principal(plain)
    keys.remove(plain)
    ticks.now += 29.9
    assert await authenticator.principal(plain) is not None
    assert keys.asked == 1

    ticks.now += 0.2

    assert await authenticator.principal(plain) is None


async def test_a_revocation_here_holds_at_once(authenticator: Authenticator, keys: Keys) -> None:
    plain = keys.add("read")
    await authenticator.principal(plain)
    keys.remove(plain)
    authenticator.forget()

    assert await authenticator.principal(plain) is None


async def test_a_revocation_during_a_look_up_is_not_overwritten(ticks: Ticks) -> None:
    plain, key_hash = newkey(random.Random(1).randbytes)
    scopes: frozenset[Scope] = frozenset({"read"})

    class RevokedMeanwhile(Keys):
        async def find(self, key_hash: str, /) -> Key | None:
            found = await super().find(key_hash)
            self.held.clear()
            authenticator.forget()
            return found

    keys = RevokedMeanwhile()
    keys.held[key_hash] = Key(tenant="t", key_id="k", name="n", scopes=scopes, created_at=_MADE)
    authenticator = Authenticator(keys, monotonic=ticks)
    await authenticator.principal(plain)

    assert await authenticator.principal(plain) is None


async def test_what_is_remembered_is_bounded(
    authenticator: Authenticator, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.web.auth._MAX_REMEMBERED", 2)
    plains = [keys.add("read") for _ in range(3)]
    for plain in plains:
        await authenticator.principal(plain)

    assert len(authenticator._remembered) == 2
    assert hashed(plains[0]) not in authenticator._remembered


async def test_without_the_store_it_is_nobodys_fault(serve: Serve, keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(_: str) -> Key | None:
        raise StoreUnavailable("password=hunter2")

    monkeypatch.setattr(keys, "find", away)
    response = await ask(serve, X_API_Key=keys.add("read"))

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert "hunter2" not in response.text


async def test_openapi_tells_of_the_scheme(serve: Serve) -> None:
    async with serve(routes()) as client:
        document = (await client.get("/openapi.json")).json()

    assert document["components"]["securitySchemes"]["ApiKey"]["scheme"] == "bearer"
    assert document["paths"]["/things"]["get"]["security"] == [{"ApiKey": []}]
