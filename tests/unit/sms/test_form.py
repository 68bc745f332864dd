"""Our own forms are those of the standard library."""

from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st

from channels.sms.form import encoded

texts = st.text(st.characters(exclude_categories=["Cs"]))  # a lone surrogate is refused at submit


@given(st.dictionaries(texts, st.one_of(texts, st.integers(), st.booleans(), st.lists(texts))))
def test_a_form_is_as_the_standard_library_has_it(fields: dict[str, object]) -> None:
    assert encoded(fields) == urlencode(fields, doseq=True).encode()
