"""A provider's secret that changes in its file while messages are sent."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.providers import email_cases, push_cases
from tests.contract.providers.harness import Answer, Authority, Case, Sections
from tests.contract.providers.world import World, opened
from tests.support.waiting import until
from tocsin.errors import SettingsError
from tocsin.outcome import Delivered


def put(path: Path, content: bytes) -> None:
    """Put another file in the place of one, as tools that handle secrets do."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


async def test_what_is_under_way_ends_with_the_old_secret_and_the_next_has_the_new(world: World) -> None:
    first, second = world.case.secrets()
    world.peer.next(Answer.HELD)
    claims = [world.claim(), world.claim()]
    sending = asyncio.create_task(world.send(claims[0]))
    await until(lambda: world.peer.holds, what="the message")
    put(world.secret, second.encode())
    await world.rotation.look(at_once=True)
    after = await world.send(claims[1])
    world.peer.release()
    before = await sending
    await world.rotation.look()
    await until(lambda: world.peer.open == 1, what="the old connection to be closed")
    sent = world.peer.sent

    assert (type(before), type(after)) == (Delivered, Delivered)
    assert [world.case.proves(each, first) for each in sent] == [True, False]
    assert [world.case.proves(each, second) for each in sent] == [False, True]
    assert [claim.sent for claim in claims] == [[0], [1]]


async def test_at_the_start_a_secret_that_is_none_is_named(case: Case, tmp_path: Path) -> None:
    sections = case.settings(1, tmp_path / "secret")
    [key] = [f"{name}.{key}" for name, keys in sections.items() for key in keys if key.endswith("_file")]

    with pytest.raises(SettingsError, match=re.escape(key)):
        async with opened(replace(case, secrets=lambda: ("", "")), tmp_path, Authority(tmp_path)):
            pass


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"], ids=["empty", "binary"])
async def test_a_secret_that_is_none_leaves_the_old_one_in_use(world: World, content: bytes) -> None:
    first, second = world.case.secrets()
    await world.works()
    put(world.secret, content)
    await world.rotation.look(at_once=True)
    refused = world.rotation.refused(world.case.channel)
    connections = world.peer.connections
    await world.send()
    kept = world.peer.connections
    put(world.secret, second.encode())
    await world.rotation.look(at_once=True)
    await world.send()

    assert refused.endswith("changed, and cannot be used (see the log); the old secrets hold")
    assert kept == connections
    assert [world.case.proves(each, first) for each in world.peer.sent] == [True, True, False]
    assert world.case.proves(world.peer.sent[2], second)
    assert world.rotation.refused(world.case.channel) == ""


async def test_a_secret_that_is_away_leaves_the_old_one_in_use(world: World) -> None:
    world.secret.unlink()
    await world.rotation.look(at_once=True)

    assert world.rotation.refused(world.case.channel)
    await world.works()


async def test_a_key_and_its_id_are_replaced_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority, key_id = Authority(tmp_path), tmp_path / "id"
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    key_id.write_text("AKIAFIRST")

    def settings(port: int, secret: Path) -> Sections:
        found = email_cases.SES.settings(port, secret)
        found["ses"] |= {"access_key_id": "", "access_key_id_file": str(key_id)}
        return found

    async with opened(replace(email_cases.SES, settings=settings), tmp_path, authority) as world:
        await world.works()
        put(key_id, b"AKIASECOND")
        await world.rotation.look()
        put(world.secret, b"second-secret")
        await world.rotation.look()
        await world.works()
        await world.rotation.look()
        await world.works()

    told = [each.headers["authorization"].partition("Credential=")[2].partition("/")[0] for each in world.peer.sent]
    assert told == ["AKIAFIRST", "AKIAFIRST", "AKIASECOND"]
    assert [email_cases.ses_proves(each, "second-secret", key_id="AKIASECOND") for each in world.peer.sent] == [
        *(False, False, True),
    ]


@pytest.mark.parametrize(
    ("case", "section"),
    [(email_cases.SMTP, "email"), (push_cases.APNS, "apns"), (push_cases.WEBPUSH, "webpush")],
    ids=["smtp", "apns", "webpush"],
)
async def test_certificates_to_trust_are_read_anew(case: Case, section: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(authority.foreign_file.read_bytes())

    def settings(port: int, secret: Path) -> Sections:
        found = case.settings(port, secret)
        found[section]["ca_file"] = str(trusted)
        return found

    async with opened(replace(case, settings=settings), tmp_path, authority) as world:
        before = await world.send()
        put(trusted, authority.file.read_bytes())
        await world.rotation.look(at_once=True)
        await world.works()

    assert type(before) is case.untrusted


async def test_a_vapid_key_that_subscriptions_need_is_not_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    first, second = push_cases.WEBPUSH.secrets()
    async with opened(push_cases.WEBPUSH, tmp_path, authority) as world:
        put(tmp_path / "retired", second.encode())
        put(world.secret, second.encode())
        await world.rotation.look(at_once=True)
        refused = world.rotation.refused("browser")
        await world.works()
        put(tmp_path / "retired", first.encode())
        await world.rotation.look(at_once=True)
        await world.works()

    assert refused.startswith("webpush.retired_key_files[0], webpush.vapid_key_file: ")
    assert [push_cases.WEBPUSH.proves(each, first) for each in world.peer.sent] == [True, False]
