"""`tocsin dlq`: lists, a letter, and decisions about several."""

import json

import httpx
import pytest

from dlq import examples
from tests.unit.cli.conftest import Run
from tests.unit.cli.support import LETTER, NOTIFICATION, FakeGateway, answer, letter, problem

OTHER = "dlt_01m7z77eghvjzzy9x7dbaqsxt7"
LIST = ("GET", "/v1/dlq")

WIDE = f"""\
ID                              DIED      CHANNEL  STATE                 REASON    CODE       MESSAGE
{LETTER}  30 s ago  email    open                  rejected  550 5.1.1  No such mailbox here
{OTHER}  30 s ago  email    replayed → delivered  rejected  550 5.1.1  No such mailbox here
"""
NARROW = f"""\
{LETTER}  open  30 s ago
  email · rejected · 550 5.1.1 · No such mailbox here
"""


def trimmed(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def page(*items: object, cursor: str | None = None) -> httpx.Response:
    return answer({"items": list(items), "next_cursor": cursor})


def test_a_list_for_a_wide_terminal(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, page(letter(), letter("replayed", id=OTHER, replay_life=1, replay_state="delivered")))

    result = run("dlq", "list", columns=130)

    assert result.exit_code == 0
    assert trimmed(result.stdout) == WIDE
    assert result.stderr == ""


def test_a_list_for_a_narrow_terminal(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, page(letter()))

    assert trimmed(run("dlq", "list", columns=80).stdout) == NARROW


def test_filters_are_the_gateways(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, page())

    result = run(
        *("dlq", "list", "--channel", "email", "--reason", "rejected", "--code", "550 5.1.1", "--state", "open"),
        *("--since", "90m", "--limit", "7", "--cursor", "abc"),
    )

    assert dict(gateway.last().url.params) == {
        "channel": "email",
        "reason": "rejected",
        "code": "550 5.1.1",
        "state": "open",
        "from": "2030-01-01T10:30:30.000Z",
        "limit": "7",
        "cursor": "abc",
    }
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No such dead letters.\n")


def test_the_next_page_is_named(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, page(letter(), cursor="c2"))

    assert run("dlq", "list").stderr == "There are more: add --cursor c2\n"


def test_json_is_the_page_and_nothing_else(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, page(letter(), cursor="c2"))

    result = run("dlq", "list", "--json")

    assert json.loads(result.stdout) == {"items": [letter()], "next_cursor": "c2"}
    assert result.stderr == ""


@pytest.mark.parametrize("since", ["yesterday", "2026-03-01T12:00:00", "1e9d"])
def test_a_time_that_is_none_is_refused(run: Run, gateway: FakeGateway, since: str) -> None:
    result = run("dlq", "list", "--since", since)

    assert (result.exit_code, gateway.requests) == (2, [])
    assert f"--since {since}" in result.stderr


def test_the_documented_letter_can_be_shown(run: Run, gateway: FakeGateway) -> None:
    gateway.on("GET", f"/v1/dlq/{LETTER}", answer(examples._WHOLE))

    out = run("dlq", "show", LETTER).stdout

    assert "state         replayed → delivered" in out
    assert "record        notifications.email/3/17" in out
    assert "1  2026-03-01T12:00:00Z  rejected  550 5.1.1  smtp  No such mailbox here" in out
    assert '"address": "ada@example.test"' in out


def test_a_payload_that_is_no_json_is_measured(run: Run, gateway: FakeGateway) -> None:
    whole = {**examples._WHOLE, "history": [], "body_base64": "AAECAw=="}
    del whole["body"]
    gateway.on("GET", f"/v1/dlq/{LETTER}", answer(whole))

    assert "4 bytes that are not JSON" in run("dlq", "show", LETTER).stdout


def test_one_refusal_does_not_keep_the_others(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", f"/v1/dlq/{LETTER}/replay", problem(409, "This dead letter is already discarded."))
    gateway.on("POST", f"/v1/dlq/{OTHER}/replay", answer({"id": OTHER, "life": 1, "state": "replayed"}, 202))

    result = run("dlq", "replay", LETTER, OTHER, OTHER)

    assert result.exit_code == 1
    assert result.stdout == f"{OTHER}  replayed as life 1\n"
    assert result.stderr == f"error: {LETTER}: This dead letter is already discarded.\n"
    assert len(gateway.requests) == 2


def test_decisions_in_json_hold_the_refusals_too(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", f"/v1/dlq/{LETTER}/replay", problem(409, "Already discarded."))
    gateway.on("POST", f"/v1/dlq/{OTHER}/replay", answer({"id": OTHER, "life": 1, "state": "replayed"}, 202))

    result = run("dlq", "replay", LETTER, OTHER, "--json")
    refused, done = json.loads(result.stdout)["results"]

    assert result.exit_code == 1
    assert (refused["id"], refused["status"], refused["detail"]) == (LETTER, 409, "Already discarded.")
    assert done == {"id": OTHER, "life": 1, "state": "replayed"}


def test_what_was_done_before_the_gateway_went_away_is_told(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", f"/v1/dlq/{LETTER}/replay", answer({"id": LETTER, "life": 1, "state": "replayed"}, 202))
    gateway.on("POST", f"/v1/dlq/{OTHER}/replay", httpx.ConnectError("Connection refused"))

    people, programs = (run("dlq", "replay", LETTER, OTHER, *more) for more in ((), ("--json",)))

    assert (people.exit_code, programs.exit_code) == (3, 3)
    assert people.stdout == f"{LETTER}  replayed as life 1\n"
    assert json.loads(programs.stdout) == {"results": [{"id": LETTER, "life": 1, "state": "replayed"}]}


@pytest.mark.parametrize(
    ("more", "reply", "code"),
    [(("--yes",), None, 0), ((), "y\n", 0), ((), "n\n", 1), ((), None, 2)],
)
def test_discarding_is_final_and_so_it_asks(
    run: Run, gateway: FakeGateway, more: tuple[str, ...], reply: str | None, code: int
) -> None:
    gateway.on("POST", f"/v1/dlq/{LETTER}/discard", answer({"id": LETTER, "state": "discarded"}))

    result = run("dlq", "discard", LETTER, *more, stdin=reply, person=reply is not None)

    assert result.exit_code == code
    assert bool(gateway.requests) is (code == 0)
    assert (f"{LETTER}  discarded\n" in result.stdout) is (code == 0)


def test_ids_lead_from_a_letter_to_its_notification(run: Run, gateway: FakeGateway) -> None:
    whole = {**examples._WHOLE, **letter()}
    gateway.on("GET", f"/v1/dlq/{LETTER}", answer(whole))

    assert f"notification  {NOTIFICATION}" in run("dlq", "show", LETTER).stdout
