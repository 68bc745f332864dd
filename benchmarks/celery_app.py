"""The same job as a Celery user would write it: one task that renders, builds and sends.

Imported by the worker (`celery -A benchmarks.celery_app worker`) and by the producer, in `.venv-bench`.
"""

import os
import smtplib
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import jinja2
from celery import Celery  # type: ignore[import-not-found,import-untyped,unused-ignore]

_TEMPLATES = Path(__file__).parent.parent / "configs" / "templates"
_SENDER = "Tocsin <no-reply@localhost.invalid>"
_DOMAIN = "localhost.invalid"

app = Celery("benchmarks", broker=os.environ.get("BENCH_BROKER"))
app.conf.update(
    task_acks_late=True,  # as durable as the gateway: a task of a worker that dies is run again
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)

_templates = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=jinja2.select_autoescape())


class _Server:
    """The worker process's connection, kept from mail to mail."""

    def __init__(self) -> None:
        self._smtp: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> None:
        """Send a mail, over a new connection if the last one failed."""
        if self._smtp is None:
            self._smtp = smtplib.SMTP("127.0.0.1", int(os.environ["BENCH_SMTP_PORT"]), timeout=30)
        try:
            self._smtp.send_message(message)
        except (smtplib.SMTPException, OSError):
            self._smtp.close()
            self._smtp = None
            raise


_server = _Server()


def _rendered(template: str, locale: str, part: str, data: dict[str, Any]) -> str:
    return _templates.get_template(f"{template}/{locale}/email.{part}").render(data)


@app.task(  # type: ignore[untyped-decorator,misc,unused-ignore]
    autoretry_for=(smtplib.SMTPException, OSError), retry_backoff=True, max_retries=8
)
def send(address: str, locale: str, template: str, data: dict[str, Any]) -> None:
    """Deliver one mail."""
    message = EmailMessage()
    message["From"] = _SENDER
    message["To"] = address
    message["Subject"] = _rendered(template, locale, "subject.txt", data).strip()
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=_DOMAIN)
    message.set_content(_rendered(template, locale, "text.txt", data))
    message.add_alternative(_rendered(template, locale, "html", data), subtype="html")
    _server.send(message)
