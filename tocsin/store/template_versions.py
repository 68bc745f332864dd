"""Every version of a template that was ever loaded: a record pins its own, and may be retried or replayed long after
the files were edited."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import select

from tocsin.clock import Clock, to_ms
from tocsin.store import upsert
from tocsin.store.engine import Store
from tocsin.store.tables import templates

_decoder = msgspec.json.Decoder(dict[str, str])


class TemplateVersions:
    """Template files by name and version (a hash of them). Every method may raise StoreUnavailable."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def keep(self, versions: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        """Keep the files (text by path) of each (name, version). A version that is kept already never changes."""
        now = to_ms(self._clock.now())
        rows = [
            {"name": name, "version": version, "files": msgspec.json.encode(files).decode(), "loaded_at": now}
            for (name, version), files in sorted(versions.items())
        ]
        if not rows:
            return
        async with self._store.write() as connection:
            await connection.execute(upsert.insert(connection, templates).on_conflict_do_nothing(), rows)

    async def load(self, name: str, version: str) -> Mapping[str, str] | None:
        """Return the files of a version, None if it was never kept."""
        query = select(templates.c.files).where(templates.c.name == name, templates.c.version == version)
        async with self._store.read() as connection:
            files = await connection.scalar(query)
        return None if files is None else _decoder.decode(files)
