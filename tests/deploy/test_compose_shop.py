"""The shop in the compose files: a container and a database a service, and a gateway that listens to them."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest

from examples.shop import __main__ as shop
from examples.shop import roster
from examples.shop.kit import topics
from examples.shop.kit.settings import ShopSettings, from_environment
from tests.deploy.composing import DEPLOY
from tests.deploy.project import of_shop, services
from tocsin.runtime import discover


def test_the_shop_has_a_container_for_each_of_its_services_with_a_database_of_its_own() -> None:
    given = {name: services()[name] for name in of_shop()}
    databases = {
        name: from_environment(service["environment"], data=Path()).databases for name, service in given.items()
    }
    of_all = databases.pop("shop-setup")

    assert {name for name in given if given[name]["command"][0] == name} == {each.name for each in roster.SERVICES}
    assert databases == {name: {name: of_all[name]} for name in databases}
    assert len(set(of_all.values())) == len(of_all) == len(roster.SERVICES)


@pytest.mark.parametrize("name", of_shop())
def test_a_command_of_the_shop_is_one_with_what_it_takes(name: str) -> None:
    service = services()[name]
    module, *words = [*service["entrypoint"], *service["command"]][2:]
    told = shop.parsed(words)

    assert service["entrypoint"][:2] == ["python", "-m"]
    assert module == shop.MODULE
    assert told.services == ((shop.SETUP,) if name == "shop-setup" else (name,))
    assert told.host == "0.0.0.0"
    assert {urlsplit(url).hostname: urlsplit(url).port for url in told.places.values()} == (
        dict.fromkeys(topics.SERVICES, told.port) if name == "page" else {}
    )
    assert all(urlsplit(url).hostname == service for service, url in told.places.items())


def test_the_gateway_reads_the_topics_and_the_rules_of_the_shop() -> None:
    names = ",".join(topics.of_services(topics.SERVICES, ShopSettings()))
    api = services()["api"]
    mounted = {volume["target"]: volume["source"] for volume in api["volumes"]}

    assert services()["topics"]["environment"]["TOCSIN__RULES__TOPICS"] == names
    assert api["environment"]["TOCSIN__RULES__TOPICS"] == names
    assert DEPLOY / mounted[api["environment"]["TOCSIN__RULES__ROOT"]] == DEPLOY / "../examples/shop/gateway/rules"
    assert mounted[api["environment"]["TOCSIN__TEMPLATES__ROOT"]] == "../examples/shop/gateway/templates"


def test_channels_and_services_of_the_shop_can_be_scaled() -> None:
    for name in (*discover.channels(), *topics.SERVICES):
        assert {"ports", "container_name", "hostname"} & services()[name].keys() == set()
