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
_ORDER = {state: order for order, state in enumerate(PRECEDENCE)}


def of(states: Collection[State]) -> State:
    """Return the state of a notification whose deliveries' latest lives have these states; none: `accepted`."""
    return min(states, key=_ORDER.__getitem__, default=State.ACCEPTED)


def partial(states: Collection[State]) -> bool:
    """Return whether a notification that counts as delivered did not reach all of its deliveries."""
    return of(states) is State.DELIVERED and any(state is not State.DELIVERED for state in states)
