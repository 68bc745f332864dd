"""References: read back as they were written, by whoever has the key, and by nobody else."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from channels.sms.reference import MOST_CHARACTERS, Reference, References
from tests.unit.sms.conftest import NUMBER
from tocsin import ids

NOTIFICATION = ids.notification_id(datetime(2030, 1, 1, tzinfo=UTC), bytes)


def reference(*, life: int = 0, tenant: str = "default") -> Reference:
    delivery = ids.delivery_id(NOTIFICATION, "sms", NUMBER)
    return Reference(delivery_id=delivery, notification_id=NOTIFICATION, tenant=tenant, life=life)


@given(st.integers(min_value=0, max_value=9999))
def test_a_reference_comes_back(life: int) -> None:
    written = References("secret").write(reference(life=life), NUMBER)

    assert References("secret").read(written, NUMBER) == reference(life=life)
    assert len(written) <= MOST_CHARACTERS


@given(st.data())
def test_a_changed_one_is_none(data: st.DataObject) -> None:
    written = References("secret").write(reference(), NUMBER)
    place = data.draw(st.integers(min_value=0, max_value=len(written) - 1))
    other = data.draw(st.characters(codec="utf-8").filter(lambda character: character != written[place]))

    assert References("secret").read(written[:place] + other + written[place + 1 :], NUMBER) is None


@given(st.text(max_size=120))
def test_a_made_up_one_is_none(text: str) -> None:
    assert References("secret").read(text, NUMBER) is None


def test_another_key_signs_otherwise() -> None:
    assert References("other").read(References("secret").write(reference(), NUMBER), NUMBER) is None


def test_a_reference_is_of_one_number_and_does_not_say_which() -> None:
    written = References("secret").write(reference(), NUMBER)

    assert References("secret").read(written, "+12025550144") is None
    assert References("secret").read(written, "") is None
    assert NUMBER.removeprefix("+") not in written
