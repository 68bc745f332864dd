"""What the import contracts cannot see: the top of the tree, data folders, and modules that do nothing on import."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ["tocsin", "producer", "channels", "dlq", "audit", "simulators", "examples"]
DATA = ["schemas", "configs"]
LARGEST = 350
SHOP = ROOT / "examples" / "shop"
# All of Tocsin that the shop knows: how its events are written, read and told apart.
OF_TOCSIN = {"tocsin.clock", "tocsin.envelope", "tocsin.errors", "tocsin.eventlog.port", "tocsin.record"}


def modules() -> list[Path]:
    """Return every module that ships."""
    found = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if path.name != "env.py"]  # Alembic's, which runs it as a script


def test_the_contracts_know_every_package_at_the_top() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shipped = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    found = [path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()]

    assert sorted(settings["tool"]["importlinter"]["root_packages"]) == sorted(PACKAGES)
    assert sorted(shipped) == sorted(PACKAGES + DATA)
    assert set(found) - {"benchmarks", "tests"} == set(PACKAGES)


def test_data_folders_hold_no_code() -> None:
    assert [path for folder in DATA for path in (ROOT / folder).rglob("*.py")] == []


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_is_small_says_what_it_is_for_and_does_nothing_on_import(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source)
    calls = [node for node in tree.body if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)]

    assert ast.get_docstring(tree)
    assert len(source.splitlines()) <= LARGEST
    assert calls == []


def test_the_shop_knows_no_more_of_tocsin_than_its_event_log() -> None:
    beside = {SHOP / "start.py", SHOP / "__main__.py", *(SHOP / "load").rglob("*.py")}
    shop = [path for path in SHOP.rglob("*.py") if path not in beside]
    known = {name for path in shop for name in imported(ast.parse(path.read_text())) if name.startswith("tocsin.")}

    assert known == OF_TOCSIN


def imported(tree: ast.Module) -> set[str]:
    """Return the modules that a module imports, as far as names tell: `from package import name` may be either."""
    named = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    whole = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    of_packages = {f"{node.module}.{alias.name}" for node in named for alias in node.names if node.module == "tocsin"}
    return {*whole, *of_packages, *(node.module for node in named if node.module)}


def test_locks_name_no_registry() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert "://" not in (ROOT / name).read_text()


def test_nothing_names_a_place_of_its_own_machine() -> None:
    listed = subprocess.run(
        ["git", "grep", "-nIF", str(ROOT) + "/"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert listed.stdout == ""


def test_a_gateway_does_not_load_the_libraries_of_what_it_does_not_do() -> None:
    script = """
import sys
from importlib.metadata import entry_points
import tocsin.runtime.gateway
for group in ("tocsin.services", "tocsin.channels"):
    assert [each.load() for each in entry_points(group=group)]
print(*sorted(name for name in sys.modules if "." not in name))
"""
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    loaded = set(ran.stdout.split())
    assert loaded >= {"aiosmtplib", "sqlalchemy"}
    assert not loaded & {"aiokafka", "asyncpg", "cryptography", "twilio", "phonenumbers", "pywebpush", "h2", "aiosmtpd"}
    # Needed once, at the first start of a new version.
    assert not loaded & {"alembic", "mako", "pygments"}
