"""What the shop counts, for Prometheus. No label holds an id or an address."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class ShopMetrics:
    """The metrics of all services of one process, in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.published = Counter(
            "shop_events_published", "Events that the log has taken", ["service", "type"], registry=registry
        )
        self.taken = Counter(
            "shop_events_taken",
            "Events that a service has read, by what it made of them: applied, ignored, early, repeated, unreadable",
            ["service", "type", "result"],
            registry=registry,
        )
        self.outbox = Gauge(
            "shop_outbox_events", "Events that were found to wait for the log", ["service"], registry=registry
        )
        self.orders = Counter("shop_orders", "Orders that have reached a status", ["status"], registry=registry)
