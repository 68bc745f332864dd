"""How Twilio signs what it posts: SHA-1 HMAC over the URL and the form's fields in order, with the auth token.

Source: https://www.twilio.com/docs/usage/security#validating-requests
"""

import base64
import hmac
from collections.abc import Mapping

from simulators.sms.callbacks import form
from tocsin.net.http import Request


def signed(url: str, fields: Mapping[str, str], *, auth_token: str) -> Request:
    """Return a signed POST of a form."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    digest = hmac.digest(auth_token.encode(), text.encode(), "sha1")
    return form(url, fields, {"X-Twilio-Signature": base64.b64encode(digest).decode()})
