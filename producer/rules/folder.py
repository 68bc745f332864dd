"""The folder of the rule files: which one, which files, and whether they are as they were."""

from collections.abc import Mapping
from pathlib import Path

from tocsin.errors import SettingsError
from tocsin.settings.secret_files import Stamp, stamp

_HERE = Path("configs") / "rules"

Files = Mapping[Path, Stamp]


def find(configured: str) -> Path:
    """Return the folder: `rules.root`, else ./configs/rules, which need not be there. Raises SettingsError."""
    if not configured:
        return _HERE
    root = Path(configured).expanduser()
    if not root.is_dir():
        raise SettingsError(f"rules.root: there is no folder {root}")
    return root


def files(root: Path, *, required: bool) -> Files:
    """Return the rule files of the folder, by name: all that end with `.toml`. Raises OSError.

    A folder that is not `required` has none where it is not there.
    """
    try:
        found = sorted(path for path in root.iterdir() if path.suffix == ".toml" and not path.name.startswith("."))
    except FileNotFoundError:
        if required:
            raise
        return {}
    return {path: stamp(path) for path in found}


def unchanged(path: Path, before: Stamp) -> bool:
    """Return whether a file is the one that was looked at."""
    return stamp(path) == before
