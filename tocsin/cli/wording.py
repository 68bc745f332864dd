"""What to tell a person of a call that did not work: what happened, and what to do about it."""

from collections.abc import Iterator, Mapping
from typing import Any

from tocsin.cli.access import Access

_UNAUTHORIZED = 401
_FROM_SERVER = 500


def unreachable(access: Access, error: Exception) -> str:
    """Return what to say where no connection came about."""
    return (
        f"Cannot reach a gateway at {access.url}: {_reason(error)}.\n"
        "Is `tocsin up` running there? Name another place with --url or TOCSIN_URL."
    )


def unanswered(access: Access, error: Exception) -> str:
    """Return what to say where a request went out and no answer came back: it may have had its effect."""
    return (
        f"The gateway at {access.url} did not answer: {_reason(error)}.\n"
        "What was asked of it may or may not have been done."
    )


def refused(access: Access, status: int, document: Mapping[str, Any] | None) -> str:
    """Return what to say of an answer that is not the one asked for."""
    if status >= _FROM_SERVER and not (document and "title" in document):
        return f"What answers at {access.url} has a problem of its own ({status}). Is a gateway running behind it?"
    if document is None or "title" not in document:
        return (
            f"What answers at {access.url} ({status}) is not a Tocsin gateway.\n"
            "Name the right place with --url or TOCSIN_URL."
        )
    if status == _UNAUTHORIZED:
        return (
            f"The gateway at {access.url} does not know the API key from {access.key_source}: "
            "it is mistyped, revoked, or of another gateway.\n"
            "`tocsin up` prints the first key when it starts; `tocsin keys create` makes others."
        )
    return "\n".join(problem(document, status))


def problem(document: Mapping[str, Any], status: int) -> Iterator[str]:
    """Return the lines of a problem document: what is wrong, and each place where it is."""
    title = document.get("title") or f"The gateway answered {status}"
    errors = [error for error in document.get("errors") or () if isinstance(error, Mapping)]
    if not errors:
        yield str(document.get("detail") or title)
        return
    yield f"{title}:"
    width = max(len(_place(error)) for error in errors)
    for error in errors:
        yield f"  {_place(error):<{width}}  {error.get('detail', '')}"


def _place(error: Mapping[str, Any]) -> str:
    return str(error.get("pointer") or "/")


def _reason(error: Exception) -> str:
    """Return why, without the brackets and numbers that sockets put around it."""
    text = str(error).strip() or type(error).__name__
    return text.partition("] ")[2] or text
