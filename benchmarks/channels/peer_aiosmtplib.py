"""Email without us: `aiosmtplib.send` of an `EmailMessage`, which connects for each mail.

python -m benchmarks.channels.peer_aiosmtplib <port> <count> <directory>
"""

import asyncio
import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import aiosmtplib

from benchmarks.channels import measure, texts


async def _run(port: int, count: int) -> None:
    wording = texts.Texts("email.subject.txt", "email.text.txt", "email.html")

    async def send(number: int) -> None:
        subject, text, html = wording.of(number)
        message = EmailMessage()
        message["From"] = texts.SENDER
        message["To"] = texts.mail_address(number)
        message["Subject"] = subject
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain=texts.DOMAIN)
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        await aiosmtplib.send(message, hostname="127.0.0.1", port=port)

    await measure.in_flight(send, count, most=1)


if __name__ == "__main__":
    asyncio.run(_run(int(sys.argv[1]), int(sys.argv[2])))
