"""`tocsin keys`."""

import json

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import KEY, FakeGateway, answer, problem

SHOP = {
    "id": "key_01m7z77eghvjzzy9x7dbaqsxt6",
    "name": "shop",
    "scopes": ["read", "submit"],
    "mode": "live",
    "created_at": "2030-01-01T10:00:00.000Z",
    "revoked_at": None,
}
TABLE = """\
ID                              NAME  SCOPES       MODE  CREATED        REVOKED
key_01m7z77eghvjzzy9x7dbaqsxt6  shop  read submit  live  2 h ago
key_01m7z77eghvjzzy9x7dbaqsxt7  old   read submit  test  2 h 1 min ago  15 s ago
"""


def test_a_new_key_is_shown_with_the_warning_that_it_is_once(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", "/v1/keys", answer({**SHOP, "key": KEY}, 201))

    result = run("keys", "create", "shop", "--scope", "submit", "--scope", "read")

    assert result.exit_code == 0
    assert gateway.body() == {"name": "shop", "scopes": ["submit", "read"]}
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["id", SHOP["id"]],
        ["name", "shop"],
        ["scopes", "read", "submit"],
        ["mode", "live"],
        ["key", KEY],
    ]
    assert "cannot be shown again" in result.stderr


def test_a_test_key_is_asked_for_and_told(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", "/v1/keys", answer({**SHOP, "mode": "test", "key": KEY}, 201))

    result = run("keys", "create", "ci", "--scope", "submit", "--test")

    assert gateway.body() == {"name": "ci", "scopes": ["submit"], "mode": "test"}
    assert ["mode", "test"] in [line.split() for line in result.stdout.splitlines()]


def test_a_new_key_in_json(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", "/v1/keys", answer({**SHOP, "key": KEY}, 201))

    result = run("keys", "create", "shop", "--scope", "submit", "--json")

    assert json.loads(result.stdout)["key"] == KEY
    assert result.stderr == ""


def test_a_key_without_a_scope_is_a_usage_error(run: Run, gateway: FakeGateway) -> None:
    result = run("keys", "create", "shop")

    assert (result.exit_code, gateway.requests) == (2, [])
    assert "--scope" in result.stderr


def test_an_unknown_scope_is_told_by_the_gateway(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", "/v1/keys", problem(422, "x", ("/scopes/0", "must be one of submit, read, operate, admin")))

    result = run("keys", "create", "shop", "--scope", "write")

    assert result.exit_code == 1
    assert "/scopes/0  must be one of submit, read, operate, admin" in result.stderr


def test_the_list(run: Run, gateway: FakeGateway) -> None:
    times = {"created_at": "2030-01-01T09:59:20.000Z", "revoked_at": "2030-01-01T12:00:15.000Z"}
    old = {**SHOP, "id": "key_01m7z77eghvjzzy9x7dbaqsxt7", "name": "old", "mode": "test", **times}
    gateway.on("GET", "/v1/keys", answer({"items": [SHOP, old], "next_cursor": None}))

    result = run("keys", "list")

    assert "".join(line.rstrip() + "\n" for line in result.stdout.splitlines()) == TABLE


def test_revoking(run: Run, gateway: FakeGateway) -> None:
    revoked = {**SHOP, "revoked_at": "2030-01-01T12:00:15.000Z"}
    gateway.on("DELETE", f"/v1/keys/{SHOP['id']}", answer(revoked))

    assert run("keys", "revoke", str(SHOP["id"])).stdout == f"{SHOP['id']}  shop  revoked\n"
    assert json.loads(run("keys", "revoke", str(SHOP["id"]), "--json").stdout) == revoked
