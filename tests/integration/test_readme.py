"""The README is a promise: every command in it, run in a fresh clone as a new user would."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import readme
from tests.support.readme import Foreground, Ran
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.runtime import discover

DOCS = ("guarantees.md", "operations.md", "cluster.md")
BESIDE = "run beside make run"
PORTS = (8080, 8190, 2525, 2526, 2197)
CHANNELS = ("browser", "email", "push", "sms")
URL = "http://127.0.0.1:8080"
# On a fresh machine the dependencies come over the network.
INSTALLED_WITHIN = 480
SHOWN_WITHIN = 90


def blocks() -> list[readme.Block]:
    return readme.blocks((readme.ROOT / "README.md").read_text(encoding="utf-8"))


def test_every_command_of_the_readme_is_run_by_somebody() -> None:
    unmarked = [block.text.strip() for block in blocks() if block.mark is None]
    marks = {block.mark for block in blocks()} - {None}

    # `make test` runs this test.
    assert unmarked == ["make run", "make test"]
    assert marks == {BESIDE}


def docs() -> str:
    return "\n".join((readme.ROOT / "docs" / name).read_text(encoding="utf-8") for name in DOCS)


def test_every_test_that_the_documentation_names_is_there() -> None:
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (readme.ROOT / "tests").rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", docs()))

    assert len(named) > 40
    assert [name for name in sorted(named) if f"def {name}(" not in tests] == []


def test_every_metric_that_the_documentation_names_is_there() -> None:
    told = Metrics(version="test").render()[0].decode()
    named = set(re.findall(r"\b(tocsin_[a-z_]+?)(?:_bucket)?\b", docs()))
    known = set(re.findall(r"^# TYPE (\w+)", told, re.MULTILINE))

    assert len(named) > 15
    assert sorted(named - known) == []


def test_every_setting_that_the_documentation_names_is_there() -> None:
    sections = discover.setting_sections()
    named = re.findall(r"`([a-z]+)\.([a-z_]+)(?: =[^`]*)?`", docs())
    settings = [(section, key) for section, key in named if section in sections]

    assert len(settings) > 15
    assert [f"{s}.{key}" for s, key in settings if key not in sections[s].__struct_fields__] == []


@pytest.mark.xdist_group("ports")
@pytest.mark.timeout(900)
async def test_the_readmes_commands_do_what_it_says_in_a_fresh_clone(tmp_path: Path) -> None:
    taken = readme.in_use(*PORTS)
    assert not taken, f"`make run` needs the ports {PORTS}; somebody on this machine has {taken}: end that first"
    clone = await readme.clone(tmp_path)

    async with readme.foreground("make run", directory=clone) as running:
        await the_six_are_shown(running)
        ran = [await readme.shell(block.text, directory=clone) for block in blocks() if block.mark == BESIDE]
        for each in ran:
            assert each.code == 0, each.out + each.err
        key = (clone / "data" / "demo.key").read_text(encoding="utf-8").strip()
        async with httpx.AsyncClient(base_url=URL, headers={"Authorization": f"Bearer {key}"}) as client:
            await sending_worked(client, ran[0])
            await posting_worked(client, ran[1])
        assert ran[2].out.endswith("OK: file configs/tocsin.toml\n")
        assert (clone / "data" / "vapid.pem").exists()
        code = await running.interrupt(within=30)

    # Ctrl-C reaches `make` as well, which reports itself as interrupted whatever its command returned.
    assert code in {0, 2, 130, -2}, running.printed
    assert "Traceback" not in running.printed
    assert {each.name for each in (clone / "data").iterdir()} >= {"log.db", "store.db", "demo.key"}
    assert not (clone / "data" / "store.db-wal").exists(), "the gateway did not drain: it was cut off"


async def the_six_are_shown(running: Foreground) -> None:
    """Return once the demo has told how its six notifications ended: each as the README says."""
    await running.until("Tocsin is up", seconds=INSTALLED_WITHIN)
    await running.until("The gateway stays up", seconds=SHOWN_WITHIN)
    await running.until("http://127.0.0.1:8190/webpush/", seconds=SHOWN_WITHIN)
    _, *shown = re.split(r"^[1-6]\. ", running.printed, flags=re.MULTILINE)
    everyone, lost, devices, greylisted, taken_over, again = shown
    assert [len(re.findall(rf"^ +{name} .* delivered *$", everyone, re.MULTILINE)) for name in CHANNELS] == [1, 1, 1, 1]
    assert "550 5.1.1" in lost
    assert "dead letter dlt_" in lost
    # The two devices answer each for itself, in either order.
    assert sorted(re.findall(r"^ +push .* (\w+) *$", devices, re.MULTILINE)) == ["dead", "delivered"]
    assert "attempt 1: deferred" in greylisted
    assert "attempt 2: delivered" in greylisted
    assert "vonage · after twilio" in taken_over
    assert re.findall(r"suppressed  (\w+)", again) == ["hard_bounce", "dead_token"]
    for place in (URL, f"{URL}/docs", "http://127.0.0.1:8190/", "data/demo.key"):
        assert place in running.printed


async def sending_worked(client: httpx.AsyncClient, ran: Ran) -> None:
    """Check the block of CLI commands: a mail and a text delivered, a mail refused and listed, a key made."""
    sent = re.findall(r"^ntf_\w+", ran.out, re.MULTILINE)
    found = [await document(client, f"/v1/notifications/{each}") for each in sent]
    # `--wait` returned, so both have ended.
    assert [each["state"] for each in found] == ["delivered", "delivered", "dead"]
    letters = (await document(client, "/v1/dlq"))["items"]
    # Two are the demo's: a mailbox and a device.
    assert len(letters) == 3
    assert all(letter["id"] in ran.out for letter in letters)
    [key] = [key for key in (await document(client, "/v1/keys"))["items"] if key["name"] == "my-shop"]
    assert key["id"] in ran.out
    assert sorted(key["scopes"]) == ["read", "submit"]


async def posting_worked(client: httpx.AsyncClient, ran: Ran) -> None:
    """Check the block that posts: accepted, delivered, and the same answer to a repeat of its key."""
    answer = json.loads(ran.out)
    path = f"/v1/notifications/{answer['id']}"
    while not State((found := await document(client, path))["state"]).terminal:
        pass
    assert found["state"] == "delivered"
    assert found["channels"] == ["email", "sms"]
    assert found["metadata"] == {"order_id": "1001"}
    [block] = [block for block in blocks() if "curl" in block.text]
    body = block.text.partition("-d '")[2].rpartition("'")[0]
    headers = {"Idempotency-Key": "order-1001"}
    repeated = await client.post("/v1/notifications", content=body, headers=headers)
    assert (repeated.status_code, repeated.json()) == (202, answer)


async def document(client: httpx.AsyncClient, path: str) -> Mapping[str, Any]:
    """Return what the API answers."""
    response = await client.get(path)
    assert response.status_code == 200, response.text
    found: Mapping[str, Any] = response.json()
    return found
