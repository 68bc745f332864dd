"""Is a body a message? What FCM refuses of what we might send, worded as it does. Pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from simulators.fcm import errors
from simulators.fcm.errors import Failure, Violation

_MOST_BYTES = 4096
_MOST_TTL_SECONDS = 2_419_200
_TTL = re.compile(r"(\d{1,9})(?:\.\d{1,9})?s")
_RESERVED = re.compile(r"from|message_type|google.*|gcm.*")
_TARGETS = ("token", "fid", "topic", "condition")
_KNOWN: Mapping[str, frozenset[str]] = {
    "message": frozenset({"name", "data", "notification", "android", "webpush", "apns", "fcm_options", *_TARGETS}),
    "message.notification": frozenset({"title", "body", "image"}),
    "message.android": frozenset(
        {"collapse_key", "priority", "ttl", "restricted_package_name", "data", "notification", "direct_boot_ok"}
    ),
    "message.apns": frozenset({"headers", "payload", "fcm_options", "live_activity_token"}),
    "message.webpush": frozenset({"headers", "data", "notification", "fcm_options"}),
}
_PRIORITIES = (None, "NORMAL", "HIGH", "normal", "high")


def refusal(document: Any) -> Failure | None:
    """Return why a request's JSON is no message that FCM would take, None if it is one."""
    message = document.get("message") if isinstance(document, dict) else None
    if not isinstance(message, dict):
        words = "Invalid JSON payload received. Unknown name: Cannot find field."
        return errors.bad_request([Violation("message", words)])
    if violations := [*_strange(message), *_texts(message), *_android(message)]:
        return errors.bad_request(violations)
    if sum(name in message for name in _TARGETS) != 1:
        return errors.of_code("INVALID_ARGUMENT", "Recipient of the message is not set, or is set more than once.")
    return _too_much(message)


def _too_much(message: Mapping[str, Any]) -> Failure | None:
    data = message.get("data", {})
    if reserved := [name for name in data if _RESERVED.fullmatch(name)]:
        return errors.of_code("INVALID_ARGUMENT", f"Invalid data payload key: {reserved[0]}")
    texts = [*data, *data.values(), *message.get("notification", {}).values()]
    if sum(len(str(text).encode()) for text in texts) > _MOST_BYTES:
        return errors.of_code("INVALID_ARGUMENT", "Android message is too big")
    return None


def _strange(message: Mapping[str, Any]) -> Iterator[Violation]:
    for path, known in _KNOWN.items():
        part = message if path == "message" else message.get(path.removeprefix("message."), {})
        if not isinstance(part, dict):
            yield Violation(path, f"Invalid value at '{path}' (type)")
            continue
        for name in part.keys() - known:
            words = f"Invalid JSON payload received. Unknown name \"{name}\" at '{path}': Cannot find field."
            yield Violation(path, words)


def _texts(message: Mapping[str, Any]) -> Iterator[Violation]:
    data = message.get("data", {})
    if not isinstance(data, dict):
        yield Violation("message.data", "Invalid value at 'message.data' (map)")
        return
    for index, value in enumerate(data.values()):
        if not isinstance(value, str):
            where = f"message.data[{index}].value"
            yield Violation(where, f"Invalid value at '{where}' (TYPE_STRING), {value}")
    for name in ("token", "fid"):
        if not isinstance(message.get(name, ""), str):
            yield Violation(f"message.{name}", f"Invalid value at 'message.{name}' (TYPE_STRING)")


def _android(message: Mapping[str, Any]) -> Iterator[Violation]:
    android = message.get("android")
    if not isinstance(android, dict):
        return
    found = _TTL.fullmatch(str(android.get("ttl", "0s")))
    if found is None or int(found[1]) > _MOST_TTL_SECONDS:
        yield Violation(
            "message.android.ttl",
            "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration)",
        )
    if android.get("priority") not in _PRIORITIES:
        yield Violation(
            "message.android.priority", "Invalid value at 'message.android.priority' (AndroidMessagePriority)"
        )
