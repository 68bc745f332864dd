"""How the shop is set up, from the environment: every variable begins with `SHOP_`, and has a default."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

_PREFIX = "SHOP_"
_DATABASE = "_DATABASE_URL"
_SWITCH = {"on": True, "off": False}
_KNOWN = ("SHOP_TOPIC", "SHOP_PAYMENTS", "SHOP_STOCK", "SHOP_PACKING_SECONDS", "SHOP_SIMULATORS_URL")
_SIMULATORS = "http://127.0.0.1:8190"


class ShopSettingsError(ValueError):
    """A variable is wrong. The message names it, and says what to write instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopSettings:
    """`SHOP_TOPIC` has all events on this one topic (None: each service has its own).

    `SHOP_PAYMENTS` (on, off): off is the simple flow, an order goes straight to the stock.
    `SHOP_STOCK`: how many there are of each product when the shop opens first (the unicorn is never there).
    `SHOP_PACKING_SECONDS`: how long shipping packs; an order cancelled meanwhile is not sent.
    `SHOP_SIMULATORS_URL`: where the page reads the mails and texts that the simulators took.
    `SHOP_<SERVICE>_DATABASE_URL`: postgresql://… or sqlite:///path; by default a SQLite file in the data folder.
    """

    data: Path = field(default_factory=lambda: Path("data/shop"))
    topic: str | None = None
    payments: bool = True
    stock: int = 1000
    packing: timedelta = timedelta(seconds=2)
    simulators: str = _SIMULATORS
    databases: Mapping[str, str] = field(default_factory=dict)

    def database_url(self, service: str) -> str:
        """Return the URL of a service's own database."""
        return self.databases.get(service) or f"sqlite:///{self.data / service}.db"


def from_environment(environ: Mapping[str, str], *, data: Path) -> ShopSettings:
    """Return the settings that the environment has. Raises ShopSettingsError."""
    given = {name: value for name, value in environ.items() if name.startswith(_PREFIX) and value}
    databases = {
        name.removeprefix(_PREFIX).removesuffix(_DATABASE).lower(): given.pop(name)
        for name in list(given)
        if name.endswith(_DATABASE)
    }
    if strange := sorted(given.keys() - set(_KNOWN)):
        raise ShopSettingsError(f"{strange[0]} is not known; known: {', '.join(_KNOWN)}, SHOP_<SERVICE>{_DATABASE}")
    return ShopSettings(
        data=data,
        topic=given.get("SHOP_TOPIC"),
        payments=_switch(given),
        stock=_whole(given, "SHOP_STOCK", 1000),
        packing=timedelta(seconds=_whole(given, "SHOP_PACKING_SECONDS", 2)),
        simulators=given.get("SHOP_SIMULATORS_URL", _SIMULATORS),
        databases=databases,
    )


def _switch(given: Mapping[str, str]) -> bool:
    text = given.get("SHOP_PAYMENTS", "on")
    if text not in _SWITCH:
        raise ShopSettingsError("SHOP_PAYMENTS must be on or off")
    return _SWITCH[text]


def _whole(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) > 1_000_000:  # noqa: PLR2004 - a bound of reason
        raise ShopSettingsError(f"{name} must be a whole number from 0 to 1000000")
    return int(text)
