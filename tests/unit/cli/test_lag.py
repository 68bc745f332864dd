"""`tocsin lag`."""

from tests.unit.cli.conftest import Run
from tests.unit.cli.support import FakeGateway, answer

ITEMS = [
    {"group": "tocsin.channels.email.normal", "lag": 12000, "topics": {"notifications.email": 12000}},
    {"group": "tocsin.audit.ingest", "lag": 0, "topics": {}},
]


def test_each_group_is_a_line(run: Run, gateway: FakeGateway) -> None:
    gateway.on("GET", "/v1/lag", answer({"items": ITEMS}))

    result = run("lag")

    assert result.exit_code == 0
    assert [line.split() for line in result.stdout.splitlines()] == [
        ["GROUP", "LAG", "TOPICS"],
        ["tocsin.channels.email.normal", "12,000", "notifications.email", "12,000"],
        ["tocsin.audit.ingest", "0"],
    ]


def test_in_json_it_is_what_the_gateway_says(run: Run, gateway: FakeGateway) -> None:
    gateway.on("GET", "/v1/lag", answer({"items": ITEMS}))

    assert '"lag":12000' in run("lag", "--json").stdout.replace(" ", "")
