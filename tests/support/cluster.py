"""Runs a command of Tocsin on a Kafka and a PostgreSQL of its own: `python -m tests.support.cluster tocsin up --demo`.

Both are started for the command and thrown away with it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.support import kafka, kafka_jars, postgres

TOCSIN = Path(sys.executable).with_name("tocsin")
# Partitions enough for a few processes to share.
TOPICS = """\
min_insync_replicas = 1
max_message_bytes = 1_179_648
[kinds]
delivery = {partitions = 4, retention_hours = 168}
retry = {partitions = 2, retention_hours = 168}
dlq = {partitions = 2, retention_hours = 336}
audit = {partitions = 4, retention_hours = 336}
"""


@contextmanager
def environment(*options: str) -> Iterator[Mapping[str, str]]:
    """Run both, and yield the settings that name them. `options` are PostgreSQL's."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tocsin-cluster-")))
        database = postgres.Server(postgres.binaries())
        stack.callback(database.remove)
        database.start(*options)
        broker = stack.enter_context(kafka.running())
        (folder / "topics.toml").write_text(TOPICS)
        settings = {
            "TOCSIN__KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap,
            "TOCSIN__KAFKA__TOPICS_FILE": str(folder / "topics.toml"),
            "TOCSIN__KAFKA__REPLICATION": "1",
            "TOCSIN__STORE__URL": database.url,
        }
        commands: tuple[list[str | Path], ...] = ([TOCSIN, "topics", "apply", "--yes"], [TOCSIN, "migrate"])
        for command in commands:
            subprocess.run(command, env={**os.environ, **settings}, check=True, stdout=subprocess.DEVNULL)
        yield settings


def main(arguments: list[str]) -> int:
    """Run the command until it ends; a signal is the command's."""
    if (reason := kafka_jars.missing()) is not None:
        sys.exit(f"Kafka cannot run here: {reason}")
    print("Starting Kafka and PostgreSQL …", flush=True)  # noqa: T201 - a program that people run
    with environment() as settings:
        # If we are killed, it drains and ends: nobody would ever end it, and its ports would stay taken.
        guard = ("setpriv", "--pdeathsig", "TERM") if shutil.which("setpriv") else ()
        process = subprocess.Popen([*guard, *arguments], env={**os.environ, **settings})
        for number in (signal.SIGINT, signal.SIGTERM):
            # Ctrl-C reaches the command as well, which ends in order; only what was sent to us alone is passed on.
            signal.signal(number, lambda given, _: process.terminate() if given == signal.SIGTERM else None)
        return process.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
