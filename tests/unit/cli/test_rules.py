"""`tocsin rules`: on the files alone, without a gateway."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.ruling import CONFIRMATION, WORDS, event, folder, order
from tests.unit.cli.conftest import Run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "rules", orders=CONFIRMATION, words=WORDS)


def written(tmp_path: Path, *documents: Any, lines: bool = False) -> str:
    """Write events into a file; return its path."""
    path = tmp_path / "events.json"
    path.write_text("\n\n".join(map(json.dumps, documents)) if lines else json.dumps(documents))
    return str(path)


def test_right_rules_are_listed(run: Run, root: Path) -> None:
    result = run("rules", "check", str(root), columns=1000)
    listed = json.loads(run("rules", "check", str(root), "--json").stdout)

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["RULE", "confirmation", "words"]
    assert listed["rules"][0] == {"name": "confirmation", "file": str(root / "orders.toml"), "line": 2}


def test_wrong_rules_are_told_with_file_and_line(run: Run, root: Path) -> None:
    folder(root, orders=CONFIRMATION.replace("channels", "chanels"))
    result = run("rules", "check", str(root))

    assert (result.exit_code, result.stdout) == (2, "")
    assert f"rule confirmation, chanels (file {root / 'orders.toml'}, line 6)" in result.stderr


def test_without_a_folder_that_of_the_settings_is_checked(run: Run, root: Path) -> None:
    named = run("rules", "check", environ={"TOCSIN__RULES__ROOT": str(root)})
    none = run("rules", "check", environ={})
    missing = run("rules", "check", str(root / "none"))

    assert "confirmation" in named.stdout
    assert (none.exit_code, "There are no rules" in none.stderr) == (0, True)
    assert (missing.exit_code, "there is no folder" in missing.stderr) == (2, True)


def test_a_channel_that_only_the_demo_has_is_there_with_demo(run: Run, root: Path) -> None:
    folder(root, orders=CONFIRMATION.replace('["email"]', '["sms"]').replace("email =", "phone ="))

    assert run("rules", "check", str(root), environ={}).exit_code == 2
    assert run("rules", "check", str(root), "--demo", environ={}).exit_code == 0


@pytest.mark.parametrize("lines", [True, False])
def test_events_are_shown_as_they_would_be_sent(run: Run, tmp_path: Path, root: Path, *, lines: bool) -> None:
    data = order("1", note="Thank you.")
    file = written(tmp_path, event("1", data=data), event("2", type="Other"), lines=lines)
    result = run("rules", "try", file, "--rules", str(root))

    assert result.exit_code == 0
    assert "1. OrderPlaced 1 of /shop/orders" in result.stdout
    assert "email to ada@example.test (en)" in result.stdout
    assert "Thank you." in result.stdout
    assert "1 x mug" in result.stdout
    assert "<html" not in result.stdout
    assert "2. Other 2 of /shop/orders\n   no rule matches" in result.stdout


def test_what_cannot_be_used_is_told_and_fails(run: Run, tmp_path: Path, root: Path) -> None:
    file = written(tmp_path, event("1", data=order("1", customer={}, note="x")), {"id": 1})
    result = run("rules", "try", file, "--rules", str(root))

    assert result.exit_code == 1
    assert "confirmation: cannot use it" in result.stdout
    assert "/recipient/email is required for the channel email; the event has nothing at data.cust" in result.stdout
    assert "desk@example.test" in result.stdout
    assert "2. is no event that can be read" in result.stdout
    assert "Of 2 events 2 cannot be used." in result.stderr


def test_an_event_that_no_rule_matches_fails_where_that_is_wanted(run: Run, tmp_path: Path, root: Path) -> None:
    file = written(tmp_path, event("1", type="Other"))

    assert run("rules", "try", file, "--rules", str(root)).exit_code == 0
    assert run("rules", "try", file, "--rules", str(root), "--strict").exit_code == 1


def test_events_come_from_standard_input_and_go_out_as_json(run: Run, root: Path) -> None:
    given = json.dumps(event("1", data=order("1", note="x")))
    result = run("rules", "try", "-", "--rules", str(root), "--json", stdin=given)
    [told] = json.loads(result.stdout)["events"]

    assert [rule["rule"] for rule in told["rules"]] == ["confirmation", "words"]
    assert told["rules"][0]["messages"][0]["address"] == "ada@example.test"
    assert "email.html" in told["rules"][0]["messages"][0]["parts"]


def test_what_is_registered_is_taken_to_be_there(run: Run, tmp_path: Path, root: Path) -> None:
    folder(root, orders=CONFIRMATION.replace('["email"]', '["email", "browser"]'))
    file = written(tmp_path, event("1", data=order("1", note="x")))
    result = run("rules", "try", file, "--rules", str(root), "--demo", environ={})

    assert result.exit_code == 0, result.stdout
    assert "browser to what is registered for cust-42" in result.stdout
    assert "email to ada@example.test" in result.stdout


@pytest.mark.parametrize(("text", "told"), [("{", "line 1"), ('{"id": "1"}\n\nx', "line 3")])
def test_a_file_that_is_no_json_is_a_misuse(run: Run, tmp_path: Path, root: Path, text: str, told: str) -> None:
    path = tmp_path / "events"
    path.write_text(text)
    broken = run("rules", "try", str(path), "--rules", str(root))
    missing = run("rules", "try", str(tmp_path / "none"), "--rules", str(root))

    assert (broken.exit_code, missing.exit_code) == (2, 2)
    assert f"is neither JSON nor JSON lines: {told}" in broken.stderr


@pytest.mark.parametrize("lines", ["", "{}\n"])
def test_what_is_nested_too_deeply_is_a_misuse(run: Run, tmp_path: Path, root: Path, lines: str) -> None:
    path = tmp_path / "events"
    path.write_text(lines + "[" * 5000 + "]" * 5000)
    result = run("rules", "try", str(path), "--rules", str(root))

    assert (result.exit_code, "is nested too deeply" in result.stderr) == (2, True)


def test_an_event_that_a_gateway_would_not_read_is_told(run: Run, tmp_path: Path, root: Path) -> None:
    file = written(tmp_path, event("1", data=order("1", note="a\0b")))
    result = run("rules", "try", file, "--rules", str(root))

    assert result.exit_code == 1
    assert "/data/note holds a NUL" in result.stdout
