"""A value that is made from files, and anew when they change: for what is asked for now and then, as by callbacks."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Generic, TypeVar

from loguru import logger

from tocsin.errors import SettingsError
from tocsin.settings.secret_files import FileWatch

T = TypeVar("T")


class Fresh(Generic[T]):
    """`make` reads the files; it is given the value before, None at first. `files` are those of `secret_files.named`.

    Whoever asks has the file system looked at, which costs microseconds. Raises SettingsError, when it is made, if the
    files are of no use; later on such files leave the value as it is, until they are mended.
    """

    def __init__(self, make: Callable[[T | None], T], files: Mapping[str, Path]) -> None:
        self._make = make
        self._watch = FileWatch(files)
        self._value = make(None)

    def get(self) -> T:
        """Return the value of the files as they are now."""
        if self._watch and (changed := self._watch.changed(at_once=True)):
            self._renew(changed)
        return self._value

    def _renew(self, changed: tuple[str, ...]) -> None:
        try:
            self._value = self._make(self._value)
        except SettingsError as error:
            logger.error("secrets_refused", changed=changed, error=str(error))
        else:
            logger.info("secrets_rotated", changed=changed)
