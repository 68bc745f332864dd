"""Errors as FCM words them: google.rpc.Status in JSON, with the details that say what is meant."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

ErrorCode = Literal[
    "UNREGISTERED",
    "INVALID_ARGUMENT",
    "SENDER_ID_MISMATCH",
    "THIRD_PARTY_AUTH_ERROR",
    "QUOTA_EXCEEDED",
    "UNAVAILABLE",
    "INTERNAL",
]
CODES: tuple[ErrorCode, ...] = get_args(ErrorCode)

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_WORDS: dict[ErrorCode, tuple[int, str, str]] = {
    "UNREGISTERED": (404, "NOT_FOUND", "Requested entity was not found."),
    "INVALID_ARGUMENT": (400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token"),
    "SENDER_ID_MISMATCH": (403, "PERMISSION_DENIED", "SenderId mismatch"),
    "THIRD_PARTY_AUTH_ERROR": (401, "UNAUTHENTICATED", "Auth error from APNS or Web Push Service"),
    "QUOTA_EXCEEDED": (429, "RESOURCE_EXHAUSTED", "Quota exceeded for quota metric 'Messages sent'."),
    "UNAVAILABLE": (503, "UNAVAILABLE", "The service is currently unavailable."),
    "INTERNAL": (500, "INTERNAL", "Internal error encountered."),
}


class Violation(NamedTuple):
    """A field of the request, and what is wrong with it."""

    field: str
    description: str


class Failure(NamedTuple):
    """An error answer."""

    status: int
    body: dict[str, Any]


def of_code(code: ErrorCode, message: str | None = None) -> Failure:
    """Return one of FCM's own errors."""
    http, status, words = _WORDS[code]
    return _failure(http, status, message or words, [{"@type": _FCM_ERROR, "errorCode": code}])


def bad_request(violations: Sequence[Violation]) -> Failure:
    """Return what a body gets that is not a message."""
    told = [{"field": each.field, "description": each.description} for each in violations]
    words = "\n".join(each.description for each in violations)
    return _failure(400, "INVALID_ARGUMENT", words, [{"@type": _BAD_REQUEST, "fieldViolations": told}])


def unauthenticated() -> Failure:
    """Return what a call without a good access token gets."""
    words = (
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
        "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
    )
    info = {"@type": _ERROR_INFO, "reason": "ACCESS_TOKEN_TYPE_UNSUPPORTED", "domain": "googleapis.com"}
    return _failure(401, "UNAUTHENTICATED", words, [info])


def permission_denied(project: str) -> Failure:
    """Return what a call for another project gets."""
    resource = f"//cloudresourcemanager.googleapis.com/projects/{project}"
    words = f"Permission 'cloudmessaging.messages.create' denied on resource '{resource}' (or it may not exist)."
    info = {"@type": _ERROR_INFO, "reason": "IAM_PERMISSION_DENIED", "domain": "cloudresourcemanager.googleapis.com"}
    return _failure(403, "PERMISSION_DENIED", words, [info])


def _failure(http: int, status: str, message: str, details: list[dict[str, Any]]) -> Failure:
    return Failure(http, {"error": {"code": http, "message": message, "status": status, "details": details}})
