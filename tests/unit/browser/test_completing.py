"""What is registered completes a notification, and whatever else is submitted is left to the schema."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from producer import registered
from tests.unit.browser.support import DOCUMENT

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["browser", "ada"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["channels", "recipient", "id", "browser", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


class Register:
    """A register that has one subscription of `ada`, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def find(self, tenant: str, recipient_id: str) -> Sequence[Mapping[str, Any]]:
        """Return what is registered."""
        self.asked.append((tenant, recipient_id))
        return [DOCUMENT] if recipient_id == "ada" else []


async def completed(document: Any, register: Register) -> Any:
    return await registered.completed(document, "default", {"browser": register.find})


async def test_a_recipient_without_subscriptions_gets_those_that_are_registered() -> None:
    register = Register()
    document = {"channels": ["email", "browser"], "recipient": {"id": "ada", "email": "a@b.test"}}
    found = await completed(document, register)

    assert found["recipient"] == {"id": "ada", "email": "a@b.test", "browser": [DOCUMENT]}
    assert document["recipient"] == {"id": "ada", "email": "a@b.test"}
    assert register.asked == [("default", "ada")]


async def test_nobody_is_asked_where_there_is_nothing_to_complete() -> None:
    register = Register()
    for document in (
        {"channels": ["email"], "recipient": {"id": "ada"}},
        {"channels": ["browser"], "recipient": {"id": "ada", "browser": []}},
        {"channels": ["browser"], "recipient": {"email": "a@b.test"}},
    ):
        assert await completed(document, register) is document

    assert register.asked == []


async def test_a_recipient_of_whom_nothing_is_known_stays_as_he_is() -> None:
    document = {"channels": ["browser"], "recipient": {"id": "bob"}}

    assert await completed(document, Register()) is document


@given(JSON)
async def test_what_is_no_notification_is_left_as_it_is(document: Any) -> None:
    register = Register()
    found = await completed(document, register)

    assert found is document or register.asked == [("default", "ada")]
