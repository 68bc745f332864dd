"""How Vonage signs what it posts, where the account asks for it: SHA-256 HMAC over the parameters by name.

Source: https://developer.vonage.com/getting-started/concepts/signing-messages
"""

import hmac
from collections.abc import Mapping


def signed(fields: Mapping[str, str], *, secret: str) -> dict[str, str]:
    """Return the fields with their signature."""
    text = ""
    for name in sorted(fields):
        value = fields[name].replace("&", "_").replace("=", "_")
        text += f"&{name}={value}"
    return {**fields, "sig": hmac.digest(secret.encode(), text.encode(), "sha256").hex().upper()}
