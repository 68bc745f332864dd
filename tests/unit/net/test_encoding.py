"""Requests as bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.net.encoding import encode
from tocsin.net.http import Request
from tocsin.net.origin import Origin

_THERE = Origin("https", "push.example", 443)


def request(**fields: object) -> Request:
    return Request(**{"method": "POST", "url": "https://push.example/x"} | fields)  # type: ignore[arg-type] # a test's


def test_a_request() -> None:
    assert encode(request(headers={"TTL": "60", "X": ""}, body=b"\xffding"), _THERE, "/x") == (
        b"POST /x HTTP/1.1\r\nHost: push.example\r\nTTL: 60\r\nX: \r\nContent-Length: 5\r\n\r\n\xffding"
    )


@pytest.mark.parametrize(("method", "told"), [("POST", True), ("PUT", True), ("GET", False), ("DELETE", False)])
def test_an_empty_body_is_told_where_one_is_expected(method: str, told: bool) -> None:
    assert (b"Content-Length: 0\r\n" in encode(request(method=method), _THERE, "/")) is told


@pytest.mark.parametrize("method", ["", "GE T", "GET /x HTTP/1.1\r\nA: b\r\n\r\nGET", "GÉT"])
def test_a_method_is_a_token(method: str) -> None:
    with pytest.raises(ValueError, match="method"):
        encode(request(method=method), _THERE, "/")


@pytest.mark.parametrize("name", ["", "A B", "A:", "A\r\nB", "A\n", "Ä", "A\0"])
def test_a_headers_name_is_a_token(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        encode(request(headers={name: "x"}), _THERE, "/")


@pytest.mark.parametrize("value", ["a\r\nb", "a\n", "\ra", "a\0b", "\x1b", "\x7f", "\u0100", "\u2028"])
def test_a_headers_value_cannot_end_its_line(value: str) -> None:
    with pytest.raises(ValueError, match="the header X holds"):
        encode(request(headers={"X": value}), _THERE, "/")


@pytest.mark.parametrize("name", ["Host", "host", "Content-Length", "TRANSFER-ENCODING"])
def test_what_frames_the_request_is_the_clients(name: str) -> None:
    with pytest.raises(ValueError, match="set by the client"):
        encode(request(headers={name: "1"}), _THERE, "/")


@given(st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3), st.binary(max_size=40))
def test_no_header_adds_a_line(headers: dict[str, str], body: bytes) -> None:
    try:
        encoded = encode(request(headers=headers, body=body), _THERE, "/x")
    except ValueError:
        return
    head, _, rest = encoded.partition(b"\r\n\r\n")
    assert rest == body
    assert len(head.splitlines()) == 3 + len(headers)
