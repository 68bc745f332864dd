"""Where to begin in a partition, and whether records were gone before we came to them. Pure.

Retention that overtakes a consumer, an unclean election, a topic that was deleted and made again: aiokafka goes on at
the oldest record in all these cases, and says nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where to begin, and in words what was lost on the way, empty if nothing was."""

    offset: int
    lost: str = ""


def start(*, committed: int | None, wanted: int | None, beginning: int, end: int) -> Start:
    """Return where to begin: where the sink says (`wanted`), else at the commit, else at the oldest record.

    A sink that knows nothing of a partition wants offset 0, and is content with the oldest record.
    """
    aim = committed if wanted is None else wanted or None
    if aim is None:
        return Start(offset=beginning)
    if aim < beginning:
        return Start(offset=beginning, lost=f"offsets {aim} to {beginning - 1} were deleted before they were read")
    if aim > end:
        lost = f"it ends at offset {end}, and had been read up to {aim}: its end was lost, or the topic was made anew"
        return Start(offset=beginning, lost=lost)
    return Start(offset=aim)


def skipped(gap: tuple[int, int], *, beginning: int) -> str:
    """Return in words what was lost in a gap of offsets; empty where the gap is an ordinary one."""
    first, following = gap
    if beginning <= first:
        return ""
    return f"offsets {first} to {min(beginning, following) - 1} were deleted before they were read"
