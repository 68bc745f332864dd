"""The example of RFC 8291, a browser to subscribe with, and deliveries to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from channels.browser.subscription import Subscription
from tocsin.delivery import Delivery, Lane, Person

NOW = datetime(2030, 1, 1, tzinfo=UTC)

# RFC 8291, appendix A.
PLAINTEXT = b"When I grow up, I want to be a watermelon"
SERVER_PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SERVER_PUBLIC = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
BROWSER_PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
    "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)
ENDPOINT = "https://fcm.googleapis.com/fcm/send/cb4Zp1:APA91b_x-Y"
SUBSCRIPTION = Subscription(endpoint=ENDPOINT, p256dh=P256DH, auth=AUTH)
DOCUMENT: dict[str, Any] = {"endpoint": ENDPOINT, "expirationTime": None, "keys": {"p256dh": P256DH, "auth": AUTH}}
CONTENT = {"title": "Your parcel", "body": "It comes today"}


def delivery(**changes: Any) -> Delivery:
    """Return a delivery to the browser of the example."""
    members: dict[str, Any] = {
        "id": "dlv_01m7z77eghvjzzy9x7dbaqsxt6",
        "notification_id": "ntf_01m7z77eghj90ssyrw6dqrsw9x",
        "tenant": "default",
        "channel": "browser",
        "address": SUBSCRIPTION.address,
        "recipient": Person(id="cust-42", locale="de"),
        "lane": Lane.NORMAL,
        "category": "orders",
        "semantics": "at_least_once",
        "accepted_at": NOW,
        "expires_at": NOW + timedelta(hours=1),
        "content": CONTENT,
    }
    return Delivery(**{**members, **changes})
