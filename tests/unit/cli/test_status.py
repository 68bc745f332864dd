"""`tocsin status`: the tree, drawn; and looking on."""

import json

import pytest

from audit import examples
from tests.unit.cli.conftest import Run
from tests.unit.cli.support import (
    DEFERRED,
    DELIVERED,
    ENDED,
    NOTIFICATION,
    RETRYING,
    FakeGateway,
    answer,
    attempted,
    event,
    life,
    notification,
    problem,
)

LOOK = ("GET", f"/v1/notifications/{NOTIFICATION}")
LETTER = "dlt_01m7z77eghvjzzy9x7dbaqsxt6"
REJECTED = attempted(1, "12:00:00.100", "rejected", "550 5.1.1", "No such user")
DEAD = event("delivery.dead", "12:00:00.100", 1, reason="rejected", code="550 5.1.1", dead_letter_id=LETTER)
REPLAYED = event("delivery.replayed", "12:00:00.000", 0, actor="key_1", dead_letter_id=LETTER)
READ = event("operator.dead_letter_read", "12:00:10.000", actor="key_1")

TREE = f"""\
{NOTIFICATION}  delivered
order-confirmation · orders · lane normal · accepted 30 s ago
└── email ada@example.test  delivered  dlv_01m7z77eghvjzzy9x7dbaqsxt6
    ├── life 0: dead after 1 attempt, dead letter dlt_01m7z77eghvjzzy9x7dbaqsxt6
    │   +0.1 s  attempt 1: rejected         550 5.1.1 · smtp · 12 ms · No such user
    │   +0.1 s  dead                        550 5.1.1 · rejected
    │    +10 s  operator: dead letter read  by key_1
    └── life 1 (replay): delivered after 2 attempts
        +0.0 s  replayed              by key_1
        +0.1 s  attempt 1: deferred   451 4.7.1 · smtp · 12 ms · Greylisted
        +0.1 s  retrying              next attempt 5.1 s later
        +5.3 s  attempt 2: delivered  250 2.0.0 · smtp · 12 ms · Ok
        +5.3 s  delivered             250 2.0.0 · smtp
"""


def trimmed(text: str) -> str:
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def test_the_tree_tells_each_life(run: Run, gateway: FakeGateway) -> None:
    first = life(0, "dead", REJECTED, DEAD, READ)
    second = life(1, "delivered", REPLAYED, DEFERRED, RETRYING, DELIVERED, ENDED, attempts=2)
    gateway.on(*LOOK, answer(notification("delivered", first, second)))

    result = run("status", NOTIFICATION)

    assert result.exit_code == 0
    assert trimmed(result.stdout) == TREE
    assert result.stderr == ""


def test_a_test_says_so(run: Run, gateway: FakeGateway) -> None:
    found = {**notification("delivered", life(0, "delivered", DELIVERED, ENDED)), "test": True}
    gateway.on(*LOOK, answer(found))

    assert run("status", NOTIFICATION).stdout.splitlines()[0] == f"{NOTIFICATION}  delivered  test"


def test_a_retry_says_when(run: Run, gateway: FakeGateway) -> None:
    later = {**RETRYING, "data": {"not_before": "2030-01-01T12:02:00.000Z"}}
    gateway.on(*LOOK, answer(notification("retrying", life(0, "retrying", DEFERRED, later))))

    assert "retrying after 1 attempt, next attempt in 1 min 30 s" in run("status", NOTIFICATION).stdout


def test_partial_success_is_told(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LOOK, answer(notification("delivered", life(0, "delivered", ENDED), partial=True)))

    assert "delivered  not to all of its addresses" in run("status", NOTIFICATION).stdout


def test_json_is_the_answer_byte_for_byte_but_for_the_indent(run: Run, gateway: FakeGateway) -> None:
    document = notification("delivered", life(0, "delivered", ENDED))
    gateway.on(*LOOK, answer(document))

    result = run("status", NOTIFICATION, "--json")

    assert json.loads(result.stdout) == document


def test_what_others_wrote_cannot_steer_the_terminal(run: Run, gateway: FakeGateway) -> None:
    evil = attempted(1, "12:00:00.100", "rejected", "550", "[red]gone[/red] \x1b]0;title\x07\x1b[2J\u202e\n:boom:")
    gateway.on(*LOOK, answer(notification("dead", life(0, "dead", evil))))

    out = run("status", NOTIFICATION, columns=200).stdout

    assert "[red]gone[/red] \ufffd]0;title\ufffd\ufffd[2J\ufffd :boom:" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_an_event_of_a_newer_gateway_is_shown_by_its_name(run: Run, gateway: FakeGateway) -> None:
    new = event("receipt.bounced", "12:00:00.100", reason="mailbox_full")
    gateway.on(*LOOK, answer(notification("delivered", life(0, "delivered", new))))

    assert "receipt: bounced  mailbox_full" in run("status", NOTIFICATION).stdout


def test_watching_looks_until_it_has_ended(run: Run, gateway: FakeGateway) -> None:
    retrying = notification("retrying", life(0, "retrying", DEFERRED, RETRYING))
    dead = notification("dead", life(0, "dead", DEFERRED, RETRYING, REJECTED, DEAD))
    gateway.on(*LOOK, answer(retrying), answer(dead))

    result = run("status", NOTIFICATION, "--watch")

    assert result.exit_code == 0
    assert len(gateway.requests) == 2
    assert result.stdout.splitlines()[-1] == "+0.1 s  email ada@example.test  dead  550 5.1.1 · rejected"


@pytest.mark.parametrize("watch", [(), ("--watch",)])
def test_an_unknown_id_is_refused_at_once(run: Run, gateway: FakeGateway, watch: tuple[str, ...]) -> None:
    gateway.on("GET", "/v1/notifications/ntf%2F..%2Fx", problem(404, "No notification has this id."))

    result = run("status", "ntf/../x", *watch)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: No notification has this id.\n"
    assert len(gateway.requests) == 1


def test_the_documented_answer_can_be_shown(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LOOK, answer(examples.TIMELINE))

    assert "attempt 1: delivered  250 2.0.0 · smtp · 12 ms · Ok: queued as 4ABCD" in run("status", NOTIFICATION).stdout
