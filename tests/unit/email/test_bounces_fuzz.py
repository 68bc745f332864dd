"""Whatever comes back: reading it never raises, and never finds a token that we did not sign."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels.email import codes, xtext
from channels.email.bounces import Bounces
from channels.email.reference import References
from channels.email.return_path import ReturnPaths
from tests.unit.email.coming_back import DOMAIN, NOW, PATHS, REFERENCE, complaint, notification, return_path

BOUNCES = Bounces(PATHS, codes.load())
FORGED = return_path(paths=ReturnPaths(References("what somebody guessed"), domain=DOMAIN))
FORGED_TOKEN = FORGED.removeprefix("bounce+").partition("@")[0]

lines = st.sampled_from(
    [
        b"Content-Type: multipart/report; boundary=a",
        b'Content-Type: multipart/mixed; boundary="a"',
        b"Content-Type: message/delivery-status",
        b"Content-Type: message/feedback-report",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/rfc822-headers; charset=\xff",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"--a",
        b"--a--",
        b"",
        b"\r",
        b" folded",
        b"Action: failed",
        b"Status: 5.1.1",
        b"Feedback-Type: abuse",
        b"Final-Recipient: rfc822; ada@example.com",
        b"Original-Recipient: utf-8; \xc3\xa4+@example.com",
        b"Diagnostic-Code: smtp; 550 5.1.1 no",
        b"To: " + FORGED.encode(),
        b"Original-Mail-From: <" + FORGED.encode() + b">",
        b"Original-Envelope-Id: " + FORGED_TOKEN.encode(),
        b"Return-Path: " + FORGED.encode(),
    ]
)
made_up = st.lists(lines | st.binary(max_size=20), max_size=40).map(b"\n".join)


@settings(deadline=None)
@given(made_up | st.binary(max_size=400))
@example(b"Content-Transfer-Encoding: base64\r\nContent-Type: message/delivery-status\r\n\r\n=")
def test_nothing_raises_and_nothing_forged_is_believed(raw: bytes) -> None:
    assert BOUNCES.read(raw, now=NOW).result == "unmatched"
    BOUNCES.read(raw, arrived_for=REFERENCE, now=NOW)


@settings(deadline=None)
@given(st.sampled_from([notification(), complaint()]), st.integers(0, 2000), st.binary(max_size=12))
def test_reports_with_something_wrong_in_them_do_not_raise(raw: bytes, place: int, wrong: bytes) -> None:
    event = BOUNCES.read(raw[:place] + wrong + raw[place + 3 :], arrived_for=REFERENCE, now=NOW).event

    assert event is None or event.delivery_id == REFERENCE.delivery_id
    assert event is None or event.data.get("address", "ada@example.com") == "ada@example.com"


@settings(deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_xtext_says_what_it_was_made_of_in_words_of_a_command(text: str) -> None:
    encoded = xtext.encode(text)

    assert xtext.decode(encoded) == text
    assert all("!" <= each <= "~" and each != "=" for each in encoded)
