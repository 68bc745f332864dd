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


def mixed(
    children: Children, gateway: Gateway, *, count: int, connections: int, limit: float
) -> tuple[Submitted, Submitted]:
    """Submit half with a post each, then half in batches."""
    child = children.python("load-mixed", "load", gateway.port, "mixed", 0, count, connections, BATCH_CONNECTIONS)
    singles, batches = json.loads(child.wait(within=limit))
    return Submitted(count=count // 2, **singles), Submitted(count=count // 2, **batches)


def batches(children: Children, gateway: Gateway, *, first: int, count: int, limit: float) -> Submitted:
    """Submit in batches."""
    child = children.python("load-batch", "load", gateway.port, "batch", first, count, BATCH_CONNECTIONS)
    return of_one(child, count, limit)


def steady(children: Children, gateway: Gateway, *, rate: int, seconds: int, connections: int) -> Submitted:
    """Submit with a post each at a steady rate."""
    child = children.python("load-rate", "load", gateway.port, "rate", rate, seconds, connections)
    return of_one(child, rate * seconds, seconds + 60)


def of_one(child: Child, count: int, limit: float) -> Submitted:
    """Return what a client tells at its end. Raises Failed."""
    (ran,) = json.loads(child.wait(within=limit))
    return Submitted(count=count, **ran)
