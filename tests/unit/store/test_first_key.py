"""The key that a start is given: it has to be one that everything can be done with."""

from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tocsin.errors import SettingsError
from tocsin.runtime import first_key
from tocsin.store.engine import Store
from tocsin.store.keys import Keys
from tocsin.store.migrate import upgrade


@pytest.mark.parametrize("given", ["tcs_test_" + "a" * 43, "tcs_short", "secret"])
async def test_a_test_key_is_refused_as_the_first_one(empty: Store, given: str) -> None:
    await upgrade(empty)
    keys = Keys(store=empty, clock=ManualClock())

    with pytest.raises(SettingsError, match="no live key"):
        await first_key.ensure(
            keys, directory=Path(), demo=False, environ={"TOCSIN_BOOTSTRAP_KEY": given}, randbytes=lambda _: b""
        )
    assert await keys.of_tenant("default") == []
