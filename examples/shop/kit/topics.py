"""The shop's topics: one a service, or a single one for everything."""

from collections.abc import Iterable

from examples.shop.kit.settings import ShopSettings

SERVICES = ("customers", "orders", "payments", "inventory", "shipping")


def of_service(service: str, settings: ShopSettings) -> str:
    """Return the topic to which a service publishes."""
    return settings.topic or f"shop.{service}"


def of_services(services: Iterable[str], settings: ShopSettings) -> list[str]:
    """Return the topics to which these services publish, each once."""
    return list(dict.fromkeys(of_service(service, settings) for service in services))


def group(service: str) -> str:
    """Return the group in which the copies of a service read."""
    return f"shop.{service}"
