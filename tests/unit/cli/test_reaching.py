"""The way to the gateway: URL, key, and what is said when it does not lead there."""

from pathlib import Path

import httpx
import pytest

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import KEY, FakeGateway, answer, problem
from tocsin.cli.access import Access

LIST = ("GET", "/v1/dlq")
EMPTY: dict[str, object] = {"items": [], "next_cursor": None}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "file.key"
    path.write_text("tcs_file\n", encoding="utf-8")
    return path


def test_the_command_line_wins_over_the_environment(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, answer(EMPTY))
    environ = {"TOCSIN_URL": "http://away.example:1/", "TOCSIN_KEY": "tcs_environment"}

    run("dlq", "list", environ=environ)
    by_environment = gateway.last()
    gateway.on("GET", "/tocsin/v1/dlq", answer(EMPTY))
    run("dlq", "list", "--url", "https://here.example/tocsin/", "--key", "tcs_option", environ=environ)
    by_option = gateway.last()

    assert str(by_environment.url).startswith("http://away.example:1/v1/dlq")
    assert by_environment.headers["authorization"] == "Bearer tcs_environment"
    assert str(by_option.url).startswith("https://here.example/tocsin/v1/dlq")
    assert by_option.headers["authorization"] == "Bearer tcs_option"


def test_a_key_file_wins_over_the_environment(run: Run, gateway: FakeGateway, key_file: Path) -> None:
    gateway.on(*LIST, answer(EMPTY))

    run("dlq", "list", "--key-file", str(key_file))

    assert gateway.last().headers["authorization"] == "Bearer tcs_file"
    assert str(gateway.last().url).startswith("http://127.0.0.1:8080/v1/dlq")


def test_without_a_key_it_says_how_to_get_one(run: Run, gateway: FakeGateway) -> None:
    result = run("dlq", "list", environ={})

    assert (result.exit_code, result.stdout, gateway.requests) == (2, "", [])
    assert "TOCSIN_KEY, --key-file or --key" in result.stderr
    assert "`tocsin keys create`" in result.stderr


def test_without_a_key_it_points_at_the_demos(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "demo.key").write_text(KEY, encoding="utf-8")

    assert "--key-file data/demo.key" in run("dlq", "list", environ={}).stderr.replace("\\", "/")


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--url", "127.0.0.1:8080"), "write it like http://127.0.0.1:8080"),
        (("--url", "http://"), "is not the URL of a gateway"),
        (("--url", "http://x:99999"), "is not the URL of a gateway"),
        (("--url", "ftp://x"), "is not the URL of a gateway"),
        (("--url", "http://user:password@x"), "is not the URL of a gateway"),
        (("--url", "http://a b"), "is not the URL of a gateway"),
        (("--url", "http://\u2603..x"), "is not the URL of a gateway"),
        (("--url", "http://x/?a=b"), "is not the URL of a gateway"),
        (("--key", "two words"), "--key does not hold an API key"),
        (("--key", "schlüssel"), "--key does not hold an API key"),
        (("--key-file", "no.key"), "--key-file no.key cannot be read"),
        (("--key", "tcs_a", "--key-file", "b"), "keep one of them"),
    ],
)
def test_what_cannot_work_is_not_tried(run: Run, gateway: FakeGateway, args: tuple[str, ...], told: str) -> None:
    result = run("dlq", "list", *args)

    assert (result.exit_code, result.stdout, gateway.requests) == (2, "", [])
    assert told in result.stderr


def test_nobody_there(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, httpx.ConnectError("[Errno 111] Connection refused"))

    result = run("dlq", "list")

    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == (
        "error: Cannot reach a gateway at http://127.0.0.1:8080: Connection refused.\n"
        "Is `tocsin up` running there? Name another place with --url or TOCSIN_URL.\n"
    )


def test_no_answer(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, httpx.ReadTimeout("timed out"))

    result = run("dlq", "list")

    assert result.exit_code == 3
    assert "did not answer: timed out" in result.stderr
    assert len(gateway.requests) == 1


def test_a_wrong_key_says_where_it_came_from_and_never_the_key(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, problem(401, "no"))

    result = run("dlq", "list")

    assert result.exit_code == 1
    assert "does not know the API key from TOCSIN_KEY" in result.stderr
    assert KEY not in result.stderr


def test_a_missing_scope_is_told_as_the_gateway_tells_it(run: Run, gateway: FakeGateway) -> None:
    gateway.on(*LIST, problem(403, "This needs an API key with the scope `operate`."))

    result = run("dlq", "list")

    assert result.exit_code == 1
    assert result.stderr == "error: This needs an API key with the scope `operate`.\n"


@pytest.mark.parametrize(
    ("response", "told"),
    [
        (httpx.Response(200, html="<h1>It works</h1>"), "(200) is not a Tocsin gateway"),
        (httpx.Response(200, json=[1]), "(200) is not a Tocsin gateway"),
        (httpx.Response(404, json={"error": "nope"}), "(404) is not a Tocsin gateway"),
        (httpx.Response(302, headers={"Location": "/login"}), "(302) is not a Tocsin gateway"),
        (httpx.Response(502, html="<h1>Bad gateway</h1>"), "has a problem of its own (502)"),
    ],
)
def test_somebody_else_there(run: Run, gateway: FakeGateway, response: httpx.Response, told: str) -> None:
    gateway.on(*LIST, response)

    result = run("dlq", "list")

    assert (result.exit_code, result.stdout) == (1, "")
    assert told in result.stderr


@pytest.mark.parametrize(
    ("url", "local"),
    [("http://127.0.0.1:8080", True), ("http://[::1]:8080", True), ("http://localhost", True), ("http://x", False)],
)
def test_a_proxy_is_never_asked_for_this_machine(url: str, local: bool) -> None:
    assert Access(url=url, key=KEY, key_source="--key").local is local


def test_a_key_is_in_no_repr() -> None:
    assert KEY not in repr(Access(url="http://x", key=KEY, key_source="--key"))
