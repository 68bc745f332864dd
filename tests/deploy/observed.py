"""What the dashboard and the alerts ask Prometheus, and what there is to be asked for."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from examples.shop.kit.metrics import ShopMetrics
from tests.deploy.composing import DEPLOY
from tocsin.observe.metrics import Metrics

DASHBOARD = DEPLOY / "grafana" / "dashboards" / "tocsin.json"
SHOP = DASHBOARD.with_name("shop.json")
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
PROMETHEUS = DEPLOY / "prometheus" / "prometheus.yml"

_GRAFANA = {"$__rate_interval": "1m", "$__range": "1h", "$channel": ".*"}


def dashboard(path: Path = DASHBOARD) -> dict[str, Any]:
    """Return a dashboard."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def alerts() -> list[dict[str, Any]]:
    """Return the alerting rules."""
    return [rule for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def panels() -> Iterator[dict[str, Any]]:
    """Return what the dashboards show, without the rows' headings."""
    return (panel for path in (DASHBOARD, SHOP) for panel in dashboard(path)["panels"] if panel["type"] != "row")


def queries() -> list[str]:
    """Return every query of the dashboards and the alerts, Grafana's variables replaced."""
    asked = [target["expr"] for panel in panels() for target in panel["targets"]] + [rule["expr"] for rule in alerts()]
    for name, value in _GRAFANA.items():
        asked = [query.replace(name, value) for query in asked]
    return asked


def labels() -> dict[str, set[str]]:
    """Return every metric of ours with its labels."""
    metrics = Metrics(version="test")
    ShopMetrics(metrics.registry)
    known = _metrics(metrics)
    return {each._name + ("_total" if isinstance(each, Counter) else ""): set(each._labelnames) for each in known}


def rendered() -> str:
    """Return a /metrics page on which every metric has a value."""
    metrics = Metrics(version="test")
    ShopMetrics(metrics.registry)
    for each in _metrics(metrics):
        if each._labelnames:
            each.labels(*(f"a_{label}" for label in each._labelnames))
    return metrics.render()[0].decode()


def _metrics(metrics: Metrics) -> list[MetricWrapperBase]:
    return [each for each in metrics.registry._collector_to_names if isinstance(each, MetricWrapperBase)]
