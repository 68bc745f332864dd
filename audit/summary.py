"""How the states of several deliveries sum up to the state of their notification. Pure."""

from collections.abc import Collection

from tocsin.lifecycle import State

# Whoever stands first here speaks for all: what is still under way, the least advanced first, then a success, then
# the failures that somebody may want to do something about before those that were meant.
PRECEDENCE = (
    State.ACCEPTED,
    State.RETRYING,
    State.DELIVERED,
    State.DEAD,
    State.EXPIRED,
    State.SUPPRESSED,
    State.CANCELLED,
)
# Channels whose addresses are devices of the recipient: whoever was reached on one of them was reached. The audit also
# tells of channels that the settings have no more, so it does not ask them.
_DEVICES = frozenset({"push", "browser"})
_ORDER = {state: order for order, state in enumerate(PRECEDENCE)}


def of(states: Collection[State]) -> State:
    """Return the state of a notification whose deliveries' latest lives have these states; none: `accepted`."""
    return min(states, key=_ORDER.__getitem__, default=State.ACCEPTED)


def partial(deliveries: Collection[tuple[str, State]]) -> bool:
    """Return whether a notification that counts as delivered missed somebody. `deliveries` are channels and states.

    Of the devices of one person one is enough.
    """
    if of([state for _, state in deliveries]) is not State.DELIVERED:
        return False
    reached = {channel for channel, state in deliveries if state is State.DELIVERED}
    missed = {channel for channel, state in deliveries if state is not State.DELIVERED}
    return bool(missed - (reached & _DEVICES))
