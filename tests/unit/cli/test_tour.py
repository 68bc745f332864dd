"""The demo's tour: which acts the enabled channels allow, and what it tells of each."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.unit.cli.support import (
    DEFERRED,
    DELIVERED,
    ENDED,
    KEY,
    NOTIFICATION,
    RETRYING,
    FakeGateway,
    Time,
    accepted,
    answer,
    attempted,
    event,
    life,
    notification,
    problem,
    world,
)
from tocsin.cli import acts, output, tour
from tocsin.cli.access import Access
from tocsin.cli.story import story
from tocsin.runtime.gateway import Started

ALL = frozenset({"browser", "email", "push", "sms"})
PAGE = "http://127.0.0.1:8190"
SUBSCRIPTION = {"endpoint": f"{PAGE}/webpush/push/1", "keys": {"p256dh": "p", "auth": "a"}}
ACCESS = Access(url="http://127.0.0.1:8080", key=KEY, key_source="a test")


def started(channels: frozenset[str]) -> Started:
    pages = {name: f"{PAGE}/{name}/" for name in ("fcm", "smtp", "twilio", "webpush")}
    return Started(
        url=ACCESS.url,
        key=KEY,
        key_is_new=True,
        key_file=Path("data/demo.key"),
        simulators=pages,
        data_dir=Path("data"),
        channels=channels,
    )


@pytest.fixture
def ready(gateway: FakeGateway) -> FakeGateway:
    """Return a gateway that delivers at once, and a push service that makes subscriptions."""
    delivered = notification("delivered", life(0, "delivered", DELIVERED, ENDED))
    gateway.on("POST", "/v1/notifications", answer(accepted(), 202))
    gateway.on("GET", f"/v1/notifications/{NOTIFICATION}", answer(delivered))
    gateway.on("POST", "/webpush/subscriptions", answer({**SUBSCRIPTION, "expirationTime": None}, 201))
    return gateway


def submitted(gateway: FakeGateway) -> list[dict[str, Any]]:
    """Return what was submitted."""
    posts = [each for each in gateway.requests if (each.method, each.url.path) == ("POST", "/v1/notifications")]
    return [httpx.Response(200, content=each.content).json() for each in posts]


def test_all_channels_are_shown_and_one_person_has_all_of_them(
    ready: FakeGateway, time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    tour.show(ACCESS, started(ALL), world(ready, time, {}, lambda: False))

    sent, told = submitted(ready), capsys.readouterr().out
    assert [set(each["channels"]) for each in sent] == [ALL, {"email"}, {"push"}, {"email"}, {"sms"}, {"email", "push"}]
    assert sent[0]["recipient"]["browser"] == [SUBSCRIPTION]
    assert re.findall(r"^(\d)\. ", told, re.MULTILINE) == ["1", "2", "3", "4", "5", "6"]
    assert "The gateway stays up" in told
    assert f"What was received: {PAGE}/\n" in told
    assert re.search(rf"mails +{PAGE}/smtp/", told)


@pytest.mark.parametrize("channel", sorted(ALL))
def test_an_act_whose_channel_is_off_is_left_out(
    ready: FakeGateway, time: Time, capsys: pytest.CaptureFixture[str], channel: str
) -> None:
    tour.show(ACCESS, started(frozenset({channel})), world(ready, time, {}, lambda: False))

    assert {each for sent in submitted(ready) for each in sent["channels"]} == {channel}
    assert "The gateway stays up" in capsys.readouterr().out


def test_what_is_lost_has_another_address_at_each_run_and_the_same_within_one() -> None:
    first, second = ([act.document for act in acts.acts(run, channels=ALL, subscription=SUBSCRIPTION)] for run in "ab")

    assert first[1]["recipient"]["email"] == first[-1]["recipient"]["email"] != second[1]["recipient"]["email"]
    assert first[-1]["recipient"]["push"][0] in first[2]["recipient"]["push"]
    assert first[-1]["recipient"]["push"] != second[-1]["recipient"]["push"]


def test_without_any_channel_there_is_nothing_to_show() -> None:
    assert list(acts.acts("a", channels=(), subscription=None)) == []


def test_only_the_keys_behind_a_browsers_url_are_cut_off_an_address() -> None:
    assert output.address('"ada b"@example.test', most=40) == '"ada b"@example.test'
    assert output.address("https://push.example/1 key auth", most=40) == "https://push.example/1"
    assert output.address("https://push.example/1 key auth", most=10) == "https://p…"


def test_without_a_mail_that_takes_its_time_a_suppression_is_waited_for() -> None:
    *_, last = acts.acts("a", channels={"push"}, subscription=None)

    assert last.rest_seconds > 2


def test_a_gateway_that_refuses_ends_the_tour_in_words(
    ready: FakeGateway, time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.on("POST", "/v1/notifications", problem(503, "The log is full."))

    tour.show(ACCESS, started(ALL), world(ready, time, {}, lambda: False))

    assert "The demo stopped" in capsys.readouterr().err


def test_a_push_service_that_is_away_ends_the_tour_in_words(
    ready: FakeGateway, time: Time, capsys: pytest.CaptureFixture[str]
) -> None:
    ready.on("POST", "/webpush/subscriptions", httpx.ConnectError("refused"))

    tour.show(ACCESS, started(ALL), world(ready, time, {}, lambda: False))

    assert f"the simulator at {PAGE}/webpush/ made no subscription" in capsys.readouterr().err


def told(document: dict[str, Any], capsys: pytest.CaptureFixture[str], columns: int) -> str:
    console = output.out()
    console.width = columns
    console.print(story("1. A title", document))
    return "".join(line.rstrip() + "\n" for line in capsys.readouterr().out.splitlines())


def test_the_story_of_a_retried_mail(capsys: pytest.CaptureFixture[str]) -> None:
    document = notification("delivered", life(0, "delivered", DEFERRED, RETRYING, DELIVERED, ENDED, attempts=2))

    assert (
        told(document, capsys, 100)
        == f"""
1. A title
   {NOTIFICATION}  delivered
   email  ada@example.test  delivered
     +0.1 s  attempt 1: deferred   451 4.7.1 · smtp · 12 ms · Greylisted
     +0.1 s  retrying              next attempt 5.1 s later
     +5.3 s  attempt 2: delivered  250 2.0.0 · smtp · 12 ms · Ok
"""
    )


def test_the_story_of_a_failover_and_of_a_dead_letter(capsys: pytest.CaptureFixture[str]) -> None:
    tried = [{"provider": "twilio", "outcome": "rejected", "code": "400 21612"}]
    over = attempted(1, "12:00:00.100", "delivered", "0", "Ok")
    over["data"]["tried"] = tried
    dead = event("delivery.dead", "12:00:00.200", 1, reason="rejected", dead_letter_id="dlt_1")

    assert "0 · smtp · after twilio 400 21612 · 12 ms" in told(
        notification("delivered", life(0, "x", over)), capsys, 100
    )
    assert "+0.2 s  dead  dead letter dlt_1" in told(notification("dead", life(0, "dead", dead)), capsys, 100)


def test_no_line_of_a_story_is_wider_than_the_terminal_and_no_key_of_a_browser_is_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    document = notification("delivered", life(0, "delivered", DEFERRED, RETRYING, DELIVERED))
    document["deliveries"][0]["address"] = f"{PAGE}/webpush/push/{'x' * 40} secret-key secret"

    lines = told(document, capsys, 48).splitlines()

    assert max(map(len, lines)) <= 48
    assert len(lines) == 7
    assert "secret" not in "".join(lines)
