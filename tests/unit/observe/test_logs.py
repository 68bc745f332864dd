"""One log line through everything: loguru, the standard library, exceptions; as JSON and for people."""

import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from tocsin.observe.logs import configure

Format = Literal["auto", "pretty", "json"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root, level = list(logging.getLogger().handlers), logging.getLogger().level
    yield
    logging.captureWarnings(capture=False)
    logging.basicConfig(handlers=root, level=level, force=True)
    logger.remove()
    logger.configure(patcher=lambda _: None)


def logged(
    say: Callable[[], object], *, form: Format = "json", level: str = "INFO", stream: io.StringIO | None = None
) -> str:
    stream = stream or io.StringIO()
    configure(level=level, format=form, stream=stream)
    say()
    return stream.getvalue()


def line(say: Callable[[], object]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(logged(say))
    return found


def refuse(address: str) -> None:
    raise ValueError(f"no such user {address}")


def failing(address: str) -> None:
    try:
        try:
            refuse(address)
        except ValueError as error:
            raise RuntimeError(f"could not send to {address}") from error
    except RuntimeError:
        logger.exception("attempt_failed", delivery="dlv_1")


def test_json_lines_are_flat() -> None:
    found = line(lambda: logger.info("worker_started", channel="email", in_flight=3, level="x"))

    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "info",
        "event": "worker_started",
        "logger": __name__,
        "channel": "email",
        "in_flight": 3,
        "level_": "x",
    }


def test_bound_fields_are_kept() -> None:
    assert line(lambda: logger.bind(group="g").info("seen"))["group"] == "g"


@given(st.emails(domains=st.just("example.com")))
def test_no_address_gets_into_any_part_of_a_line(address: str) -> None:
    def say() -> None:
        logger.info("sent to {}", address)
        logger.bind(note=address).info("seen", nested={"deep": [address]}, error=ValueError(address))
        failing(address)
        logging.getLogger("somebody.else").warning("no route to %s", address)

    forms: tuple[Format, Format] = ("json", "pretty")
    assert all("example.com" not in logged(say, form=form) for form in forms)


def test_exceptions_are_told_with_their_causes_but_not_their_variables() -> None:
    found = line(lambda: failing("alice@example.com"))

    assert "ValueError: no such user [redacted]" in found["traceback"]
    assert found["traceback"].rstrip().endswith("RuntimeError: could not send to [redacted]")
    assert "alice" not in json.dumps(found)


def test_standard_library_loggers_arrive() -> None:
    found = line(lambda: logging.getLogger("uvicorn.error").error("no {braces} %s", "here"))

    assert (found["level"], found["event"], found["logger"]) == ("error", "no {braces} here", "uvicorn.error")


def test_standard_library_exceptions_and_odd_levels_arrive() -> None:
    def say() -> None:
        logging.getLogger("x").log(25, "odd")
        try:
            refuse("alice@example.com")
        except ValueError:
            logging.getLogger("x").exception("failed")

    odd, failed = (json.loads(each) for each in logged(say).splitlines())

    assert odd["level"] == "level 25"
    assert failed["traceback"].rstrip().endswith("ValueError: no such user [redacted]")


def test_warnings_arrive() -> None:
    def say() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(capture=False)
            logging.captureWarnings(capture=True)
            warnings.warn("old", stacklevel=1)

    assert line(say)["logger"] == "py.warnings"


def test_broken_arguments_do_not_lose_the_line() -> None:
    assert line(lambda: logging.getLogger("x").error("%d", "no number"))["event"] == "%d"


def test_requests_are_not_told_one_by_one() -> None:
    assert logged(lambda: logging.getLogger("uvicorn.access").info("GET /v1/x")) == ""


def test_level_holds_for_all() -> None:
    def say() -> None:
        logger.info("no")
        logging.getLogger("x").info("no")
        logger.warning("yes")

    assert [json.loads(each)["event"] for each in logged(say, level="WARNING").splitlines()] == ["yes"]


def test_pretty_lines_cannot_be_forged() -> None:
    told = logged(lambda: logger.info("one\n12:00:00 INFO two\x1b[2J", name="a\nb"), form="pretty")

    assert told.count("\n") == 1
    assert "\x1b" not in told


def test_pretty_shows_fields_and_traceback() -> None:
    told = logged(lambda: failing("alice@example.com"), form="pretty")

    assert told.splitlines()[0].endswith("ERROR   attempt_failed  delivery=dlv_1")
    assert told.endswith("RuntimeError: could not send to [redacted]\n")


def test_auto_is_pretty_on_a_terminal_only() -> None:
    assert logged(lambda: logger.error("e"), form="auto", stream=Terminal()).startswith("\x1b[31m")
    assert logged(lambda: logger.error("e"), form="auto").startswith("{")


def test_lone_surrogates_and_numbers_that_json_has_not_are_written() -> None:
    found = line(lambda: logger.info("odd \udc80", number=float("nan")))

    assert found["event"] == "odd \\udc80"
    assert found["number"] is None
