"""`tocsin sms estimate`: what a text would come to."""

import json
from typing import Any

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import FakeGateway, answer

PATH = "/v1/sms/estimate"
NUMBER = "+4915112345678"
FITS: dict[str, Any] = {
    "region": "DE",
    "encoding": "gsm7",
    "segments": 2,
    "price": 0.17,
    "currency": "EUR",
    "refusal": None,
}


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_text(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", PATH, answer(FITS))

    result = run("sms", "estimate", NUMBER, "Your code is 123.")

    assert gateway.body() == {"to": NUMBER, "text": "Your code is 123."}
    assert (result.exit_code, lines(result.stdout)) == (0, ["region    DE", "segments  2 (gsm7)", "price     0.17 EUR"])


def test_a_template(run: Run, gateway: FakeGateway) -> None:
    gateway.on("POST", PATH, answer(FITS))

    result = run(
        *("sms", "estimate", NUMBER, "--template", "welcome", "--data", '{"name": "Ada"}', "--locale", "de", "--json")
    )

    assert gateway.body() == {"to": NUMBER, "template": "welcome", "data": {"name": "Ada"}, "locale": "de"}
    assert json.loads(result.stdout) == FITS


def test_what_would_not_be_sent(run: Run, gateway: FakeGateway) -> None:
    refusal = {"reason": "price_unknown", "detail": "sms.prices has no price of numbers of DE"}
    gateway.on("POST", PATH, answer({**FITS, "price": None, "currency": None, "refusal": refusal}))

    result = run("sms", "estimate", NUMBER, "hello")

    assert lines(result.stdout)[2:] == [
        "price     not known: sms.prices has none",
        "refused   price_unknown: sms.prices has no price of numbers of DE",
    ]


def test_data_that_is_no_json_is_refused_here(run: Run, gateway: FakeGateway) -> None:
    result = run("sms", "estimate", NUMBER, "--template", "welcome", "--data", "{name}")

    assert (result.exit_code, gateway.requests) == (2, [])
    assert "--data is not JSON" in result.stderr
