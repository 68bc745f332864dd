"""The intake of settings: a new secret is in use at once, and what went out with the old one is still known."""

from pathlib import Path

import pytest

from channels.email.bounce_intake import BounceIntake, intake
from channels.email.receiving import Receiving
from channels.email.reference import References
from channels.email.return_path import ReturnPaths
from tests.support.clock import ManualClock
from tests.support.recording import FULL, Recorder
from tests.unit.email.coming_back import REFERENCE, notification, return_path
from tocsin.errors import LogUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.receipts import Verdict
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load

OLD, NEW = "the old secret, 32 characters ...", "the new secret, and longer than that"


def address(secret: str) -> str:
    return return_path(paths=ReturnPaths(References(secret), domain="bounces.example.com"))


def made(tmp_path: Path, receiving: Receiving) -> BounceIntake:
    (tmp_path / "secret").write_text(OLD)
    section = {"domain": "bounces.example.com", "secret_file": str(tmp_path / "secret")}
    settings = load(setting_sections(), path=None, environ={}, overrides={"bounces": section})
    found = intake(settings, receiving, ManualClock())
    assert found is not None
    return found


def test_a_new_secret_takes_the_old_one_along(tmp_path: Path) -> None:
    taking = made(tmp_path, Receiving(publisher=Recorder(), metrics=Metrics(version="1")))
    before = (taking.reference(address(OLD)), taking.reference(address(NEW)))
    (tmp_path / "secret").write_text(NEW)
    after = (taking.reference(address(OLD)), taking.reference(address(NEW)))
    (tmp_path / "secret").write_text("")
    broken = (taking.reference(address(OLD)), taking.reference(address(NEW)))

    assert before == (REFERENCE, None)
    assert after == broken == (REFERENCE, REFERENCE)


async def test_the_same_told_again_and_again_is_written_once_and_blames_nobody_twice(tmp_path: Path) -> None:
    verdicts: list[Verdict] = []
    recorder = Recorder(fails=FULL)
    taking = made(tmp_path, Receiving(publisher=recorder, metrics=Metrics(version="1"), on_verdict=verdicts.append))
    policy = notification(to=address(OLD), status="5.7.1", diagnostic="smtp; 550 5.7.1 blocked")
    with pytest.raises(LogUnavailable):
        await taking.take(policy)
    recorder.fails = None
    results = [await taking.take(policy) for _ in range(3)]
    dead = await taking.take(notification(to=address(OLD)))

    assert [*results, dead] == ["bounced"] * 4
    assert ["address" in event.data for event in recorder.events] == [False, True]
    assert len(verdicts) == 1


async def test_what_a_receipt_says_of_its_provider_is_told_once_it_is_durable(tmp_path: Path) -> None:
    verdicts: list[Verdict] = []
    recorder = Recorder()
    taking = made(tmp_path, Receiving(publisher=recorder, metrics=Metrics(version="1"), on_verdict=verdicts.append))
    policy = notification(to=address(OLD), status="5.7.1", diagnostic="smtp; 550 5.7.1 blocked")
    results = [await taking.take(raw) for raw in (policy, notification(to=address(OLD)))]

    assert results == ["bounced", "bounced"]
    assert verdicts == [Verdict(channel="email", provider="smtp", arrived=False)]
    assert len(recorder.events) == 2
