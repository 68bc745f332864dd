"""Metrics with labels: the children are kept at hand, so that a hot path pays one dict look-up."""

from typing import Generic, TypeVar

from prometheus_client.metrics import MetricWrapperBase

from tocsin.observe.redaction import text

M = TypeVar("M", bound=MetricWrapperBase)

_OTHER = "other"
_MAX_CHILDREN = 5_000
_MAX_LABEL = 100


class Family(Generic[M]):
    """Call it with the values of the labels, in their declared order, to get the child.

    A value that looks like an address, or a family that grows without bound, is a bug of the caller; it is counted
    under `other`, so that it costs neither privacy nor memory.
    """

    def __init__(self, metric: M) -> None:
        self._metric = metric
        self._children: dict[tuple[str, ...], M] = {}

    def __call__(self, *values: str) -> M:
        """Return the child with these label values. Raises ValueError where their number is wrong."""
        child = self._children.get(values)
        return child if child is not None else self._new(values)

    def _new(self, values: tuple[str, ...]) -> M:
        if len(self._children) >= _MAX_CHILDREN or any(text(value, limit=_MAX_LABEL) != value for value in values):
            return self._metric.labels(*(_OTHER for _ in values))
        child = self._children[values] = self._metric.labels(*values)
        return child
