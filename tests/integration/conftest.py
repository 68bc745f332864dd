"""Real servers for the integration tests, each in a private instance."""

import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import postfix_instance
from tests.integration.certificates import Certificates, issue
from tests.integration.postfix_instance import Postfix
from tests.integration.scripted_smtp import ScriptedServer
from tests.support.ports import held_ports


@pytest.fixture(scope="session")
def public_folder() -> Iterator[Path]:
    """Return a temporary folder that other users may enter, as Postfix's processes must (pytest's are private)."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def certificates(public_folder: Path) -> Certificates:
    return issue(public_folder)


@pytest.fixture(scope="session")
def postfix(public_folder: Path, certificates: Certificates) -> Iterator[Postfix]:
    """Return a Postfix. Without one: skipped here, a failure in CI."""
    reason = postfix_instance.missing()
    if reason and os.environ.get("CI"):
        pytest.fail(reason)
    if reason:
        pytest.skip(reason)
    root = public_folder / "postfix"
    root.mkdir()
    with held_ports(2) as ports:
        proof = {"certificate": certificates.certificate, "key": certificates.key}
        instance = postfix_instance.start(root, ports=ports, **proof)
        yield instance
        postfix_instance.stop(instance)


@pytest.fixture
async def scripted() -> AsyncIterator[Callable[..., Any]]:
    """Return a function that starts a scripted server (see ScriptedServer for its arguments)."""
    servers: list[ScriptedServer] = []

    async def start(**arguments: Any) -> ScriptedServer:
        server = ScriptedServer(**arguments)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()
