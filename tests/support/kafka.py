"""A real Kafka cluster from its jars: KRaft, loopback, a temporary folder, nothing left behind.

`make kafka` (`make kafka BROKERS=3`) runs one in the foreground; `running` is the same for tests.
"""

import argparse
import asyncio
import contextlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError  # type: ignore[import-untyped]

from tests.support import kafka_jars
from tests.support.ports import held_ports

_START_SECONDS = 60.0
_STOP_SECONDS = 15.0
_FIRST_PORT = 9092
_COPIES = 3

_PROPERTIES = """\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},BEHIND://127.0.0.1:{behind}{doors}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},BEHIND://127.0.0.1:{proxy}{doors}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BEHIND:PLAINTEXT{protocols}
log.dirs={data}
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
offsets.topic.num.partitions={brokers}
offsets.topic.replication.factor={copies}
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr=1
log.cleaner.dedupe.buffer.size=4194304
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """How one broker is guarded. `doors`: more listeners, by name the protocol and the port; `properties`: the broker's
    own words; `users`: their passwords, for SCRAM-SHA-512."""

    doors: Mapping[str, tuple[str, int]]
    properties: Mapping[str, str]
    users: Mapping[str, str]

    def lines(self) -> str:
        """Return the properties, a line each."""
        return "".join(f"{name}={value}\n" for name, value in self.properties.items())


_OPEN = Guard(doors={}, properties={}, users={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One broker, controller included. Its folder holds its properties, its data and what it says.

    `behind`: where a proxy reaches it, whose own port is `proxy`. Whoever comes that way is told that way only.
    """

    id: int
    port: int
    controller: int
    folder: Path
    behind: int
    proxy: int

    @property
    def address(self) -> str:
        """Where clients reach it."""
        return f"127.0.0.1:{self.port}"

    def log(self) -> str:
        """Return what it has said."""
        said = self.folder / "broker.log"
        return said.read_text(errors="replace") if said.exists() else ""


class Cluster:
    """Brokers that run. `bootstrap` is what clients are given."""

    def __init__(self, nodes: Sequence[Node], *, heap: str) -> None:
        self.nodes = nodes
        self.bootstrap = ",".join(node.address for node in nodes)
        self._heap = heap
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def start(self, node: Node) -> None:
        """Start a broker that does not run."""
        with (node.folder / "broker.log").open("ab") as said:
            command = [*_java(self._heap), "kafka.Kafka", str(node.folder / "server.properties")]
            # If we are killed, so is it. It keeps its process id, by which it is ended.
            guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
            self._processes[node.id] = subprocess.Popen(
                [*guard, *command], stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
            )

    def signal(self, node: Node, number: signal.Signals) -> None:
        """Send a signal to a broker, such as SIGSTOP."""
        self._processes[node.id].send_signal(number)

    def stop(self, node: Node, *, hard: bool = False) -> None:
        """End a broker: in order, or at once."""
        process = self._processes.pop(node.id)
        if hard:
            process.kill()
        else:
            process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End every broker that runs, at once: their data is thrown away."""
        for node in self.nodes:
            if node.id in self._processes:
                self.stop(node, hard=True)

    def ready(self) -> None:
        """Return once every broker is known and groups can be coordinated. Raises RuntimeError if it takes too long."""
        deadline = time.monotonic() + _START_SECONDS
        while not (self._listens() and asyncio.run(answers(self.bootstrap, brokers=len(self.nodes)))):
            for node in self.nodes:
                if (process := self._processes.get(node.id)) is not None and process.poll() is not None:
                    raise RuntimeError(f"Kafka broker {node.id} ended:\n{node.log()[-4000:]}")
            if time.monotonic() > deadline:
                logs = "\n".join(node.log()[-2000:] for node in self.nodes)
                raise RuntimeError(f"Kafka was not ready within {_START_SECONDS:g} s:\n{logs}")
            time.sleep(0.1)

    def _listens(self) -> bool:
        """Return whether there is anybody to ask: aiokafka logs each attempt that fails."""
        for node in self.nodes:
            try:
                socket.create_connection(("127.0.0.1", node.port), timeout=1).close()
            except OSError:
                return False
        return True


async def answers(bootstrap: str, *, brokers: int) -> bool:
    """Return whether so many brokers are there and a group's coordinator is found: only then can groups work."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=5000)
    try:
        await admin.start()
        found = await admin.describe_cluster()
        if len(found["brokers"]) < brokers:
            return False
        await admin.find_coordinator("readiness")
    except (KafkaError, OSError):
        return False
    finally:
        with contextlib.suppress(KafkaError):
            await admin.close()
    return True


@contextmanager
def running(
    *, brokers: int = 1, heap: str = "256m", ports: Sequence[int] = (), guard: Guard = _OPEN
) -> Iterator[Cluster]:
    """Run a cluster for the length of the block. `ports`: those of the brokers, else free ones."""
    with tempfile.TemporaryDirectory(prefix="tocsin-kafka-") as name, ExitStack() as stack:
        others = stack.enter_context(held_ports(3 * brokers))
        ports = ports or stack.enter_context(held_ports(brokers))
        nodes = _laid_out(Path(name), brokers=brokers, ports=ports, others=others, guard=guard)
        _format(nodes, guard.users)
        cluster = Cluster(nodes, heap=heap)
        stack.callback(cluster.close)
        for node in nodes:
            cluster.start(node)
        cluster.ready()
        yield cluster


def _laid_out(root: Path, *, brokers: int, ports: Sequence[int], others: Sequence[int], guard: Guard) -> list[Node]:
    nodes = [
        Node(id=number, port=port, controller=controller, folder=root / str(number), behind=behind, proxy=proxy)
        for number, (port, controller, behind, proxy) in enumerate(
            zip(ports, others[::3], others[1::3], others[2::3], strict=True), start=1
        )
    ]
    voters = ",".join(f"{node.id}@127.0.0.1:{node.controller}" for node in nodes)
    for node in nodes:
        node.folder.mkdir()
        text = _PROPERTIES.format(
            id=node.id,
            voters=voters,
            port=node.port,
            controller=node.controller,
            behind=node.behind,
            proxy=node.proxy,
            data=node.folder / "data",
            brokers=brokers,
            copies=min(_COPIES, brokers),
            doors="".join(f",{name}://127.0.0.1:{port}" for name, (_, port) in guard.doors.items()),
            protocols="".join(f",{name}:{protocol}" for name, (protocol, _) in guard.doors.items()),
        )
        (node.folder / "server.properties").write_text(text + guard.lines())
    return nodes


def _format(nodes: Sequence[Node], users: Mapping[str, str]) -> None:
    cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    while cluster.startswith("-"):  # which the tool would take for an option
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    known = [f"SCRAM-SHA-512=[name={name},password={password}]" for name, password in users.items()]
    more = [word for user in known for word in ("--add-scram", user)]
    for node in nodes:
        properties = str(node.folder / "server.properties")
        command = ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", properties, *more]
        done = subprocess.run([*_java("128m"), *command], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"Kafka's storage could not be formatted:\n{done.stdout}{done.stderr}")


def _java(heap: str) -> list[str]:
    # Brokers of tests live for a minute: the compiler that is ready at once beats the one that is best.
    quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
    quiet = ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dlog4j2.level=OFF"]
    return ["java", f"-Xmx{heap}", *quick, *quiet, "-cp", f"{kafka_jars.fetched()}/*"]


def main() -> None:
    """Run a cluster until interrupted."""
    parser = argparse.ArgumentParser(description="Run Kafka on this machine, for trying and testing; data is not kept.")
    parser.add_argument("--brokers", type=int, default=1)
    parser.add_argument("--heap", default="512m", help="of each broker")
    arguments = parser.parse_args()
    if (reason := kafka_jars.missing()) is not None:
        sys.exit(f"Kafka cannot run here: {reason}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    ports = [_FIRST_PORT + number for number in range(arguments.brokers)]
    with contextlib.suppress(KeyboardInterrupt):
        print("Starting Kafka …", flush=True)  # noqa: T201 - a program that people run
        with running(brokers=arguments.brokers, heap=arguments.heap, ports=ports) as cluster:
            print(f"Kafka is ready at {cluster.bootstrap}. Ctrl-C ends it and throws its data away.", flush=True)  # noqa: T201
            print(f"export TOCSIN__KAFKA__BOOTSTRAP_SERVERS={cluster.bootstrap}", flush=True)  # noqa: T201
            print(f"export TOCSIN__KAFKA__REPLICATION={min(_COPIES, arguments.brokers)}", flush=True)  # noqa: T201
            signal.pause()


if __name__ == "__main__":
    main()
