"""The promises on Kafka and PostgreSQL: whatever dies or is cut off under load, nothing is lost. Prints its tables.

The gateway runs as its users run it, each service in a process of its own. The short form has the troubles in turn.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.chaos.kafka_ordeal import (
    Ordeal,
    brokers_killed,
    database_crashed,
    endured,
    in_turn,
    network_bad,
    storm,
    workers_killed,
)
from tests.chaos.kafka_stage import Stage, staged
from tests.chaos.kafka_verdict import table
from tests.support import kafka_jars

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(400)]

SHORT = {
    "worker killed, rebalances, broker killed": Ordeal(
        trouble=in_turn(
            workers_killed(1, least=0.2, most=1),
            storm(1, pace=0.5),
            brokers_killed(1, least=0.2, most=1, outage=0.5),
        ),
        seconds=10,
    ),
    "bad network": Ordeal(trouble=network_bad("kafka", "postgres", rest=0.5, silence=1), seconds=8, proxied=True),
}
LONG = {
    "worker killed": Ordeal(trouble=workers_killed(6, least=4, most=8), seconds=60),
    "rebalance storm": Ordeal(trouble=storm(15, pace=1.5), seconds=60),
    "broker killed": Ordeal(trouble=brokers_killed(4, least=4, most=8, outage=6), seconds=60),
    "PostgreSQL crashed": Ordeal(trouble=database_crashed(5, least=4, most=8, outage=6), seconds=60),
    # Silent for more than two sessions: whoever was a member is none any more.
    "bad network to Kafka": Ordeal(
        trouble=network_bad("kafka", rest=5, silence=14, rounds=2), seconds=70, proxied=True
    ),
    # Silent for longer than a statement may take, and than a claim holds.
    "bad network to PostgreSQL": Ordeal(
        trouble=network_bad("postgres", rest=5, silence=18, rounds=2), seconds=70, proxied=True
    ),
    "each of three brokers killed": Ordeal(trouble=brokers_killed(3, least=4, most=8, outage=6), seconds=60, brokers=3),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    chosen = LONG if metafunc.config.getoption("--long") else SHORT
    metafunc.parametrize(
        ("name", "ordeal"), chosen.items(), ids=[name.replace(",", "").replace(" ", "-") for name in chosen]
    )


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[int], Stage]]:
    """Return what sets the stage with so many brokers, or has the one that stands. One stands at a time."""
    if reason := kafka_jars.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with ExitStack() as stack:
        standing: dict[int, Stage] = {}

        def stage(brokers: int) -> Stage:
            if brokers not in standing:
                standing.clear()
                stack.close()
                standing[brokers] = stack.enter_context(staged(tmp_path_factory.mktemp("stage"), brokers=brokers))
            return standing[brokers]

        yield stage


@pytest.fixture
def stage(stages: Callable[[int], Stage], ordeal: Ordeal) -> Stage:
    """The stage for an ordeal. Not set by the test: that takes a while, and a loop of its own."""
    return stages(ordeal.brokers)


async def test_whatever_dies_or_is_cut_off_under_load_nothing_is_lost(
    name: str, ordeal: Ordeal, stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = await endured(name, stage, ordeal)
    with capsys.disabled():
        print(f"\n{table([verdict.row])}")  # noqa: T201 - the figures are what is asked for
