"""Ports that stay free for whoever is told of them."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def held_ports(count: int) -> Iterator[list[int]]:
    """Yield ports that are nobody's for the length of the block but of whoever is told of them.

    They stay bound, and nobody listens by that: the system gives them to nobody else, also while their server is down,
    and servers that set SO_REUSEADDR, as Java's, Postfix's and our own do, may listen there. A port that is merely free
    now need not be so when a server has begun to listen, seconds later.
    """
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            each.bind(("127.0.0.1", 0))
        yield [int(each.getsockname()[1]) for each in found]
