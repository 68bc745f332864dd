"""Celery's producer, in a process of its own: one loop around `apply_async`.

    python -m benchmarks.celery_submit flood <count>
    python -m benchmarks.celery_submit rate <rate> <seconds>

Prints when it began and ended, by CLOCK_MONOTONIC, as JSON.
"""

import json
import sys
import time

from benchmarks import mails
from benchmarks.celery_app import app, send


def submit(number: int, name: str | None = None) -> None:
    """Submit one mail. Returns when Redis has it."""
    mail = mails.notification(number, name)
    send.apply_async(args=(mail["recipient"]["email"], mails.LOCALE, mails.TEMPLATE, mail["data"]))


def flood(count: int) -> None:
    """Submit as fast as Redis answers."""
    for number in range(count):
        submit(number)


def drip(rate: int, seconds: int) -> None:
    """Submit at a steady rate."""
    begin = time.monotonic()
    for number in range(rate * seconds):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
        submit(number, f"t{time.monotonic_ns()}t")


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    with app.producer_or_acquire() as producer:
        producer.connection.ensure_connection(max_retries=10)
    started = time.monotonic()
    if arguments[0] == "rate":
        drip(int(arguments[1]), int(arguments[2]))
    else:
        flood(int(arguments[1]))
    sys.stdout.write(json.dumps([{"started": started, "ended": time.monotonic()}]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
