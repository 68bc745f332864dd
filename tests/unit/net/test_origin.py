"""URLs: what is read, and all that is refused."""

import string
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.net.origin import MAX_URL, Origin, parse


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://push.example", Origin("https", "push.example", 443), "/"),
        ("https://push.example/", Origin("https", "push.example", 443), "/"),
        ("HTTPS://Push.EXAMPLE:443/A%2fb?c=d&e=%20", Origin("https", "push.example", 443), "/A%2fb?c=d&e=%20"),
        ("https://push.example?a=b", Origin("https", "push.example", 443), "/?a=b"),
        ("https://push.example:8443//x/../y", Origin("https", "push.example", 8443), "//x/../y"),
        ("https://10.0.0.1/v1/projects/p/messages:send", Origin("https", "10.0.0.1", 443),
         "/v1/projects/p/messages:send"),
        ("https://[2001:DB8::0:1]:444/", Origin("https", "2001:db8::1", 444), "/"),
        ("https://bücher.example/", Origin("https", "xn--bcher-kva.example", 443), "/"),
        ("https://xn--bcher-kva.example/", Origin("https", "xn--bcher-kva.example", 443), "/"),
        ("https://my_service:8080/@user/a;b=c", Origin("https", "my_service", 8080), "/@user/a;b=c"),
    ],
)  # fmt: skip
def test_what_is_read(url: str, origin: Origin, target: str) -> None:
    assert parse(url) == (origin, target)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (Origin("https", "push.example", 443), "push.example"),
        (Origin("https", "push.example", 80), "push.example:80"),
        (Origin("http", "push.example", 80), "push.example"),
        (Origin("https", "2001:db8::1", 443), "[2001:db8::1]"),
        (Origin("http", "::1", 8080), "[::1]:8080"),
    ],
)
def test_the_authority_names_the_port_only_if_it_is_another(origin: Origin, authority: str) -> None:
    assert origin.authority == authority


@pytest.mark.parametrize(
    "url",
    [
        "", "push.example", "//push.example/", "/path", "https:push.example", "https:/push.example", "https://",
        "https:///path", "http://push.example/", "ftp://push.example/", "file:///etc/passwd", "unix://run/sock",
        "https://user@push.example/", "https://user:word@push.example/", "https://push.example@evil.example/",
        "https://push.example#@evil.example/", "https://push.example/#part", "https://push.example/?a#part",
        "https://push.example\\@evil.example/", "https://push.example\\evil", "https://push.example/a\\b",
        "https://push.example:0/", "https://push.example:65536/", "https://push.example:/", "https://push.example:x/",
        "https://push.example:+443/", "https://push.example:٤٤٣/", "https://push.example:443:443/",
        "https://push.example/a b", "https://push.example/a\r\nHost: evil", "https://push.example/\n",
        "https://push.example/ü", "https://push.example/%", "https://push.example/%g0", "https://push.example/\x00",
        "https://push.example/\x7f", "https://push.example/<x>", " https://push.example/", "https://push.example/ ",
        "https://push example/", "https://push.example./", "https://.example/", "https://a..b/", "https://-a.example/",
        "https://a-.example/", f"https://{'a' * 64}.example/", f"https://{'a.' * 130}example/", "https://%31.example/",
        "https://127.1/", "https://0x7f000001/", "https://2130706433/", "https://0177.0.0.1/", "https://127.0.0.1.5/",
        "https://256.0.0.1/", "https://1.2.3.0x4/", "https://１２７.1/", "https://push.example:443@evil.example",
        "https://[::1/", "https://::1/", "https://[::1]x/", "https://[fe80::1%25eth0]/", "https://[::g]/",
        "https://[127.0.0.1]/", "https://a\u200b b/", "https://☃\ud800.example/", "https://\u0600.example/",
        f"https://push.example/{'a' * MAX_URL}",
    ],
)  # fmt: skip
def test_what_is_refused_without_telling_it(url: str) -> None:
    with pytest.raises(ValueError, match="the URL") as failure:
        parse(url)
    assert type(failure.value) is ValueError
    assert failure.value.__context__ is None or failure.value.__suppress_context__
    assert "evil" not in str(failure.value)
    assert "push" not in str(failure.value)


def test_plain_http_is_read_where_it_is_allowed() -> None:
    assert parse("http://127.0.0.1:8190/x", allow_plain=True) == (Origin("http", "127.0.0.1", 8190), "/x")
    with pytest.raises(ValueError, match="scheme"):
        parse("ws://127.0.0.1:8190/x", allow_plain=True)


def test_full_width_digits_are_what_they_are_taken_for() -> None:
    assert parse("https://１２７.０.０.１/")[0].host == "127.0.0.1"


_LABEL = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=12).map(lambda text: f"a{text}z")
_HOST = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)
_PATH = st.text(string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/", max_size=40).map(lambda text: f"/{text}")


@given(_HOST, st.integers(1, 65535), _PATH, st.text(string.ascii_letters + "=&?/", max_size=20))
def test_the_standard_parser_agrees_on_what_is_read(host: str, port: int, path: str, query: str) -> None:
    url = f"https://{host}:{port}{path}?{query}"
    assert parse(url) == (Origin("https", host, port), f"{path}?{query}")
    standard = urlsplit(url)
    assert (standard.hostname, standard.port) == (host, port)


@given(st.text(alphabet=st.characters(codec=None) | st.sampled_from("/:@?#[]\\%.0123456789"), max_size=60))
def test_any_text_is_read_safely_or_refused(text: str) -> None:
    try:
        origin, target = parse(f"https://{text}")
    except ValueError as refused:
        assert type(refused) is ValueError
        return
    written = f"{origin.authority}{target}"
    assert written.isascii()
    assert written.isprintable()
    assert not set(written) & set(' #\\<>"')
    assert "@" not in origin.host
    assert parse(f"https://{written}") == (origin, target)
