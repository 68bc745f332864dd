"""The first API key: given by the environment, or made where there is none; the demo keeps its own in a file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tocsin.errors import SettingsError
from tocsin.settings.secrets import secret
from tocsin.store.keys import Keys, Scope
from tocsin.web.keys import hashed, mode_of, newkey

_SCOPES: frozenset[Scope] = frozenset({"submit", "read", "operate", "admin"})
_VARIABLE = "TOCSIN_BOOTSTRAP_KEY"
_DEMO_FILE = "demo.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstKey:
    """A key to tell. `new`: it was made just now and is told this once. `file`: where the demo keeps it."""

    text: str
    new: bool
    file: Path | None = None


async def ensure(
    keys: Keys, *, directory: Path, demo: bool, environ: Mapping[str, str], randbytes: Callable[[int], bytes]
) -> FirstKey | None:
    """Make sure that somebody can use the API; return the key to tell, None if there is nothing to tell.

    Raises SettingsError if a key is given that is none, StoreUnavailable.
    """
    given = secret(environ.get(_VARIABLE), environ.get(f"{_VARIABLE}_FILE"), key=_VARIABLE)
    if given is not None:
        if mode_of(given) != "live":
            raise SettingsError(f"{_VARIABLE} is no live key: it must be `tcs_` and 43 characters of A-Z a-z 0-9 - _")
        await _keep(keys, given, "bootstrap")
        return None
    if demo:
        return await _demo_key(keys, directory / _DEMO_FILE, randbytes)
    if await keys.any_left():
        return None
    plain, _ = newkey(randbytes)
    await _keep(keys, plain, "first")
    return FirstKey(text=plain, new=True)


async def _demo_key(keys: Keys, path: Path, randbytes: Callable[[int], bytes]) -> FirstKey:
    kept = _read(path)
    if kept is not None:
        await _keep(keys, kept, "demo")
        return FirstKey(text=kept, new=False, file=path)
    plain, _ = newkey(randbytes)
    await _keep(keys, plain, "demo")
    _write(path, plain)
    return FirstKey(text=plain, new=True, file=path)


def _read(path: Path) -> str | None:
    text = path.read_text(encoding="utf-8").strip() if path.exists() else ""
    return text if mode_of(text) == "live" else None


def _write(path: Path, plain: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(plain + "\n", encoding="utf-8")


async def _keep(keys: Keys, plain: str, name: str) -> None:
    await keys.create(tenant="default", name=name, scopes=_SCOPES, key_hash=hashed(plain))
