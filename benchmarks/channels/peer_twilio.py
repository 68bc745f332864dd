"""SMS without us: Twilio's library, synchronous, with one client for all texts.

python -m benchmarks.channels.peer_twilio <port> <count> <directory>
"""

import sys

from twilio.rest import Client  # type: ignore[import-untyped] # it has no types

from benchmarks.channels import measure, texts


def main() -> None:
    """Send texts in a row."""
    client = Client(texts.ACCOUNT, texts.AUTH_TOKEN)
    client.api.base_url = f"http://127.0.0.1:{sys.argv[1]}"
    wording = texts.Texts("sms.txt")

    def send(number: int) -> None:
        (body,) = wording.of(number)
        made = client.messages.create(
            to=texts.phone(number),
            from_=texts.SMS_SENDER,
            body=body,
            validity_period=texts.LIFETIME_SECONDS,
            status_callback=f"{texts.PUBLIC_URL}/twilio/status/{texts.notification_id(number)}",
        )
        if not made.sid:
            raise RuntimeError("not taken")

    measure.one_by_one(send, int(sys.argv[2]))


if __name__ == "__main__":
    main()
