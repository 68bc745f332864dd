"""Where the mail goes: Postfix's `smtp-sink`, or a sink of our own (`sink`)."""

import os
import shutil
from dataclasses import dataclass

from benchmarks.children import Child, Children, Failed, free_port, listening

SMTP_SINK_BACKLOG = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A mail server on the loopback interface."""

    port: int
    child: Child


def postfix(children: Children) -> Sink:
    """Start `smtp-sink`. Raises Failed."""
    command = tool("smtp-sink", package="postfix")
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    port = free_port()
    child = children.start("smtp-sink", [command, *user, f"127.0.0.1:{port}", str(SMTP_SINK_BACKLOG)])
    listening(child, port)
    return Sink(port=port, child=child)


def own(children: Children, kind: str) -> Sink:
    """Start a sink of ours: `record` or `refuse`. Raises Failed."""
    port = free_port()
    child = children.python(f"sink-{kind}", "sink", port, kind)
    listening(child, port)
    return Sink(port=port, child=child)


def tool(name: str, *, package: str) -> str:
    """Return the path of a program. Raises Failed, saying how it is installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Failed(f"{name} is not installed. On Debian: apt-get install --no-install-recommends {package}")
    return found
