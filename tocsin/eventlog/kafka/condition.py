"""What is wrong with the log right now, by cause, and what that means for its health."""

from loguru import logger

from tocsin.eventlog.port import Health
from tocsin.observe.metrics import Metrics


class Condition:
    """Kept by whoever finds something wrong, or right again."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._unwritable: dict[str, str] = {}
        self._unready: dict[str, str] = {}
        metrics.log_writable.set(1)

    def unwritable(self, cause: str, detail: str) -> None:
        """Say that nothing can be written, until `mended`."""
        if cause not in self._unwritable:
            logger.error("log_unwritable", cause=cause, error=detail)
        self._unwritable[cause] = detail
        self._metrics.log_writable.set(0)

    def mended(self, cause: str) -> None:
        """Say that a cause is gone."""
        if self._unwritable.pop(cause, None) is not None and not self._unwritable:
            logger.info("log_writable_again")
            self._metrics.log_writable.set(1)

    def unready(self, cause: str, detail: str) -> None:
        """Say that a person has to look at something: it stays until the process is started anew."""
        logger.critical("log_unready", cause=cause, error=detail)
        self._unready[cause] = detail

    def health(self) -> Health:
        """Return what the log can take."""
        if self._unwritable:
            return Health(writable=False, accepting=False, detail="; ".join(self._unwritable.values()))
        return Health(writable=True, accepting=not self._unready, detail="; ".join(self._unready.values()))
