"""Secrets: given as a value (best from the environment) or as the name of a file that holds one."""

from pathlib import Path

from tocsin.errors import SettingsError


def secret(value: str | None, file: str | None, *, key: str = "secret") -> str | None:
    """Return a secret given as `<key>` or in the file `<key>_file`, without one trailing newline. None if neither is.

    Raises SettingsError, without the secret, where both are given or the file cannot be used. `key` is for its words.
    """
    if value and file:
        raise SettingsError(f"{key}: is given both as a value and as {key}_file; keep one of them")
    if not file:
        return value or None
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{key}_file: {file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"{key}_file: {file} is not UTF-8 text") from None
    found = text.removesuffix("\n").removesuffix("\r")
    if not found:
        raise SettingsError(f"{key}_file: {file} is empty")
    return found
