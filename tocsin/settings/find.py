"""Which settings file holds: the one that was named, the one that lies here, or the packaged one."""

import importlib.resources
from collections.abc import Mapping
from pathlib import Path

from tocsin.errors import SettingsError

_HERE = Path("configs") / "tocsin.toml"


def find(config: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the settings file: `--config`, else `TOCSIN_CONFIG`, else `./configs/tocsin.toml`, else the packaged one.

    None where there is none at all; defaults then hold. Raises SettingsError if a file that was named is not there.
    """
    for named, how in ((config, "--config"), (environ.get("TOCSIN_CONFIG"), "environment TOCSIN_CONFIG")):
        if named:
            return _named(Path(named), how)
    return _HERE if _HERE.is_file() else _packaged()


def _named(path: Path, how: str) -> Path:
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise SettingsError(f"{path} ({how}): {what}; name a TOML file")
    return path


def _packaged() -> Path | None:
    try:
        found = importlib.resources.files("configs").joinpath(_HERE.name)
    except ModuleNotFoundError:
        return None
    # Tocsin is never run from a zip file, so what the package holds is a file.
    return found if isinstance(found, Path) and found.is_file() else None
