"""Has aiokafka see at once that a connection is gone, before it writes to what is left of it.

A transport that was closed a moment ago takes what is written to it and drops it (asyncio: the answer is then waited
for until the request times out, which for a join is longer than a rebalance), or raises RuntimeError (uvloop). aiokafka
0.14 expects OSError there: the RuntimeError ends the task that fetches, and the consumer brings nothing more and says
nothing until it is replaced. Seen after a network that had been silent for longer than a session.
"""

from typing import Any

from tocsin.eventlog.kafka.driver import AIOKafkaConnection, CloseReason, KafkaConnectionError


def mend() -> None:
    """Mend all connections of the process. Again does nothing."""
    send = AIOKafkaConnection.send
    if send.__module__ == __name__:
        return

    def checked(self: Any, request: Any, expect_response: bool = True) -> Any:
        if self._writer is not None and self._writer.transport.is_closing():
            self.close(reason=CloseReason.CONNECTION_BROKEN)
            raise KafkaConnectionError(f"the connection to {self.host}:{self.port} is closed")
        return send(self, request, expect_response)

    AIOKafkaConnection.send = checked
