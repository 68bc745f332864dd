"""How the server treats its connections, as the control may set it."""

from typing import Annotated, Literal

import msgspec

Form = Literal["graceful", "at_once"]


class Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`max_streams` a connection may have open at a time; one, until it has sent an authenticated push, as at Apple.

    With `goaway_every`, a connection is sent away with a GOAWAY at each so many pushes. `graceful` says it twice, with
    the largest stream id and, when the client has had time to hear it, with the last one (RFC 9113 section 6.8);
    `at_once` says it once, and does not look at what comes later.
    """

    max_streams: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000
    goaway_every: Annotated[int, msgspec.Meta(ge=1)] | None = None
    goaway_form: Form = "graceful"
