"""How the shop is set up: by its environment, with a clear word where that is wrong."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import MetaData

from examples.shop.kit import topics
from examples.shop.kit.database import DatabaseUnavailable, open_database
from examples.shop.kit.settings import ShopSettings, ShopSettingsError, from_environment


def read(**environ: str) -> ShopSettings:
    return from_environment(environ, data=Path("here"))


def test_without_any_everything_has_a_default() -> None:
    settings = read(PATH="/bin", SHOP_TOPIC="")
    assert settings == ShopSettings(data=Path("here"))
    assert settings.database_url("orders") == "sqlite:///here/orders.db"
    assert topics.of_services(topics.SERVICES, settings) == [
        "shop.customers",
        "shop.orders",
        "shop.payments",
        "shop.inventory",
        "shop.shipping",
    ]


def test_everything_can_be_set() -> None:
    settings = read(
        SHOP_TOPIC="shop.events",
        SHOP_PAYMENTS="off",
        SHOP_STOCK="7",
        SHOP_PACKING_SECONDS="0",
        SHOP_ORDERS_DATABASE_URL="postgresql://shop@db/orders",
    )
    assert (settings.payments, settings.stock, settings.packing) == (False, 7, timedelta())
    assert settings.database_url("orders") == "postgresql://shop@db/orders"
    assert topics.of_services(topics.SERVICES, settings) == ["shop.events"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("SHOP_PAYMENTS", "yes"), ("SHOP_STOCK", "-1"), ("SHOP_PACKING_SECONDS", "1.5"), ("SHOP_TOPICS", "x")],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(ShopSettingsError, match=name):
        read(**{name: value})


async def test_a_database_belongs_to_one_service(tmp_path: Path) -> None:
    async with open_database(f"sqlite:///{tmp_path}/one.db") as database:
        await database.make(MetaData(), service="orders")
        await database.make(MetaData(), service="orders")
        with pytest.raises(ShopSettingsError, match="that of orders"):
            await database.make(MetaData(), service="payments")


@pytest.mark.parametrize("url", ["mysql://here", "nonsense", "sqlite://"])
async def test_a_url_of_no_database_that_is_known_is_refused(url: str) -> None:
    with pytest.raises(ShopSettingsError, match="a database URL is"):
        async with open_database(url):
            pass


async def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    async with open_database(f"postgresql://shop@/shop?host={tmp_path}") as database:
        with pytest.raises(DatabaseUnavailable):
            await database.make(MetaData(), service="orders")
