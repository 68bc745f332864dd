"""The client's runs, as the benchmark asks for them."""

import json
from dataclasses import dataclass

from benchmarks.children import Child, Children
from benchmarks.gateway import Gateway

# A batch keeps the gateway busy by itself; two hide the way there and back.
BATCH_CONNECTIONS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """When a client began and ended, by CLOCK_MONOTONIC, and how many of its requests were answered 503."""

    count: int
    started: float
    ended: float
    unavailable: int = 0

    @property
    def rate(self) -> float:
        """Submits a second."""
        return self.count / (self.ended - self.started)


def singles(
    children: Children, gateway: Gateway, *, first: int, count: int, connections: int, limit: float
) -> Submitted:
    """Submit with a post each."""
    child = children.python("load-single", "load", gateway.port, "single", first, count, connections)
    return told(child, count, limit)


def batches(children: Children, gateway: Gateway, *, first: int, count: int, limit: float) -> Submitted:
    """Submit in batches."""
    child = children.python("load-batch", "load", gateway.port, "batch", first, count, BATCH_CONNECTIONS)
    return told(child, count, limit)


def steady(children: Children, gateway: Gateway, *, rate: int, seconds: int, connections: int) -> Submitted:
    """Submit with a post each at a steady rate."""
    child = children.python("load-rate", "load", gateway.port, "rate", rate, seconds, connections)
    return told(child, rate * seconds, seconds + 60)


def told(child: Child, count: int, limit: float) -> Submitted:
    """Return what a client tells at its end. Raises Failed."""
    return Submitted(count=count, **json.loads(child.wait(within=limit)))
