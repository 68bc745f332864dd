"""STOP, START and HELP: what a recipient wants who writes back. Pure.

Source: https://help.twilio.com/articles/223134027 (the keywords of US carriers, which Twilio heeds everywhere).
"""

from typing import Literal

Wish = Literal["stop", "start", "help"]

_STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"})
_START = frozenset({"START", "YES", "UNSTOP"})
_HELP = frozenset({"HELP", "INFO"})


def wish(text: str) -> Wish | None:
    """Return what a text asks for if it is nothing but a keyword, in upper or lower case."""
    word = text.strip().upper()
    if word in _STOP:
        return "stop"
    if word in _START:
        return "start"
    return "help" if word in _HELP else None
