"""`tocsin suppressions`: the list, an address more, an address less."""

import json

import httpx
import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import FakeGateway, answer, problem

ID = "sup_00000000006pp1rh1n2e3act78"
PATH = "/v1/suppressions"
ADA = {
    "id": ID,
    "channel": "email",
    "address": "ada@example.test",
    "category": None,
    "reason": "hard_bounce",
    "source": "smtp",
    "added_at": "2030-01-01T12:00:00.000Z",
    "expires_at": None,
    "lifted_at": None,
}
TABLE = f"""\
ID                              ADDED     CHANNEL  ADDRESS           CATEGORY  REASON       SOURCE  EXPIRES
{ID}  30 s ago  email    ada@example.test            hard_bounce  smtp
{ID}  30 s ago  email    bob@example.test  offers    manual       desk    in 30 s
"""


def page(*items: object, cursor: str | None = None) -> httpx.Response:
    return answer({"items": list(items), "next_cursor": cursor})


def test_the_list(run: Run, gateway: FakeGateway) -> None:
    changes = {"address": "bob@example.test", "category": "offers", "reason": "manual", "source": "desk"}
    gateway.on("GET", PATH, page(ADA, {**ADA, **changes, "expires_at": "2030-01-01T12:01:00.000Z"}, cursor="c2"))

    result = run("suppressions", "list", columns=120)

    assert result.exit_code == 0
    assert "".join(line.rstrip() + "\n" for line in result.stdout.splitlines()) == TABLE
    assert result.stderr == "There are more: add --cursor c2\n"


def test_the_list_has_two_lines_each_where_one_would_be_too_long(run: Run, gateway: FakeGateway) -> None:
    changes = {"category": "offers", "expires_at": "2030-01-01T12:01:00.000Z"}
    gateway.on("GET", PATH, page(ADA, {**ADA, **changes}))

    result = run("suppressions", "list", columns=80)

    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        f"{ID}  30 s ago",
        "  email · ada@example.test · hard_bounce · smtp",
        f"{ID}  30 s ago",
        "  email · ada@example.test · offers · hard_bounce · smtp · expires in 30 s",
    ]


def test_filters_are_the_gateways(run: Run, gateway: FakeGateway) -> None:
    gateway.on("GET", PATH, page())

    result = run(
        *("suppressions", "list", "--channel", "email", "--address", "ada@example.test", "--reason", "opt_out"),
        *("--category", "offers", "--limit", "7", "--cursor", "abc"),
    )

    assert dict(gateway.last().url.params) == {
        "channel": "email",
        "address": "ada@example.test",
        "category": "offers",
        "reason": "opt_out",
        "limit": "7",
        "cursor": "abc",
    }
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such suppressions.\n")


def test_an_empty_list_says_so(run: Run, gateway: FakeGateway) -> None:
    gateway.on("GET", PATH, page())

    assert run("suppressions", "list").stderr == "Nothing is suppressed.\n"
    assert json.loads(run("suppressions", "list", "--json").stdout) == {"items": [], "next_cursor": None}


def test_adding(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", PATH, answer({**ADA, "reason": "manual"}, 201))

    result = run("suppressions", "add", "email", "ada@example.test")

    assert gateway.body() == {"channel": "email", "address": "ada@example.test", "reason": "manual"}
    assert result.stdout == f"{ID}  email  ada@example.test  suppressed: manual\n"


def test_adding_for_a_time(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", PATH, answer(ADA, 201))

    result = run("suppressions", "add", "email", "ada@example.test", "--reason", "opt_out", "--for", "2d", "--json")

    assert gateway.body()["reason"] == "opt_out"
    assert gateway.body()["expires_at"] == "2030-01-03T12:00:30.000Z"
    assert json.loads(result.stdout) == ADA


def test_one_category_is_added_and_lifted_on_its_own(run: Run, gateway: FakeGateway) -> None:
    offers = {**ADA, "category": "offers", "reason": "unsubscribe"}
    gateway.on("POST", PATH, answer(offers, 201))
    gateway.on("DELETE", PATH, answer(offers))

    added = run("suppressions", "add", "email", "ada@example.test", "--category", "offers", "--reason", "unsubscribe")
    assert gateway.body()["category"] == "offers"
    assert added.stdout == f"{ID}  email  ada@example.test  offers  suppressed: unsubscribe\n"

    lifted = run("suppressions", "lift", "--channel", "email", "--address", "ada@example.test", "--category", "offers")
    assert dict(gateway.last().url.params)["category"] == "offers"
    assert lifted.stdout == f"{ID}  email  ada@example.test  offers  lifted\n"


@pytest.mark.parametrize("lasting", ["soon", "999999999d"])
def test_a_time_that_is_none_is_refused(run: Run, gateway: FakeGateway, lasting: str) -> None:
    result = run("suppressions", "add", "email", "ada@example.test", "--for", lasting)

    assert (result.exit_code, gateway.requests) == (2, [])
    assert f"--for {lasting}" in result.stderr


def test_what_the_gateway_refuses_is_told(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", PATH, problem(422, "x", ("/address", "must be an email address like ada@example.com")))

    result = run("suppressions", "add", "email", "ada")

    assert result.exit_code == 1
    assert "/address  must be an email address" in result.stderr


def test_lifting_by_id_and_by_address(run: Run, gateway: FakeGateway) -> None:
    lifted = {**ADA, "lifted_at": "2030-01-01T12:00:30.000Z"}
    gateway.on("DELETE", f"{PATH}/{ID}", answer(lifted))
    gateway.on("DELETE", PATH, answer(lifted))

    assert run("suppressions", "lift", ID).stdout == f"{ID}  email  ada@example.test  lifted\n"
    assert run("suppressions", "lift", "--channel", "email", "--address", "ada@example.test").exit_code == 0
    assert dict(gateway.last().url.params) == {"channel": "email", "address": "ada@example.test"}


@pytest.mark.parametrize(
    "arguments",
    [(), ("--channel", "email"), ("--address", "a@b.example"), (ID, "--channel", "email"), (ID, "--category", "x")],
)
def test_what_to_lift_is_named_in_one_way(run: Run, gateway: FakeGateway, arguments: tuple[str, ...]) -> None:
    result = run("suppressions", "lift", *arguments)

    assert (result.exit_code, gateway.requests) == (2, [])
    assert "Name what to lift" in result.stderr
