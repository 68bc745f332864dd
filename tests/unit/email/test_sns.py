"""What SNS says is believed for the signature of our topic's region, and for nothing else."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from channels.email.sns import Sns, host_of
from simulators.ses.topic import CERTIFICATE, TOPIC, Topic
from tests.support.clock import ManualClock
from tests.support.http_server import HttpServer, Reply, serving
from tocsin.errors import SettingsError
from tocsin.net.client import Client
from tocsin.web.problems import ProblemError


class Stage:
    """A topic, the server that has its certificate, and what believes it."""

    def __init__(self, server: HttpServer, client: Client, *, version: str = "2", topic: str = TOPIC) -> None:
        self.server = server
        self.topic = Topic(ManualClock(), base=lambda: server.url + "/sns/", version=version)
        self.server.default = Reply(status=200, headers={}, body=self.topic.certificate)
        self.sns = Sns(topic, url=server.url + "/sns", http=client)

    def said(self, **changes: Any) -> bytes:
        """Return a notification, changed after it was signed."""
        return json.dumps(json.loads(self.topic.notification("a\nb")[1]) | changes).encode()

    async def believes(self, raw: bytes) -> bool:
        return await self.sns.believed(raw) is not None


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client(connections=2, monotonic=ManualClock().monotonic, allow_plain=True)
    yield made
    await made.aclose()


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serving() as made:
        yield made


@pytest.fixture
def stage(server: HttpServer, client: Client) -> Stage:
    return Stage(server, client)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_either_version_of_the_signature_is_believed(server: HttpServer, client: Client, version: str) -> None:
    stage = Stage(server, client, version=version)
    message = await stage.sns.believed(stage.said())

    assert message is not None
    assert message["Message"] == "a\nb"


async def test_the_certificate_is_fetched_once(stage: Stage) -> None:
    for _ in range(3):
        assert await stage.believes(stage.said())

    assert [request.target for request in stage.server.received] == [f"/sns/{CERTIFICATE}"]


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": "another"},
        {"Subject": None},
        {"Timestamp": "2031-01-01T00:00:00.000Z"},
        {"Type": "UnsubscribeConfirmation"},
        {"Type": "SubscriptionConfirmation"},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": None},
        {"Signature": ""},
        {"Signature": "%"},
        {"Signature": None},
        {"Message": "\ud800"},
    ],
)
async def test_what_was_changed_is_not_believed(stage: Stage, changes: dict[str, Any]) -> None:
    assert not await stage.believes(stage.said(**changes))


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff", b"[" * 5_000, b"{}"])
async def test_what_is_no_message_is_not_believed(stage: Stage, raw: bytes) -> None:
    assert not await stage.believes(raw)


async def test_a_topic_of_somebody_else_is_not_believed_however_well_signed(server: HttpServer, client: Client) -> None:
    stage = Stage(server, client, topic=TOPIC.replace("tocsin", "other"))

    assert not await stage.believes(stage.said())
    assert stage.server.received == []


@pytest.mark.parametrize(
    "url",
    [
        "https://sns.eu-central-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem",
        "https://evil.example/SimpleNotificationService-0.pem",
        "{url}/sns/../SimpleNotificationService-0.pem",
        "{url}/sns/other.pem",
        "{url}/sns/SimpleNotificationService-0.pem?x=1",
        "{url}/sns/SimpleNotificationService-0.pem\n",
        "{url}@evil.example/sns/SimpleNotificationService-0.pem",
        "",
        None,
        7,
    ],
)
async def test_a_certificate_from_elsewhere_is_not_even_fetched(stage: Stage, url: Any) -> None:
    named = url.format(url=stage.server.url) if isinstance(url, str) else url

    assert not await stage.believes(stage.said(SigningCertURL=named))
    assert stage.server.received == []


async def test_what_is_no_certificate_is_not_believed(stage: Stage) -> None:
    stage.server.default = Reply(status=200, headers={}, body=b"-----BEGIN CERTIFICATE-----\nx\n")

    assert not await stage.believes(stage.said())


async def test_while_sns_cannot_be_reached_it_is_to_come_again(stage: Stage) -> None:
    good, stage.server.default = stage.server.default, Reply(status=500, headers={}, body=b"")
    with pytest.raises(ProblemError) as refused:
        await stage.believes(stage.said())
    stage.server.default = good

    assert refused.value.status == 503
    assert await stage.believes(stage.said())


async def test_a_subscription_is_confirmed_where_the_topic_is(stage: Stage) -> None:
    message = await stage.sns.believed(stage.topic.confirmation()[1])

    assert message is not None
    assert await stage.sns.confirm(message)
    assert stage.server.received[-1].target.startswith("/sns/?Action=ConfirmSubscription&")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/?Action=ConfirmSubscription&Token=1",
        "{url}/sns/?Action=DeleteTopic&Token=1",
        "{url}/sns/?Action=ConfirmSubscription&Token=1 HTTP/1.1",
        "{url}/other/?Action=ConfirmSubscription&Token=1",
        "",
    ],
)
async def test_no_other_url_is_visited(stage: Stage, url: str) -> None:
    assert not await stage.sns.confirm({"SubscribeURL": url.format(url=stage.server.url)})
    assert stage.server.received == []


@pytest.mark.parametrize(
    ("topic", "url"),
    [
        ("arn:aws:sns:eu-central-1:123456789012:tocsin", "https://sns.eu-central-1.amazonaws.com"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:tocsin", "https://sns.cn-north-1.amazonaws.com.cn"),
        ("arn:aws-us-gov:sns:us-gov-west-1:123456789012:tocsin", "https://sns.us-gov-west-1.amazonaws.com"),
    ],
)
def test_the_topic_says_where_its_certificate_lies(topic: str, url: str) -> None:
    assert host_of(topic) == url


@pytest.mark.parametrize(
    "topic", ["tocsin", "arn:aws:sqs:eu-central-1:123456789012:x", "arn:aws:sns:e/:123456789012:x"]
)
def test_what_is_no_topic_is_told(topic: str) -> None:
    with pytest.raises(SettingsError, match=r"ses\.sns_topic must be an ARN"):
        host_of(topic)
