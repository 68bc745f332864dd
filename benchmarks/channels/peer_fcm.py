"""FCM without us: httpx with a connection that is kept, and an access token that is had once.

python -m benchmarks.channels.peer_fcm <port> <count> <directory>
"""

import asyncio
import sys
import time
from typing import Any

import httpx

from benchmarks.channels import measure, texts

_TOKEN = "y" * 200


async def _run(port: int, count: int) -> None:
    url = f"http://127.0.0.1:{port}/v1/projects/{texts.PROJECT}/messages:send"
    wording = texts.Texts("push.title.txt", "push.body.txt")
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {_TOKEN}"}) as client:

        async def send(number: int) -> None:
            title, body = wording.of(number)
            answer = await client.post(url, json={"message": _message(number, title, body)})
            answer.raise_for_status()
            if not answer.json()["name"]:
                raise RuntimeError("not taken")

        await measure.in_flight(send, count, most=1)


def _message(number: int, title: str, body: str) -> dict[str, Any]:
    """Return the message with the same members as ours."""
    name = texts.notification_id(number)
    seconds = texts.LIFETIME_SECONDS
    return {
        "token": texts.fcm_token(number),
        "notification": {"title": title, "body": body},
        "data": {"tocsin_notification_id": name},
        "android": {"collapse_key": name, "priority": "HIGH", "ttl": f"{seconds}s", "notification": {"tag": name}},
        "apns": {
            "headers": {
                "apns-collapse-id": name,
                "apns-expiration": str(int(time.time()) + seconds),
                "apns-priority": "10",
            }
        },
        "webpush": {"headers": {"TTL": str(seconds), "Urgency": "high"}, "notification": {"tag": name}},
    }


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
