"""h2's connection, made to go on receiving after a GOAWAY.

h2 takes a GOAWAY for the end: it closes its state machine and throws away what waits to be sent, so the answers to the
requests that are still under way become protocol errors (h2 issue 1181). RFC 9113 section 6.8 says otherwise: streams
up to the last one that the peer names are finished, and a graceful shutdown sends two GOAWAYs. One entry of h2's table
is replaced for it. The table is private: the tests fail loudly if h2 changes it, or does without.
"""

from typing import Final

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, ConnectionState, H2Connection
from h2.settings import SettingCodes, Settings

REPLACED: Final = (ConnectionState.CLIENT_OPEN, ConnectionInputs.RECV_GOAWAY)


class PatientH2Connection(H2Connection):
    """A client's side of a connection that a GOAWAY does not end. Whoever uses it opens no stream after one."""

    def __init__(self) -> None:
        super().__init__(H2Configuration(client_side=True))
        # Given as initial values, because h2 announces a changed one only once it was acknowledged.
        ours = {
            SettingCodes.ENABLE_PUSH: 0,
            SettingCodes.MAX_HEADER_LIST_SIZE: self.DEFAULT_MAX_HEADER_LIST_SIZE,
        }
        self.local_settings = Settings(client=True, initial_values=ours)
        machine = self.state_machine
        kept = (None, ConnectionState.CLIENT_OPEN)
        # Of this instance only: the class keeps its own table.
        machine._transitions = {**machine._transitions, REPLACED: kept}  # noqa: SLF001 - see above

    def clear_outbound_data_buffer(self) -> None:
        """Keep what waits to be sent: h2 calls this at a GOAWAY, when an acknowledgement may be in the buffer."""
