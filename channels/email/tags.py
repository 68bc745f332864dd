"""What a provider's API is given of ours with a mail, and sends back when it calls: names with short values. Pure.

They are not signed: a call is believed for its own signature, and only we send mail from the account that makes it.
"""

import re
from collections.abc import Mapping
from typing import Any

from channels.email.mail import Mail
from channels.email.reference import Reference

# What SES and Resend take: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_MessageTag.html
_VALUE = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LIFE = re.compile(r"[0-9]{1,9}")
_NAMES = ("tocsin_notification", "tocsin_delivery", "tocsin_tenant", "tocsin_life")


def of(mail: Mail, key: str) -> dict[str, str]:
    """Return the tags of a mail, none if a value cannot be one. `key` is the port's: `<delivery id>:<life>`."""
    values = (mail.notification_id, mail.delivery_id, mail.tenant, key.rpartition(":")[2])
    return dict(zip(_NAMES, values, strict=True)) if all(map(_VALUE.fullmatch, values)) else {}


def read(found: Mapping[str, Any], *, provider: str) -> Reference | None:
    """Return the reference in tags that a provider sends back, None if they are not those of a mail of ours."""
    values = [found.get(name) for name in _NAMES]
    texts = [value for value in values if isinstance(value, str) and _VALUE.fullmatch(value)]
    if len(texts) < len(_NAMES) or not _LIFE.fullmatch(texts[-1]):
        return None
    notification, delivery, tenant, life = texts
    return Reference(
        notification_id=notification, delivery_id=delivery, tenant=tenant, life=int(life), provider=provider
    )
