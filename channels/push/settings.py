"""The section `push` of the settings: what holds for every push service."""

import msgspec

from tocsin.delivery import Lane

SECTION = "push"


class PushSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How pushes are made. The channel is on where one of its services (`fcm`, `apns`) is configured."""

    # What goes on these lanes may wake a sleeping device; the rest waits until it is awake.
    urgent_lanes: tuple[Lane, ...] = (Lane.HIGH, Lane.NORMAL)
