"""A push as FCM's `messages:send` takes it: one JSON body, for Android, Apple devices and browsers alike.

Nothing at FCM is idempotent. What is sent twice has the same tag (Android, Web Push) and the same `apns-collapse-id`,
so that a device shows it once.
"""

from datetime import datetime, timedelta

import msgspec

from channels.push.message import Push

# Four weeks: FCM takes no longer time to live.
_LONGEST = timedelta(seconds=2_419_200)
_APNS_PRIORITIES = {"high": "10", "normal": "5"}


def body(push: Push, now: datetime) -> bytes:
    """Return the body of the request. `now` decides how long FCM may try."""
    seconds = max(timedelta(), min(push.expires_at - now, _LONGEST)) // timedelta(seconds=1)
    expires_at = int(push.expires_at.timestamp())
    message = {
        "token": push.token,
        "notification": {"title": push.title, "body": push.body},
        "data": push.data,
        "android": {
            # For a device that is off, FCM keeps four messages of different keys; without keys it keeps one.
            "collapse_key": push.collapse_id,
            "priority": push.priority.upper(),
            "ttl": f"{seconds}s",
            "notification": {"tag": push.collapse_id},
        },
        "apns": {
            "headers": {
                "apns-collapse-id": push.collapse_id,
                "apns-expiration": str(expires_at),
                "apns-priority": _APNS_PRIORITIES[push.priority],
            }
        },
        "webpush": {
            "headers": {"TTL": str(seconds), "Urgency": push.priority},
            "notification": {"tag": push.collapse_id},
        },
    }
    return msgspec.json.encode({"message": message})
