"""What is read out of error bodies: the vendor's own examples, hostile ones, and any bytes at all."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from channels.push import fcm_answer
from channels.push.fcm_answer import Complaint
from simulators.fcm import errors
from simulators.fcm.errors import Violation


def encoded(body: Any) -> bytes:
    return msgspec.json.encode(body)


def test_the_code_of_fcm_is_found_among_the_details() -> None:
    body = encoded(errors.of_code("UNREGISTERED").body)

    assert fcm_answer.complaint(body, "tok-1") == Complaint(
        "UNREGISTERED", "NOT_FOUND", "Requested entity was not found."
    )


def test_the_two_invalid_arguments_are_told_apart() -> None:
    """They have one status: a payload that is no message, and FCM's dislike of the token."""
    ours = errors.bad_request([Violation("message.data[0].value", "Invalid value (TYPE_STRING), 12")])
    token = errors.of_code("INVALID_ARGUMENT")

    assert fcm_answer.complaint(encoded(ours.body), "t") == Complaint(
        "", "INVALID_ARGUMENT", "refused: message.data[0].value"
    )
    assert fcm_answer.complaint(encoded(token.body), "t").error_code == "INVALID_ARGUMENT"


def test_the_quota_that_was_exceeded_is_kept() -> None:
    quota = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"subject": "Device", "description": "too many"}],
    }

    assert fcm_answer.complaint(encoded({"error": {"details": [quota]}}), "t").quotas == "device too many"


def test_a_text_is_one_short_line_without_the_token_and_addresses() -> None:
    said = {"error": {"message": "tok-1 of\nada@example.test \x1b[0m " + "x " * 900}}

    text = fcm_answer.complaint(encoded(said), "tok-1").text

    assert text.startswith("[redacted] of [redacted]  [0m x x")
    assert len(text) <= 512


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "error",
                    "details",
                    "status",
                    "message",
                    "@type",
                    "errorCode",
                    "violations",
                    "fieldViolations",
                    "field",
                    "name",
                    "error_description",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200) | JSON.map(encoded))
def test_no_body_is_too_strange(body: bytes) -> None:
    said = fcm_answer.complaint(body, "t")
    fcm_answer.token_complaint(body)
    name = fcm_answer.message_name(body)

    assert all(isinstance(part, str) for part in said)
    assert name is None or 0 < len(name) <= 256
