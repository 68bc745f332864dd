"""What a new user gets wrong, and whether the answer says what to do."""

import socket
from pathlib import Path

from tests.support.processes import KEY, run, serving

NOWHERE = 9  # the discard port: nothing listens there, and nothing here is to be delivered


async def test_a_wrong_key_is_named_as_such(tmp_path: Path) -> None:
    async with serving(tmp_path, smtp_port=NOWHERE) as gateway:
        wrong = "tcs_" + "x" * 43
        ran = await run("dlq", "list", directory=tmp_path, TOCSIN_URL=gateway.url, TOCSIN_KEY=wrong)

    assert ran.code == 1
    assert "key" in ran.err
    assert wrong not in ran.err


async def test_no_key_says_where_to_get_one(tmp_path: Path) -> None:
    ran = await run("dlq", "list", directory=tmp_path)

    assert ran.code == 2
    assert "TOCSIN_KEY" in ran.err


async def test_no_gateway_says_how_to_start_one(tmp_path: Path) -> None:
    ran = await run("dlq", "list", "--url", "http://127.0.0.1:9", directory=tmp_path, TOCSIN_KEY=KEY)

    assert ran.code == 3
    assert "tocsin up" in ran.err


async def test_a_port_in_use_is_named_with_the_setting_that_changes_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = await run("up", "--port", str(port), directory=tmp_path)

    assert ran.code == 2
    assert f"127.0.0.1:{port} is in use" in ran.err
    assert "TOCSIN__HTTP__PORT" in ran.err


async def test_a_data_directory_in_use_names_the_process(tmp_path: Path) -> None:
    async with serving(tmp_path, smtp_port=NOWHERE) as gateway:
        ran = await run("up", "--port", "0", directory=tmp_path)

        assert ran.code == 1
        assert f"locked by pid {gateway.process.pid}" in ran.err


async def test_broken_toml_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text("[http]\nport = = 3\n")
    ran = await run("up", "--config", "tocsin.toml", directory=tmp_path)

    assert ran.code == 2
    assert "line 2" in ran.err


async def test_a_mistyped_key_names_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[email]\nhots = "mail.example.com"\n')
    ran = await run("config", "check", "--config", "tocsin.toml", directory=tmp_path)

    assert ran.code == 2
    assert "host" in ran.err


async def test_an_unknown_template_and_a_bad_address_are_told_together(tmp_path: Path) -> None:
    async with serving(tmp_path, smtp_port=NOWHERE) as gateway:
        ran = await run(
            *("send", "--to", "ada.example.test", "--template", "order-confirmaton", "--data", "{}"),
            directory=tmp_path,
            TOCSIN_URL=gateway.url,
            TOCSIN_KEY=KEY,
        )

    assert ran.code == 1
    assert "there is no @" in ran.err
    assert "did you mean order-confirmation?" in ran.err


async def test_a_missing_variable_is_told_with_its_name(tmp_path: Path) -> None:
    async with serving(tmp_path, smtp_port=NOWHERE) as gateway:
        ran = await run(
            *("send", "--to", "ada@example.test", "--template", "welcome", "--data", "{}"),
            directory=tmp_path,
            TOCSIN_URL=gateway.url,
            TOCSIN_KEY=KEY,
        )

    assert ran.code == 1
    assert "/data/name" in ran.err
