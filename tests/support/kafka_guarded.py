"""A Kafka that does not let everybody in: TLS at one door, passwords at another, and a user who may do nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme
from aiokafka.admin import AIOKafkaAdminClient  # type: ignore[import-untyped]
from aiokafka.protocol.admin import CreateAclsRequest  # type: ignore[import-untyped]
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tests.support import kafka
from tests.support.kafka import Guard
from tests.support.ports import held_ports

USER, PASSWORD = "tocsin", "hunter2hunter2"
STRANGER, SERVICE, OPERATOR = "stranger", "service", "operator"

# Kafka's codes of resources and operations (Kafka protocol, CreateAcls).
TOPIC, GROUP = 2, 3
READ, WRITE, CREATE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS = 3, 4, 5, 7, 8, 10, 11
_PREFIXED, _ALLOW = 4, 3

_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarded:
    """Where a Kafka lets whom in: anybody at `open`, over TLS at `tls`, with a password at `sasl`, with both at `both`.

    `ca_file` vouches for its certificate. `USER` may do everything; the others, who have the same password, nothing
    but what `allow` lets them do.
    """

    open: str
    tls: str
    sasl: str
    both: str
    ca_file: Path

    async def allow(self, user: str, resource: int, prefix: str, *operations: int) -> None:
        """Let a user do something with all topics, or groups, whose names begin alike."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.open)
        await admin.start()
        try:
            for operation in operations:
                asked = CreateAclsRequest(resource, prefix, _PREFIXED, f"User:{user}", "*", operation, _ALLOW)
                answer = await admin._send_to_controller(asked)
                assert [code for code, _ in answer.creation_responses] == [0]
        finally:
            await admin.close()


@contextmanager
def running(folder: Path) -> Iterator[Guarded]:
    """Run one for the length of the block; the folder is for its certificate."""
    ca_file, keystore = _certificates(folder)
    with held_ports(3) as (tls, sasl, both), kafka.running(guard=_guard(keystore, tls, sasl, both)) as cluster:
        yield Guarded(
            open=cluster.bootstrap,
            tls=f"127.0.0.1:{tls}",
            sasl=f"127.0.0.1:{sasl}",
            both=f"127.0.0.1:{both}",
            ca_file=ca_file,
        )


def _guard(keystore: Path, tls: int, sasl: int, both: int) -> Guard:
    return Guard(
        doors={"TLS": ("SSL", tls), "SASL": ("SASL_PLAINTEXT", sasl), "BOTH": ("SASL_SSL", both)},
        properties={
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            **{f"listener.name.{name}.scram-sha-512.sasl.jaas.config": _SCRAM for name in ("sasl", "both")},
            "authorizer.class.name": _AUTHORIZER,
            # Who comes by the other doors, the broker itself among them, has no name.
            "super.users": f"User:{USER};User:ANONYMOUS",
        },
        users=dict.fromkeys((USER, STRANGER, SERVICE, OPERATOR), PASSWORD),
    )


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Return the authority's certificate, and the broker's with its key: Kafka reads PKCS #8 only."""
    authority, ca_file, keystore = trustme.CA(), folder / "ca.pem", folder / "broker.pem"
    issued = authority.issue_cert("127.0.0.1")
    key = load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    keystore.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + chain)
    authority.cert_pem.write_to_path(str(ca_file))
    return ca_file, keystore
