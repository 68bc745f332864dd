"""The faults that are always in force: an address whose local part names a fault gets it, at any domain.

With a `+tag` behind the name it is the same fault for another recipient: each `greylist+…@` is new to the server.
"""

from simulators.smtp.faults import Fault, Reply


def faults() -> tuple[Fault, ...]:
    """Return the built-in faults."""
    return (
        Fault(phase="rcpt", recipients=_named("greylist"), greylist=True, times=1),
        _refusal("refused", code=550, enhanced="5.1.1", text="No such user"),
        _refusal("busy", code=451, enhanced="4.3.2", text="Busy, try again later"),
        _refusal("shutdown", code=421, enhanced="4.3.2", text="Shutting down"),
        _refusal("full", code=552, enhanced="5.2.2", text="Mailbox full"),
        Fault(phase="body", recipients=_named("drop"), drop=True),
        Fault(phase="body", recipients=_named("slow"), delay_seconds=2),
    )


def _named(name: str) -> tuple[str, str]:
    return f"{name}@*", f"{name}+*@*"


def _refusal(name: str, *, code: int, enhanced: str, text: str) -> Fault:
    return Fault(phase="rcpt", recipients=_named(name), reply=Reply(code=code, enhanced=enhanced, text=text))
