"""The shop's README is a promise: its commands, run as they stand there, answer what it says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from examples.shop.kit import events
from tests.shop import whole
from tests.support import readme

ROOM = readme.ROOT / "examples" / "shop"
README = ROOM / "README.md"
BESIDE = "run beside make shop"
PORT = 8090
_ASKED = re.compile(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", re.DOTALL)
_MADE = re.compile(r"ord_[0-9a-f]{31}")


def text() -> str:
    return README.read_text(encoding="utf-8")


def asked() -> list[tuple[str, Any]]:
    """Return the commands with the answers that the README says they get."""
    return [(command, json.loads(answer)) for command, answer in _ASKED.findall(text())]


def test_every_command_of_the_readme_is_run_by_somebody() -> None:
    blocks = readme.blocks(text())

    # `make shop` is run by test_start.
    assert [block.text.strip() for block in blocks if block.mark is None] == ["make shop"]
    assert [block.text for block in blocks if block.mark == BESIDE] == [command for command, _ in asked()]
    assert "\nshop:" in (readme.ROOT / "Makefile").read_text(encoding="utf-8")


def test_the_readme_tells_of_every_event_and_of_no_other() -> None:
    table = re.findall(r"^\| ((?:`\w+` ?)+)\|", text(), re.MULTILINE)
    schemas = {path.stem for path in (ROOM / "events").glob("*.json")}

    assert set(re.findall(r"\w+", " ".join(table))) == set(events.TYPES) == schemas


def test_what_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text()) if not link.startswith("http")]

    assert len(links) > 10
    assert [link for link in links if not (ROOM / link).exists()] == []


@pytest.mark.xdist_group("ports")
async def test_the_readmes_commands_answer_what_it_says(tmp_path: Path) -> None:
    assert not readme.in_use(PORT), f"the README asks port {PORT}, which somebody on this machine has: end that first"
    assert len(asked()) == 3
    async with whole.opened(tmp_path, port=PORT) as shop:
        for command, told in asked():
            for _ in range(2):
                ran = await readme.shell(command, directory=readme.ROOT)
                assert ran.code == 0, ran.out + ran.err
                assert _MADE.sub("ord_…", json.dumps(json.loads(ran.out), ensure_ascii=False)) == json.dumps(
                    told, ensure_ascii=False
                )
        answer = await shop.client.get("/orders")
        placed = [order["items"][0]["name"] for order in answer.json()["orders"]]
        again = await shop.client.post("/api/orders", json={"orderId": "order-1001", "userId": "7", "status": "NEW"})

    # The form with an id of the caller's places one order, however often it is sent.
    assert sorted(placed) == ["Book", "Chair", "Chair", "Lamp", "Lamp"]
    assert again.status_code == 409
