"""Every metric of Tocsin, defined once, on a registry of its own. Labels are channels, providers, rules, our own words.

Units are in the names, seconds and bytes; the README of `deploy/` says which ones the dashboards and alerts use.
"""

from collections.abc import Iterator, Sequence

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from tocsin.observe.families import Family

_FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_CALLS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60)
_LATENESS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800)
_BATCH = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)


class Metrics:
    """The metrics of one process. Those with labels are families: `metrics.in_flight("email").inc()`."""

    def __init__(self, *, version: str) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._submit()
        self._http()
        self._deliver()
        self._log()
        self._audit()
        build = self._gauges("tocsin_build_info", "Always 1; its label is the version that runs.", "version")
        build(version).set(1)

    def render(self) -> tuple[bytes, str]:
        """Return all metrics in Prometheus' text format, and its content type."""
        return prometheus_client.generate_latest(_WithoutCreated(self.registry)), prometheus_client.CONTENT_TYPE_LATEST

    def _submit(self) -> None:
        self.submissions = self._counters(
            "tocsin_submissions_total", "Submits by result: accepted, repeated, refused, unavailable.", "result"
        )
        self.requests = self._counters(
            "tocsin_requests_total", "Requests read from the log by outcome: accepted, repeated, refused.", "outcome"
        )
        self.rule_events = self._counters(
            "tocsin_rule_events_total", "Events by what rules are for them: matched, unmatched, refused.", "outcome"
        )
        self.rule_notifications = self._counters(
            "tocsin_rule_notifications_total",
            "What rules made of the events that they match by outcome: accepted, repeated, refused.",
            "rule",
            "outcome",
        )
        self.rules = Gauge("tocsin_rules", "Rules in use.", registry=self.registry)
        self.rules_refused = Gauge(
            "tocsin_rules_refused",
            "Rule files that have changed to what cannot be used.",
            registry=self.registry,
        )
        self.notifications = Counter(
            "tocsin_notifications_total", "Notifications accepted for good.", registry=self.registry
        )

    def _http(self) -> None:
        self.http_requests = self._counters(
            "tocsin_http_requests_total", "HTTP requests answered.", "method", "route", "status"
        )
        self.http_seconds = self._histograms(
            "tocsin_http_request_seconds", "Time to answer an HTTP request.", _FAST, "route"
        )

    def _deliver(self) -> None:
        self.attempts = self._counters(
            "tocsin_attempts_total", "Provider calls by outcome.", "channel", "provider", "outcome"
        )
        self.attempt_seconds = self._histograms(
            "tocsin_attempt_seconds", "Time of a provider call.", _CALLS, "channel", "provider"
        )
        self.deliveries = self._counters(
            "tocsin_deliveries_total", "Lives of deliveries that ended, by terminal state.", "channel", "state"
        )
        self.retries = self._counters(
            "tocsin_retries_total", "Deliveries sent to a retry tier after an attempt.", "channel", "tier"
        )
        self.reparked = self._counters(
            "tocsin_reparked_total", "Waiting deliveries parked again without an attempt.", "channel"
        )
        self.retry_lateness_seconds = self._histograms(
            "tocsin_retry_lateness_seconds", "How long after its due time a delivery was let go.", _LATENESS, "channel"
        )
        self.in_flight = self._gauges("tocsin_in_flight", "Provider calls under way.", "channel")
        self.unfinished_records = self._gauges(
            "tocsin_unfinished_records", "Records fetched and not yet settled.", "group"
        )
        self.dead_letters = self._counters(
            "tocsin_dead_letters_total", "Deliveries that ended dead, by reason.", "channel", "reason"
        )
        self.forks_dropped = self._counters(
            "tocsin_forks_dropped_total", "Second records of a life, dropped without effect.", "channel"
        )
        self.unmapped_codes = self._counters(
            "tocsin_unmapped_codes_total", "Provider codes that no table knows.", "channel", "provider"
        )
        self.bounces = self._counters(
            "tocsin_bounces_total",
            "What was told later of mails: bounced, delayed, complained, opted_out, confirmed, ignored, unmatched.",
            "result",
        )
        self.route_misconfigured = self._counters(
            "tocsin_route_misconfigured_total", "Calls that our own settings made fail.", "channel", "provider"
        )
        self.route_state = self._gauges(
            "tocsin_route_state",
            "1 while a provider is sent to, 0.5 while it is probed, 0 while it gets nothing.",
            "channel",
            "provider",
        )
        self.secrets_refused = self._gauges(
            "tocsin_secrets_refused",
            "1 while the files of a channel's secrets have changed to what cannot be used.",
            "channel",
        )
        self.channel_halted = self._gauges(
            "tocsin_channel_halted", "1 while a channel is stopped because too many deliveries died alike.", "channel"
        )

    def _log(self) -> None:
        own = self.registry
        self.log_writes = Counter("tocsin_log_writes_total", "Commits of the event log.", registry=own)
        self.log_batch_records = Histogram(
            "tocsin_log_batch_records", "Records in one commit.", buckets=_BATCH, registry=own
        )
        self.log_commit_seconds = Histogram(
            "tocsin_log_commit_seconds", "Time of one commit, the sync to disk included.", buckets=_FAST, registry=own
        )
        self.log_bytes = Gauge("tocsin_log_bytes", "Size of the event log on disk.", registry=own)
        self.log_writable = Gauge("tocsin_log_writable", "1 while the event log takes writes.", registry=own)
        self.log_lag = self._gauges("tocsin_log_lag", "Records that a group has yet to commit.", "group")
        self.log_assigned = self._gauges(
            "tocsin_log_assigned_partitions", "Partitions that this process reads for a group.", "group"
        )
        self.log_lost = self._counters(
            "tocsin_log_lost_total", "Times that records were gone before a group had read them.", "group"
        )
        self.log_unreadable = self._counters(
            "tocsin_log_unreadable_total", "Records that no client can decode, passed over.", "group"
        )
        self.log_rebuilds = self._counters(
            "tocsin_log_rebuilds_total", "Clients of the log that failed and were made anew.", "client"
        )

    def _audit(self) -> None:
        self.ingested = self._counters(
            "tocsin_ingested_total", "Records that a SQL sink has stored, or passed as none of its.", "sink"
        )
        self.ingest_quarantined = self._counters(
            "tocsin_ingest_quarantined_total", "Records that a SQL sink could not store and set aside.", "sink"
        )
        self.overdue_deliveries = Gauge(
            "tocsin_overdue_deliveries", "Deliveries past their expiry that have not ended.", registry=self.registry
        )

    def _counters(self, name: str, about: str, *labels: str) -> Family[Counter]:
        return Family(Counter(name, about, labels, registry=self.registry))

    def _gauges(self, name: str, about: str, *labels: str) -> Family[Gauge]:
        return Family(Gauge(name, about, labels, registry=self.registry))

    def _histograms(self, name: str, about: str, buckets: Sequence[float], *labels: str) -> Family[Histogram]:
        return Family(Histogram(name, about, labels, buckets=buckets, registry=self.registry))


class _WithoutCreated(Collector):
    """A registry without the `_created` series, which would nearly double what is scraped and tell nothing."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            if metric.samples or not metric.name.endswith("_created"):
                yield metric
