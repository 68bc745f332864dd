"""Which endpoints are called: push services that are known, and the exceptions of the settings."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.browser.endpoint import MAX_LENGTH, EndpointPolicy, origin_of
from channels.browser.settings import BrowserSettings, endpoint_policy
from tocsin.errors import SettingsError

POLICY = endpoint_policy(BrowserSettings())


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:APA91-_x",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABl==",
        "https://web.push.apple.com/QGuQyavXutnMH",
        "https://wns2-par02p.notify.windows.com/w/?token=BQYAAA%3d%3d",
        "https://FCM.googleapis.com:443/x",
    ],
)
def test_the_push_services_of_the_browsers_are_known(endpoint: str) -> None:
    assert POLICY.fault(endpoint) is None


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("http://fcm.googleapis.com/x", "https://"),
        ("https://fcm.googleapis.com:8443/x", "port 443"),
        ("https://user@fcm.googleapis.com/x", "without a user"),
        ("https://fcm.googleapis.com@10.0.0.1/x", "without a user"),
        ("https://fcm.googleapis.com/x#y", "fragment"),
        ("https://fcm.googleapis.com\\@10.0.0.1/x", "must be an URL"),
        ("https://fcm.googleapis.com/a b", "must be an URL"),
        ("https://fcm.googleapis.com.evil.example/x", "push service"),
        ("https://evil-push.apple.com.example/x", "push service"),
        ("https://push.apple.com/x", "push service"),
        ("https://xpush.apple.com/x", "push service"),
        ("https://10.0.0.1/x", "not an address"),
        ("https://169.254.169.254/latest", "not an address"),
        ("https://[::1]/x", "not an address"),
        ("https://2130706433/x", "must be an URL"),
        ("https://localhost/x", "not an address"),
        ("ftp://fcm.googleapis.com/x", "must be an URL"),
        ("https://fcm.googleapis.com:0/x", "must be an URL"),
        ("https://fcm.googleapis.com:99999/x", "must be an URL"),
        ("https://fcm.googleapiſ.com/x", "must be an URL"),
        ("", "must be an URL"),
        ("https://fcm.googleapis.com/" + "x" * MAX_LENGTH, "at most 1800 characters"),
    ],
)
def test_what_is_no_push_services_is_refused_without_repeating_it(endpoint: str, words: str) -> None:
    found = POLICY.fault(endpoint)

    assert found is not None
    assert words in found
    assert not endpoint or endpoint not in found


def test_any_public_host_is_taken_where_the_settings_say_so_but_no_address() -> None:
    policy = endpoint_policy(BrowserSettings(push_hosts=("*",)))

    assert policy.fault("https://ntfy.example.org/up/1") is None
    assert policy.fault("https://10.0.0.1/up/1") is not None
    assert policy.fault("http://ntfy.example.org/up/1") is not None


def test_an_exception_may_be_private_and_plain_at_its_own_port_only() -> None:
    policy = EndpointPolicy(hosts=(), exceptions=frozenset({"127.0.0.1:8190"}))

    assert policy.fault("http://127.0.0.1:8190/webpush/push/1") is None
    assert policy.fault("http://127.0.0.1:8191/webpush/push/1") is not None
    assert policy.fault("http://127.0.0.1/webpush/push/1") is not None
    assert policy.fault("http://127.0.0.1:8190@example.com/") is not None


@pytest.mark.parametrize(
    "settings",
    [
        BrowserSettings(push_hosts=("https://push.example.com",)),
        BrowserSettings(push_hosts=("Push.example.com",)),
        BrowserSettings(push_hosts=("push.*.com",)),
        BrowserSettings(private_endpoints=("push.internal",)),
        BrowserSettings(private_endpoints=(":8080",)),
    ],
)
def test_a_setting_that_no_endpoint_fits_is_a_mistake(settings: BrowserSettings) -> None:
    with pytest.raises(SettingsError, match="must be like"):
        endpoint_policy(settings)


@given(st.text(max_size=60), st.text(max_size=20))
@example("fcm.googleapis.com", "@10.0.0.1")
@example("user:fcm.googleapis.com", "")
def test_what_is_taken_is_at_a_known_host_however_it_is_written(host: str, rest: str) -> None:
    endpoint = f"https://{host}{rest}"
    if POLICY.fault(endpoint) is None:
        origin = origin_of(endpoint)

        assert origin is not None
        assert (origin.scheme, origin.port) == ("https", 443)
        assert origin.host in POLICY.hosts or origin.host.endswith((".push.apple.com", ".notify.windows.com"))
