"""`tocsin send`: what is submitted, what is told, and how following it ends."""

import json
from pathlib import Path

import httpx
import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import (
    DEFERRED,
    DELIVERED,
    DELIVERY,
    ENDED,
    KEY,
    NOTIFICATION,
    RETRYING,
    FakeGateway,
    Time,
    accepted,
    answer,
    life,
    notification,
    problem,
)

SUBMIT = ("POST", "/v1/notifications")
LOOK = ("GET", f"/v1/notifications/{NOTIFICATION}")
SIMPLE = ("send", "--to", "ada@example.test", "--subject", "Hello", "--text", "How are you?")

RETRIED = notification("retrying", life(0, "retrying", DEFERRED, RETRYING))
DONE = notification("delivered", life(0, "delivered", DEFERRED, RETRYING, DELIVERED, ENDED, attempts=2))


def test_what_was_typed_is_submitted(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))

    result = run(
        *("send", "--to", "ada@example.test", "--template", "order-confirmation", "--data", '{"order": 1.10}'),
        *("--locale", "de", "--lane", "high", "--category", "orders", "--expires-in", "24h"),
        *("--metadata", "order_id=1001", "--metadata", "note=a=b"),
    )

    assert result.exit_code == 0
    assert gateway.body() == {
        "recipient": {"email": "ada@example.test", "locale": "de"},
        "channels": ["email"],
        "template": "order-confirmation",
        "data": {"order": 1.1},
        "lane": "high",
        "category": "orders",
        "expires_in": 86400,
        "metadata": {"order_id": "1001", "note": "a=b"},
    }
    assert b'{"order": 1.10}' in gateway.last().content  # the number as it was typed
    assert gateway.last().headers["authorization"] == f"Bearer {KEY}"
    assert gateway.last().headers["content-type"] == "application/json"


def test_content_needs_no_template(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))

    result = run(*SIMPLE)

    assert gateway.body()["content"] == {"email": {"subject": "Hello", "text": "How are you?"}}
    assert result.stdout == f"{NOTIFICATION}\n  email  accepted  {DELIVERY}\n"
    assert result.stderr == ""


def test_a_test_key_is_told(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer({**accepted(), "test": True}, 202))

    assert "no provider is reached" in run(*SIMPLE).stderr


@pytest.mark.parametrize(
    ("args", "channel", "recipient", "content"),
    [
        (("--to", "+12025550143", "--text", "Hi"), "sms", {"phone": "+12025550143"}, {"text": "Hi"}),
        (("--to", "0151 2345-678", "--text", "Hi"), "sms", {"phone": "0151 2345-678"}, {"text": "Hi"}),
        (
            ("--to", "fcm:a:b", "--channel", "push", "--subject", "Hi", "--text", "you"),
            "push",
            {"push": [{"provider": "fcm", "token": "a:b"}]},
            {"title": "Hi", "body": "you"},
        ),
        (
            ("--to", "cust-42", "--channel", "browser", "--subject", "Hi", "--text", "you"),
            "browser",
            {"id": "cust-42"},
            {"title": "Hi", "body": "you"},
        ),
        (
            ("--to", "42", "--channel", "email", "--subject", "Hi", "--text", "you"),
            "email",
            {"email": "42"},
            {"subject": "Hi", "text": "you"},
        ),
    ],
)
def test_each_channel_has_its_recipient_and_its_names_for_a_message(
    run: Run,
    gateway: FakeGateway,
    *,
    args: tuple[str, ...],
    channel: str,
    recipient: dict[str, object],
    content: dict[str, str],
) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))

    assert run("send", *args).exit_code == 0
    assert gateway.body() == {"recipient": recipient, "channels": [channel], "content": {channel: content}}


def test_json_is_the_answer_and_nothing_else(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))

    result = run(*SIMPLE, "--json")

    assert json.loads(result.stdout) == accepted()
    assert result.stderr == ""


@pytest.mark.parametrize("source", ["file", "stdin"])
def test_a_whole_notification_goes_out_as_it_is(run: Run, gateway: FakeGateway, tmp_path: Path, source: str) -> None:
    text = '{"recipient": {"id": "42"}, "channels": [], "data": {"amount": 1.00}}'
    (tmp_path / "notification.json").write_text(text, encoding="utf-8")
    gateway.on(*SUBMIT, answer(accepted(), 202))

    result = run("send", "--file", "notification.json" if source == "file" else "-", stdin=text)

    assert result.exit_code == 0
    assert gateway.last().content == text.encode()


def test_every_submit_has_an_idempotency_key(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))

    run(*SIMPLE)
    made = gateway.last().headers["idempotency-key"]
    run(*SIMPLE, "--idempotency-key", "order-1001")

    assert made == "cli-" + "0" * 32
    assert gateway.last().headers["idempotency-key"] == "order-1001"


def test_a_repeat_is_told_as_one(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202, Idempotent_Replayed="true"))

    result = run(*SIMPLE, "--idempotency-key", "order-1001")

    assert result.exit_code == 0
    assert "nothing is sent again" in result.stderr


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("timed out"),
        httpx.RemoteProtocolError("Server disconnected"),
        problem(503, "The event log did not answer in time."),
    ],
)
def test_where_it_is_open_whether_it_was_taken_the_error_says_how_to_repeat_it(
    run: Run, gateway: FakeGateway, failure: httpx.Response | Exception
) -> None:
    gateway.on(*SUBMIT, failure)

    result = run(*SIMPLE)

    assert result.exit_code == (1 if isinstance(failure, httpx.Response) else 3)
    assert len(gateway.requests) == 1
    assert f"Repeat it with --idempotency-key cli-{'0' * 32}" in result.stderr
    assert result.stdout == ""


def test_each_wrong_place_has_its_line(run: Run, gateway: FakeGateway) -> None:
    wrong = (("/data/name", "is required"), ("/recipient/email", "must be an email address"))
    gateway.on(*SUBMIT, problem(422, "two things", *wrong))

    result = run(*SIMPLE)

    assert result.exit_code == 1
    assert result.stderr == (
        "error: The request is not valid:\n"
        "  /data/name        is required\n"
        "  /recipient/email  must be an email address\n"
    )


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--template", "welcome"), "Say whom to notify"),
        (("--to", "a@b.c"), "Say what to send"),
        (("--to", "a@b.c", "--template", "welcome", "--text", "x"), "leave out --text"),
        (("--to", "+12025550143", "--subject", "x"), "sms has no --subject"),
        (("--to", "a@b.c", "--channel", "pigeon", "--text", "x"), "--channel pigeon"),
        (("--to", "token", "--channel", "push", "--text", "x"), "fcm:TOKEN or apns:TOKEN"),
        (("--to", "a@b.c", "--data", "{}"), "name it with --template"),
        (("--to", "a@b.c", "--template", "welcome", "--data", "{"), "--data is not JSON"),
        (("--to", "a@b.c", "--template", "welcome", "--data", "{}", "--data-file", "x"), "keep one of them"),
        (("--to", "a@b.c", "--template", "welcome", "--data-file", "no.json"), "--data-file no.json cannot be read"),
        (("--to", "a@b.c", "--template", "welcome", "--metadata", "order"), "--metadata order_id=1001"),
        (("--to", "a@b.c", "--template", "welcome", "--expires-in", "soon"), "write it like 90s"),
        (("--to", "a@b.c", "--template", "welcome", "--wait", "1y"), "--wait 1y is not a duration"),
        (("--file", "-", "--to", "a@b.c"), "--file holds the whole notification"),
        (("--file", "-"), "--file - is not JSON"),
        (("--to", "a@b.c", "--template", "welcome", "--idempotency-key", "bestellung-ü"), "takes ASCII only"),
        (("--to", "a@b.c", "--subject", "\udcff", "--text", "x"), "is not UTF-8 text"),
    ],
)
def test_a_wrong_command_line_is_refused_before_anything_is_sent(
    run: Run, gateway: FakeGateway, args: tuple[str, ...], told: str
) -> None:
    result = run("send", *args, stdin="no JSON")

    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stdout == ""
    assert gateway.requests == []


def test_waiting_tells_each_event_once_until_the_end(run: Run, gateway: FakeGateway, time: Time) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    gateway.on(*LOOK, answer(RETRIED), answer(RETRIED), answer(DONE))

    result = run(*SIMPLE, "--wait")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[2:] == [
        "+0.0 s  accepted",
        "+0.1 s  email ada@example.test  attempt 1: deferred  451 4.7.1 · smtp · 12 ms · Greylisted",
        "+0.1 s  email ada@example.test  retrying  next attempt 5.1 s later",
        "+5.3 s  email ada@example.test  attempt 2: delivered  250 2.0.0 · smtp · 12 ms · Ok",
        "+5.3 s  email ada@example.test  delivered  250 2.0.0 · smtp",
    ]
    assert time.passed == 0.5


def test_waiting_on_a_terminal_leaves_the_whole_tree(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    gateway.on(*LOOK, answer(RETRIED), answer(DONE))

    result = run(*SIMPLE, "--wait", terminal=True)

    assert result.exit_code == 0
    assert "next attempt 5.1 s later" in result.stdout
    assert "after 2 attempts" in result.stdout


def test_waiting_with_json_prints_only_the_end(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    gateway.on(*LOOK, answer(RETRIED), answer(DONE))

    result = run(*SIMPLE, "--wait", "--json")

    assert json.loads(result.stdout) == DONE
    assert result.stderr == ""


@pytest.mark.parametrize("last", [notification("dead", life(0, "dead")), {**DONE, "partial": True}])
def test_only_delivered_to_all_is_success(run: Run, gateway: FakeGateway, last: dict[str, object]) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    gateway.on(*LOOK, answer(last))

    assert run(*SIMPLE, "--wait").exit_code == 1


def test_waiting_ends_when_its_time_is_over(run: Run, gateway: FakeGateway, time: Time) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    gateway.on(*LOOK, answer(RETRIED))

    result = run(*SIMPLE, "--wait", "90s")

    assert result.exit_code == 1
    assert time.passed == pytest.approx(90)
    assert f"Look again with: tocsin status {NOTIFICATION}" in result.stderr


def test_waiting_outlasts_an_audit_that_is_behind_and_a_restart(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    away = httpx.ConnectError("Connection refused")
    gateway.on(*LOOK, problem(404, "no"), away, answer(RETRIED), problem(503, "starting"), away, answer(DONE))

    assert run(*SIMPLE, "--wait").exit_code == 0


def test_waiting_gives_a_gateway_up_that_stays_away(run: Run, gateway: FakeGateway, time: Time) -> None:
    gateway.on(*SUBMIT, answer(accepted(), 202))
    gateway.on(*LOOK, answer(RETRIED), httpx.ConnectError("Connection refused"))

    result = run(*SIMPLE, "--wait")

    assert result.exit_code == 3
    assert 30 < time.passed < 35


def test_who_stops_waiting_is_told_how_to_look_again(run: Run, gateway: FakeGateway) -> None:
    def stop(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            raise KeyboardInterrupt
        return answer(accepted(), 202)

    gateway.handle = stop  # type: ignore[method-assign]

    result = run(*SIMPLE, "--wait")

    assert result.exit_code == 130
    assert "It goes on without you" in result.stderr
