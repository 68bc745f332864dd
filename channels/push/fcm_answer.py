"""What FCM and Google's token endpoint say when they refuse, in the parts that decide. Pure, and never raises.

FCM's errors are google.rpc.Status in JSON. Their texts may quote the request ("Invalid value at 'message.data[0].value'
(TYPE_STRING), 12"), so of a refused payload only the names of fields are kept.
"""

import re
from typing import Any, NamedTuple

import msgspec

from tocsin.observe import redaction

_FCM_ERROR = "google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "google.rpc.BadRequest"
_QUOTA_FAILURE = "google.rpc.QuotaFailure"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_FIELD = re.compile(r"[A-Za-z0-9_.\[\]]{1,128}")
_MOST_TEXT = 512
_MOST_FIELDS = 8


class Complaint(NamedTuple):
    """An error: FCM's own code, the status of google.rpc, a text that may be shown, and what quotas were exceeded.

    Each is empty where it was not said.
    """

    error_code: str = ""
    status: str = ""
    text: str = ""
    quotas: str = ""


def complaint(body: bytes, token: str) -> Complaint:
    """Return what an error's body says. `token` is taken out of its text."""
    error = _object(_json(body).get("error"))
    details = [each for each in _list(error.get("details")) if isinstance(each, dict)]
    codes = [_word(each.get("errorCode")) for each in details if _is(each, _FCM_ERROR)]
    refused = [each for each in details if _is(each, _BAD_REQUEST)]
    return Complaint(
        error_code=next(filter(None, codes), ""),
        status=_word(error.get("status")),
        text=_fields(refused) if refused else shown(_text(error.get("message")), token),
        quotas=" ".join(_quota(each) for each in details if _is(each, _QUOTA_FAILURE)).lower(),
    )


def token_complaint(body: bytes) -> tuple[str, str]:
    """Return the code and the text of an error of the token endpoint (RFC 6749, section 5.2)."""
    found = _json(body)
    return _word(found.get("error")), shown(_text(found.get("error_description")))


def message_name(body: bytes) -> str | None:
    """Return the name that FCM gave a message, None if the answer is not one of FCM's."""
    return _text(_json(body).get("name"))[:256] or None


def shown(text: str, token: str = "") -> str:
    """Return at most 512 characters of a text on one line, without the token, addresses and secrets."""
    bare = text.replace(token, redaction.MASK) if token else text
    printable = "".join(each if each.isprintable() else " " for each in bare)
    return redaction.text(printable, limit=_MOST_TEXT - 1)


def _fields(refused: list[dict[str, Any]]) -> str:
    violations = [each for bad in refused for each in _list(bad.get("fieldViolations"))]
    named = [_text(_object(each).get("field")) for each in violations[:_MOST_FIELDS]]
    known = [each for each in named if _FIELD.fullmatch(each)]
    return f"refused: {', '.join(known)}" if known else "refused"


def _quota(detail: dict[str, Any]) -> str:
    violations = [_object(each) for each in _list(detail.get("violations"))]
    return " ".join(f"{_text(each.get('subject'))} {_text(each.get('description'))}" for each in violations)


def _is(detail: dict[str, Any], kind: str) -> bool:
    return _text(detail.get("@type")).rpartition("/")[2] == kind


def _json(body: bytes) -> dict[str, Any]:
    try:
        return _object(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}


def _word(value: Any) -> str:
    found = _text(value)
    return found if _WORD.fullmatch(found) else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
