"""Apple's reasons with their status, and the device tokens that ask for them.

A token is hexadecimal, so one asks for a reason by having its name in hexadecimal at its beginning: the token
556e72656769737465726564 is `Unregistered`, and whatever follows makes it another device.
"""

from collections.abc import Mapping
from types import MappingProxyType

STATUS_OF: Mapping[str, int] = MappingProxyType(
    {
        "BadCollapseId": 400,
        "BadDeviceToken": 400,
        "BadExpirationDate": 400,
        "BadMessageId": 400,
        "BadPriority": 400,
        "BadTopic": 400,
        "DeviceTokenNotForTopic": 400,
        "DuplicateHeaders": 400,
        "IdleTimeout": 400,
        "InvalidPushType": 400,
        "MissingDeviceToken": 400,
        "MissingTopic": 400,
        "PayloadEmpty": 400,
        "TopicDisallowed": 400,
        "BadCertificate": 403,
        "BadCertificateEnvironment": 403,
        "BadEnvironmentKeyIdInToken": 403,
        "BadEnvironmentKeyInToken": 403,
        "ExpiredProviderToken": 403,
        "Forbidden": 403,
        "InvalidProviderToken": 403,
        "MissingProviderToken": 403,
        "UnrelatedKeyIdInToken": 403,
        "BadPath": 404,
        "MethodNotAllowed": 405,
        "ExpiredToken": 410,
        "Unregistered": 410,
        "PayloadTooLarge": 413,
        "TooManyProviderTokenUpdates": 429,
        "TooManyRequests": 429,
        "InternalServerError": 500,
        "ServiceUnavailable": 503,
        "Shutdown": 503,
    }
)


def token(reason: str, device: int = 0) -> str:
    """Return the device token that asks for a reason; another for each `device` (0 to 65,535)."""
    return reason.encode().hex() + f"{device:04x}"


def asked(device_token: str) -> str | None:
    """Return the reason that a device token asks for, the longest if several names fit; None if it asks for none."""
    lowered = device_token.lower()
    fitting = [reason for reason in STATUS_OF if lowered.startswith(reason.encode().hex())]
    return max(fitting, key=len, default=None)
