"""The metrics that dashboards and alerts are built on."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tocsin.observe.metrics import Metrics

NAMES = {
    "tocsin_submissions_total": ("result",),
    "tocsin_notifications_total": (),
    "tocsin_http_requests_total": ("method", "route", "status"),
    "tocsin_http_request_seconds": ("route",),
    "tocsin_attempts_total": ("channel", "provider", "outcome"),
    "tocsin_attempt_seconds": ("channel", "provider"),
    "tocsin_deliveries_total": ("channel", "state"),
    "tocsin_retries_total": ("channel", "tier"),
    "tocsin_reparked_total": ("channel",),
    "tocsin_retry_lateness_seconds": ("channel",),
    "tocsin_in_flight": ("channel",),
    "tocsin_unfinished_records": ("group",),
    "tocsin_dead_letters_total": ("channel", "reason"),
    "tocsin_forks_dropped_total": ("channel",),
    "tocsin_unmapped_codes_total": ("channel", "provider"),
    "tocsin_bounces_total": ("result",),
    "tocsin_route_misconfigured_total": ("channel", "provider"),
    "tocsin_route_state": ("channel", "provider"),
    "tocsin_channel_halted": ("channel",),
    "tocsin_log_writes_total": (),
    "tocsin_log_batch_records": (),
    "tocsin_log_commit_seconds": (),
    "tocsin_log_bytes": (),
    "tocsin_log_writable": (),
    "tocsin_log_lag": ("group",),
    "tocsin_ingested_total": ("sink",),
    "tocsin_ingest_quarantined_total": ("sink",),
    "tocsin_overdue_deliveries": (),
    "tocsin_build_info": ("version",),
}


def rendered(metrics: Metrics) -> str:
    return metrics.render()[0].decode()


def test_every_metric_is_there_under_its_name_and_labels() -> None:
    metrics = Metrics(version="1.2.3")
    collectors = metrics.registry._names_to_collectors
    found = {name: collectors[name]._labelnames for name in NAMES}  # type: ignore[attr-defined]

    assert found == NAMES


def test_rendering_is_what_prometheus_reads_and_has_no_created_series() -> None:
    metrics = Metrics(version="1.2.3")
    metrics.attempts("email", "smtp", "delivered").inc()
    metrics.log_commit_seconds.observe(0.002)
    families = list(text_string_to_metric_families(rendered(metrics)))

    assert metrics.render()[1].startswith("text/plain")
    assert 'tocsin_attempts_total{channel="email",outcome="delivered",provider="smtp"} 1.0' in rendered(metrics)
    assert 'tocsin_build_info{version="1.2.3"} 1.0' in rendered(metrics)
    assert "_created" not in rendered(metrics)
    assert all(family.documentation for family in families)


def test_two_processes_worth_of_metrics_do_not_meet() -> None:
    one, other = Metrics(version="1"), Metrics(version="1")
    one.notifications.inc()

    assert "tocsin_notifications_total 1.0" in rendered(one)
    assert "tocsin_notifications_total 0.0" in rendered(other)


def test_children_are_made_once() -> None:
    metrics = Metrics(version="1")

    assert metrics.in_flight("email") is metrics.in_flight("email")


@pytest.mark.parametrize("value", ["alice@example.com", "+447911123456", "x" * 101])
def test_labels_never_hold_an_address(value: str) -> None:
    metrics = Metrics(version="1")
    metrics.in_flight(value).set(1)

    assert value not in rendered(metrics)
    assert 'tocsin_in_flight{channel="other"} 1.0' in rendered(metrics)


def test_labels_do_not_grow_without_bound() -> None:
    metrics = Metrics(version="1")
    for number in range(6_000):
        metrics.log_lag(f"group-{number}")

    assert len(metrics.log_lag._children) == 5_000


def test_wrong_number_of_labels_is_a_bug() -> None:
    with pytest.raises(ValueError, match="label"):
        Metrics(version="1").in_flight("email", "smtp")
