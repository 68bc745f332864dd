"""APNs without us: aioapns, in `.venv-bench`, with as many pushes under way as ours.

python -m benchmarks.channels.peer_aioapns <port> <count> <directory>
"""

import asyncio
import ssl
import sys
from pathlib import Path

from aioapns import (  # type: ignore[import-not-found,import-untyped,unused-ignore] # in .venv-bench only
    APNs,
    NotificationRequest,
    PushType,
)
from aioapns.connection import (  # type: ignore[import-not-found,import-untyped,unused-ignore] # in .venv-bench only
    APNsProductionClientProtocol,
)

from benchmarks.channels import measure, texts

_IN_FLIGHT = 100


async def _run(port: int, count: int, directory: Path) -> None:
    # There is no option for another server.
    APNsProductionClientProtocol.APNS_SERVER = "127.0.0.1"
    APNsProductionClientProtocol.APNS_PORT = port
    apns = APNs(
        key=(directory / "key.p8").read_text(),
        key_id=sys.argv[4],
        team_id=sys.argv[5],
        topic=sys.argv[6],
        ssl_context=ssl.create_default_context(cafile=directory / "ca.pem"),
    )
    wording = texts.Texts("push.title.txt", "push.body.txt")

    async def send(number: int) -> None:
        title, body = wording.of(number)
        name = texts.notification_id(number)
        request = NotificationRequest(
            device_token=texts.apns_token(number),
            message={"aps": {"alert": {"title": title, "body": body}}, "tocsin_notification_id": name},
            time_to_live=texts.LIFETIME_SECONDS,
            priority=10,
            collapse_key=name,
            push_type=PushType.ALERT,
        )
        answer = await apns.send_notification(request)
        if not answer.is_successful:
            raise RuntimeError("not taken")

    await measure.in_flight(send, count, most=_IN_FLIGHT)


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])))
