"""APNs without us: httpx over HTTP/2, with a provider token that is signed once.

python -m benchmarks.channels.peer_httpx_apns <port> <count> <directory>
"""

import asyncio
import ssl
import sys
import time
import uuid
from pathlib import Path

import httpx
import jwt

from benchmarks.channels import measure, texts

# At 1 it costs more than at 10, at 100 no less: httpx looks through all requests at each step of one.
_IN_FLIGHT = 10


async def _run(port: int, count: int, directory: Path) -> None:
    key_id, team_id, topic = sys.argv[4:7]
    key = (directory / "key.p8").read_text()
    token = jwt.encode({"iss": team_id, "iat": int(time.time())}, key, algorithm="ES256", headers={"kid": key_id})
    context = ssl.create_default_context(cafile=directory / "ca.pem")
    wording = texts.Texts("push.title.txt", "push.body.txt")
    constant = {
        "authorization": f"bearer {token}",
        "apns-topic": topic,
        "apns-push-type": "alert",
        "apns-priority": "10",
    }
    async with httpx.AsyncClient(http2=True, verify=context, base_url=f"https://127.0.0.1:{port}") as client:

        async def send(number: int) -> None:
            title, body = wording.of(number)
            name = texts.notification_id(number)
            answer = await client.post(
                f"/3/device/{texts.apns_token(number)}",
                headers={
                    **constant,
                    "apns-id": str(uuid.uuid4()),
                    "apns-expiration": str(int(time.time()) + texts.LIFETIME_SECONDS),
                    "apns-collapse-id": name,
                },
                json={"aps": {"alert": {"title": title, "body": body}}, "tocsin_notification_id": name},
            )
            answer.raise_for_status()

        await measure.in_flight(send, count, most=_IN_FLIGHT)


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
