"""Settings from a file, overrides and the environment; every mistake told at once, with its place and its mend."""

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from tocsin.errors import SettingsError
from tocsin.settings import sections
from tocsin.settings.load import load
from tocsin.settings.values import Settings


class Server(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 25
    password: sections.Secret = ""


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    mode: Literal["smtp", "api"] = "smtp"
    rate: float = 1.0
    open: bool = False
    domains: tuple[str, ...] = ()
    ports: list[int] = []
    sender: str | None = None
    primary: Server = msgspec.field(default_factory=lambda: Server(host="localhost"))
    named: dict[str, Server] = {}
    routes: tuple[Server, ...] = ()
    weights: dict[str, int] = {}


SECTIONS: dict[str, type[msgspec.Struct]] = {**sections.core(), "mail": Mail}


def loaded(
    text: str | None = None, *, tmp: Path | None = None, environ: dict[str, str] | None = None, **more: Any
) -> Settings:
    path = None
    if text is not None:
        assert tmp is not None
        path = tmp / "t.toml"
        path.write_text(text)
    return load(SECTIONS, path=path, environ=environ or {}, **more)


def told(
    text: str | None = None, *, tmp: Path | None = None, environ: dict[str, str] | None = None, **more: Any
) -> str:
    with pytest.raises(SettingsError) as caught:
        loaded(text, tmp=tmp, environ=environ, **more)
    return str(caught.value).replace(str(tmp) + "/", "") if tmp else str(caught.value)


def test_defaults_hold_where_nothing_is_said() -> None:
    settings = loaded()

    assert settings.section("http", sections.Http) == sections.Http()
    assert settings.origin("http.port") == "default"


def test_environment_wins_over_overrides_over_file(tmp_path: Path) -> None:
    settings = loaded(
        "[http]\nport = 1\nhost = 'a'\nmax_batch_items = 7\n",
        tmp=tmp_path,
        overrides={"http": {"port": 2, "host": "b"}, "": {"data_dir": "/demo"}},
        environ={"TOCSIN__HTTP__PORT": "3"},
    )
    http = settings.section("http", sections.Http)

    assert (http.port, http.host, http.max_batch_items) == (3, "b", 7)
    assert settings.section("", sections.Top).data_dir == "/demo"
    assert settings.origin("http.port") == "environment TOCSIN__HTTP__PORT"
    assert settings.origin("http.host") == "override"
    assert settings.origin("http.max_batch_items") == f"file {tmp_path / 't.toml'}, line 4"


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("MODE", "api", lambda m: m.mode == "api"),
        ("RATE", "2", lambda m: m.rate == 2.0),
        ("OPEN", "true", lambda m: m.open is True),
        ("DOMAINS", "a.example, b.example", lambda m: m.domains == ("a.example", "b.example")),
        ("DOMAINS", '["a,b"]', lambda m: m.domains == ("a,b",)),
        ("DOMAINS", "", lambda m: m.domains == ()),
        ("PORTS", "1,2", lambda m: m.ports == [1, 2]),
        ("SENDER", "12", lambda m: m.sender == "12"),
        ("PRIMARY__PORT", "26", lambda m: m.primary.port == 26),
        ("NAMED__EU__HOST", "eu", lambda m: m.named["eu"].host == "eu"),
        ("WEIGHTS", "{a = 1}", lambda m: m.weights == {"a": 1}),
        ("WEIGHTS__A", "1", lambda m: m.weights == {"a": 1}),
    ],
)
def test_variable_is_read_as_its_setting_needs(name: str, text: str, read: Any) -> None:
    environ = {f"TOCSIN__MAIL__{name}": text, "TOCSIN__MAIL__PRIMARY__HOST": "h"}

    assert read(loaded(environ=environ).section("mail", Mail))


def test_variable_cannot_smuggle_in_another_key() -> None:
    assert "http.port" in told(environ={"TOCSIN__HTTP__PORT": "1\nother = 2"})


def test_variables_of_other_forms_are_not_ours() -> None:
    loaded(environ={"TOCSIN_CONFIG": "x", "TOCSIN_BOOTSTRAP_KEY": "x", "HOME": "/"})


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("TOCSIN__HTTP__PROT", "did you mean TOCSIN__HTTP__PORT?"),
        ("TOCSIN__HTPP__PORT", "did you mean TOCSIN__HTTP__PORT?"),
        ("TOCSIN__DATADIR", "did you mean TOCSIN__DATA_DIR?"),
        ("TOCSIN__", "is no setting"),
        ("TOCSIN__HTTP__PORT__X", "is no setting"),
        ("TOCSIN__HTTP", "is a table; set one of its keys: TOCSIN__HTTP__HOST"),
    ],
)
def test_strange_variable_is_a_mistake(name: str, detail: str) -> None:
    message = told(environ={name: "1"})

    assert f"environment {name}" in message
    assert detail in message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[htpp]\nport = 1\n", "htpp (file t.toml, line 1): is no section; did you mean http?"),
        ("\n[http]\nprot = 1\n", "http.prot (file t.toml, line 3): is no setting; did you mean port?"),
        ("datadir = 'x'\n", "datadir (file t.toml, line 1): is no setting; did you mean data_dir?"),
        ("[http]\nport = 70000\n", "http.port (file t.toml, line 2): must be an integer from 0 to 65535"),
        ("[http]\nport = '80'\n", "must be an integer from 0 to 65535, not text"),
        ("[http]\nport = true\n", "must be an integer from 0 to 65535, not true or false"),
        ("[logs]\nlevel = 'info'\n", "must be one of DEBUG, ERROR, INFO, WARNING; did you mean INFO?"),
        ("[mail]\nopen = 'yes'\n", "mail.open (file t.toml, line 2): must be true or false, not text"),
        ("[mail]\ndomains = 'x'\n", "must be a list, not text"),
        ("[mail]\nports = [1, 'x']\n", "must be a list, each an integer"),
        (
            "[mail.primary]\nhost = 'x'\nport = 0\n",
            "mail.primary.port (file t.toml, line 3): must be an integer from 1",
        ),
        ("[mail.primary]\nport = 1\n", "mail.primary.host (file t.toml, line 2): is required"),
        (
            "[mail.named.eu]\nhots = 'x'\n",
            "mail.named.eu.hots (file t.toml, line 2): is no setting; did you mean host?",
        ),
        ("[mail.named]\neu = 1\n", "mail.named.eu (file t.toml, line 2): must be a table"),
        ("[[mail.routes]]\nhost = 'a'\n[[mail.routes]]\nport = 'x'\n", "mail.routes[1].port (file t.toml, line 4)"),
        ("http = 1\n", "http (file t.toml, line 1): must be a table"),
        ("[worker]\nlease_seconds = 30\n", "[worker] (file t.toml, line 2): lease_seconds must be above"),
        ("[data_dir]\nx = 1\n", "data_dir (file t.toml, line 1): must be text of at least 1 characters, not a table"),
    ],
)
def test_mistake_names_key_place_and_mend(tmp_path: Path, text: str, message: str) -> None:
    assert message in told(text, tmp=tmp_path)


def test_all_mistakes_are_told_together(tmp_path: Path) -> None:
    message = told("[http]\nport = 'x'\nprot = 1\n[nope]\n", tmp=tmp_path, environ={"TOCSIN__LOGS__LEVLE": "INFO"})

    assert message.startswith("4 settings are wrong:\n")
    assert all(key in message for key in ("http.port", "http.prot", "nope", "TOCSIN__LOGS__LEVEL"))


def test_mistakes_never_repeat_a_value() -> None:
    assert "hunter2" not in told(environ={"TOCSIN__HTTP__PORT": "hunter2", "TOCSIN__LOGS__LEVEL": "hunter2"})


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[http]\nport = \n", "line 2, column 8: is not TOML: Invalid value"),
        ("[http]\nport = 1\nport = 2\n", "line 3, column 9: is not TOML: Cannot overwrite a value"),
        ("\nhost = 'x\n\n", "line 2: is not TOML: Expected"),
        ('a = 1\nb = """\nx\n', "line 2: is not TOML"),
        ("[a]\nb = [\n1,\n", "line 2: is not TOML"),
    ],
)
def test_broken_toml_says_where(tmp_path: Path, text: str, place: str) -> None:
    assert place in told(text, tmp=tmp_path)


def test_file_that_is_not_utf_8_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"data_dir = '\xff'\n")

    with pytest.raises(SettingsError, match="is not UTF-8 at byte 12"):
        load(SECTIONS, path=path, environ={})


def test_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(SECTIONS, path=tmp_path, environ={})


def test_flat_masks_secrets_that_are_set(tmp_path: Path) -> None:
    text = "[[mail.routes]]\nhost = 'a'\npassword = 'p'\n[mail.named.eu]\nhost = 'b'\npassword = 'q'\n"
    flat = loaded(text, tmp=tmp_path, environ={"TOCSIN__STORE__URL": "postgresql://u:hunter2@h/d"}).flat()

    assert flat["data_dir"] == "./data"
    assert flat["store.url"] == flat["mail.routes[0].password"] == flat["mail.named.eu.password"] == "********"
    assert flat["mail.primary.password"] == ""
    assert flat["mail.routes[0].host"] == "a"


def test_origin_of_what_lies_in_lists_and_free_tables(tmp_path: Path) -> None:
    settings = loaded("[[mail.routes]]\nhost = 'a'\n\n[mail.named.eu]\nhost = 'b'\n", tmp=tmp_path)

    assert settings.origin("mail.routes[0].host").endswith("line 1")
    assert settings.origin("mail.named.eu.host").endswith("line 5")
    assert settings.origin("mail.named.eu.port") == "default"


def test_a_section_must_be_asked_for_as_declared() -> None:
    with pytest.raises(TypeError, match="is Http, not Logs"):
        loaded().section("http", sections.Logs)


def test_top_level_setting_and_section_must_not_clash() -> None:
    with pytest.raises(ValueError, match="data_dir"):
        load({"": sections.Top, "data_dir": sections.Http}, path=None, environ={})
