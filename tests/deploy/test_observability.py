"""Prometheus' and Grafana's files: valid to their own tools, and about metrics and services that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from audit.ingest import AuditSink
from dlq.followup import FollowupSink
from dlq.ingest import DeadLetterSink
from examples.shop.start import Options
from producer.suppressing import SuppressionSink
from tests.deploy import composing, observed, peers
from tests.deploy.composing import DEPLOY
from tocsin import topics
from tocsin.delivery import Lane
from tocsin.runtime import discover

# What Prometheus adds to a series, besides `service`, which prometheus.yml does.
SCRAPED = {"job", "instance", "service"}
# What the client library of every process says of it.
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes", "up"}


@pytest.fixture(scope="module")
def promtool() -> str:
    return peers.program("promtool", package="prometheus")


def ran(*command: str, stdin: str = "") -> str:
    """Run a command to its end, which must be a good one; return what it said."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_accepts_the_configuration(promtool: str) -> None:
    assert "is valid prometheus config" in ran(promtool, "check", "config", str(observed.PROMETHEUS))


def test_promtool_accepts_the_rules(promtool: str) -> None:
    assert f"{len(observed.alerts())} rules found" in ran(promtool, "check", "rules", str(observed.ALERTS))


def test_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    assert "SUCCESS" in ran(promtool, "test", "rules", str(Path(__file__).with_name("alerts.test.yml")))


def test_promtool_accepts_the_metrics(promtool: str) -> None:
    assert ran(promtool, "check", "metrics", stdin=observed.rendered()) == ""


def test_every_metric_that_is_asked_for_exists_with_the_labels_that_are_asked_for() -> None:
    known = observed.labels()
    for query in observed.queries():
        # Selectors and ranges apart from the words around them.
        bare = re.sub(r'"[^"]*"', '""', query)
        for name, selector in re.findall(r"\b((?:tocsin|shop|process)_\w+|up\b)(?:\{([^}]*)\})?", bare):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            assert family in known.keys() | PROCESS, f"{name} in {query}"
            asked = set(re.findall(r"(\w+)\s*(?:=|!)", selector))
            assert asked <= known.get(family, set()) | SCRAPED, f"{name}{{{selector}}}"
        grouped = {label for each in re.findall(r"by \(([^)]*)\)", bare) for label in re.findall(r"\w+", each)}
        metrics = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"\b(?:tocsin|shop)_\w+", bare)}
        available = set().union(*(known[name] for name in metrics)) if metrics else set()
        assert grouped <= available | SCRAPED | {"le"}, query


def test_what_is_told_of_a_series_is_what_it_is_grouped_by() -> None:
    for panel in observed.panels():
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]))
            kept = {
                label for each in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in re.findall(r"\w+", each)
            }
            assert shown <= kept | (SCRAPED if "by (" not in target["expr"] else set()), panel["title"]


def test_the_groups_that_alerts_tell_apart_have_those_names() -> None:
    waiting = {topics.worker_group(channel, lane, retrying=True) for channel in discover.channels() for lane in Lane}
    fresh = {topics.worker_group(channel, lane, retrying=False) for channel in discover.channels() for lane in Lane}
    sinks = {AuditSink.name, DeadLetterSink.name, FollowupSink.name, SuppressionSink.name}
    asked = {each for rule in observed.alerts() for each in re.findall(r'group(?:!~|=~)"(.*?)"', rule["expr"])}

    halting = r"tocsin[.](audit|dlq)[.].*|tocsin[.]producer[.]suppressing"
    assert asked == {r".*[.]retry", halting}
    assert all(re.fullmatch(r".*[.]retry", group) for group in waiting)
    assert not any(re.fullmatch(r".*[.]retry", group) for group in fresh)
    # The alert makes the group's name out of the sink's.
    assert {topics.sink_group(*name.split(".")) for name in sinks} == {f"tocsin.{name}" for name in sinks}
    assert all(re.fullmatch(halting, f"tocsin.{name}") for name in sinks)
    assert not any(re.fullmatch(halting, group) for group in (topics.intake_group(), *fresh, *waiting))


def test_every_alert_says_what_to_do() -> None:
    for rule in observed.alerts():
        assert rule["annotations"].keys() == {"summary", "runbook"}, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["runbook"].endswith(".")


def test_the_readme_lists_every_alert_with_its_metrics() -> None:
    rows = re.findall(r"^\| (`Tocsin.*?) \| (.*?) \|$", composing.text("README.md"), re.MULTILINE)
    listed = {alert: metrics for alerts, metrics in rows for alert in re.findall(r"`(\w+)`", alerts)}

    assert listed.keys() == {rule["alert"] for rule in observed.alerts()}
    for rule in observed.alerts():
        asked = set(re.findall(r"\b(tocsin_\w+?)(?:_bucket)?\b(?=[{\[)]| ==)", rule["expr"]))
        assert all(f"`{metric}`" in listed[rule["alert"]] for metric in asked), rule["alert"]


def test_every_service_that_has_metrics_is_scraped_where_it_listens() -> None:
    project = composing.load(
        ["compose.yaml", *(n for n in composing.FILES if n != "compose.yaml")], composing.example()
    )
    jobs = {job["job_name"]: job for job in yaml.safe_load(observed.PROMETHEUS.read_text())["scrape_configs"]}
    running: dict[str, dict[str, int]] = {"tocsin": {}, "shop": {}}
    for name, service in project["services"].items():
        if service.get("command", [""])[0] == "run":
            running["tocsin"][name] = int(service["environment"]["TOCSIN__HTTP__PORT"])
        elif "entrypoint" in service and not service["healthcheck"].get("disable"):
            running["shop"][name] = Options().port

    for job, listening in running.items():
        [found] = jobs[job]["dns_sd_configs"]
        assert listening == dict.fromkeys(found["names"], found["port"]), job


def test_the_dashboard_is_provisioned_from_where_it_is_mounted() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [source] = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    [provider] = yaml.safe_load((provisioning / "dashboards" / "tocsin.yml").read_text())["providers"]
    services = composing.load(["compose.yaml", "compose.observability.yaml"], composing.example())["services"]
    mounted = {volume["target"]: volume["source"] for volume in services["grafana"]["volumes"]}
    folder = DEPLOY / mounted[provider["options"]["path"]]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert DEPLOY / mounted["/etc/grafana/provisioning"] == provisioning
    assert folder == observed.DASHBOARD.parent
    assert home == f"{provider['options']['path']}/{observed.DASHBOARD.name}"
    assert source["url"] == f"http://prometheus:{composing.port_of(services['prometheus']['ports'][0])[2]}"
    assert {target["datasource"]["uid"] for panel in observed.panels() for target in panel["targets"]} == {
        source["uid"]
    }


@pytest.mark.parametrize("path", [observed.DASHBOARD, observed.SHOP], ids=lambda path: str(path.name))
def test_the_dashboards_panels_do_not_lie_on_each_other(path: Path) -> None:
    panels = observed.dashboard(path)["panels"]
    places = [panel["gridPos"] for panel in panels]
    cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    ids = [panel["id"] for panel in panels]

    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
    assert len(set(ids)) == len(ids)
