"""Scenario 18 on Kafka and PostgreSQL: what a signal does to a gateway at work."""

import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration.test_signals import (
    COUNT,
    all_delivered,
    held,
    signalled_until_it_ends,
    slow_mail_server,
    submit,
)
from tests.support import cluster, kafka_jars
from tests.support.processes import serving
from tests.support.waiting import until

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(180)]

# A process that is killed holds its partitions for a session, and what it was sending for a lease.
SOON = {
    "TOCSIN__KAFKA__SESSION_SECONDS": "6",
    "TOCSIN__KAFKA__HEARTBEAT_SECONDS": "1",
    "TOCSIN__WORKER__ATTEMPT_SECONDS": "5",
    "TOCSIN__WORKER__LEASE_SECONDS": "8",
}


@pytest.fixture(scope="module")
def environment() -> Iterator[Mapping[str, str]]:
    """Return the settings of a cluster of this module's own, since its topics have the real names."""
    if reason := kafka_jars.missing():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with cluster.environment() as settings:
        yield {**settings, **SOON}


async def test_a_signal_under_load_drains_and_no_send_is_repeated(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    async with slow_mail_server() as (mailbox, _, port):
        async with serving(tmp_path, smtp_port=port, **environment) as gateway:
            notifications = await submit(gateway, COUNT)
            await until(lambda: mailbox.total > 20, what="some mails")
            gateway.signal(signal.SIGTERM)

            assert await gateway.exit_code(within=60) == 0
        assert mailbox.total < COUNT
        async with serving(tmp_path, smtp_port=port, **environment) as gateway:
            await all_delivered(gateway, notifications)

        assert set(mailbox.by_recipient.values()) == {1}
        assert len(mailbox.by_recipient) == COUNT


async def test_a_second_signal_exits_at_once_and_nothing_is_lost(
    tmp_path: Path, environment: Mapping[str, str]
) -> None:
    async with slow_mail_server() as (mailbox, faults, port):
        async with serving(tmp_path, smtp_port=port, **environment) as gateway:
            notifications = await submit(gateway, COUNT)
            await until(lambda: mailbox.total > 20, what="some mails")
            await held(faults)

            assert await signalled_until_it_ends(gateway) == 128 + signal.SIGTERM
        faults.reset()
        async with serving(tmp_path, smtp_port=port, **environment) as gateway:
            await all_delivered(gateway, notifications)

        assert len(mailbox.by_recipient) == COUNT
