"""Web Push without us: `pywebpush.webpush`, called as its documentation has it.

python -m benchmarks.channels.peer_pywebpush <port> <count> <directory>
"""

import json
import sys

from pywebpush import webpush  # type: ignore[import-untyped] # it has no types

from benchmarks.channels import measure, subscriptions, texts


def main() -> None:
    """Send messages in a row."""
    port, count = int(sys.argv[1]), int(sys.argv[2])
    wording = texts.Texts("browser.title.txt", "browser.body.txt")
    known = [
        {"endpoint": subscriptions.endpoint(port, number), "keys": subscriptions.keys(number)}
        for number in range(measure.WARM_UP + count)
    ]

    def send(number: int) -> None:
        title, body = wording.of(number)
        name = texts.notification_id(number)
        webpush(
            subscription_info=known[number],
            data=json.dumps({"id": name, "title": title, "body": body}),
            vapid_private_key=subscriptions.VAPID_KEY,
            vapid_claims={"sub": texts.SUBJECT},
            ttl=texts.LIFETIME_SECONDS,
            headers={"Topic": name, "Urgency": "normal"},
        )

    measure.one_by_one(send, count)


if __name__ == "__main__":
    main()
