"""Transfer encodings: decoded back to the same bytes, in lines that RFC 2045 allows."""

import quopri
from base64 import b64decode
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from channels.email.encoding import base64_lines, canonical, encoded
from channels.email.headers import Unsendable

DECODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"7bit": bytes,
    b"quoted-printable": quopri.decodestring,
    b"base64": b64decode,
}
TEXTS = st.text() | st.text(alphabet="ab =.\t\r\nä\u2028\x0b", max_size=400)


@given(TEXTS)
@example("x" * 75 + "= " * 3)
@example("trailing \nspaces\t\n ")
@example("." * 3 + "\n.\n" + "ä" + "y" * 80)
@example("é" + " " * 200)
@example("é" + "." * 200)
def test_a_text_survives_its_encoding(text: str) -> None:
    if "\x00" in text:
        with pytest.raises(Unsendable):
            canonical(text, "the text")
        return
    body = canonical(text, "the text")

    name, content = encoded(body)

    assert DECODERS[name](content) == body
    assert body.decode().replace("\r\n", "\n") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert content.isascii()
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= (78 if name == b"7bit" else 76)
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    if name == b"quoted-printable":
        assert not any(line.endswith((b" ", b"\t")) for line in lines)


@pytest.mark.parametrize("text", ["\x00", "\ud800", "a\udfffb"])
def test_what_no_body_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Unsendable, match="the text holds"):
        canonical(text, "the text")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("plain\nlines", b"7bit"),
        ("x" * 79, b"quoted-printable"),
        ("mostly plain, but for one ä", b"quoted-printable"),
        ("これは日本語です", b"base64"),
    ],
)
def test_the_shorter_encoding_is_taken(text: str, name: bytes) -> None:
    assert encoded(canonical(text, "the text"))[0] == name


@given(st.binary(max_size=500))
def test_base64_lines(data: bytes) -> None:
    content = base64_lines(data)

    assert b64decode(content) == data
    assert max(map(len, content.split(b"\r\n"))) <= 76
