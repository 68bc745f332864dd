"""One phone number, parsed strictly into E.164: `+` and digits. Extensions, letters and premium numbers are refused.

Whether a number is valid is what the numbering plans say that phonenumbers carries; a number may be possible (of a
length that its country has) and yet in a range that nobody was given. The fault says which.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, PhoneNumberType, ValidationResult

from tocsin.validation import Fault

_EXAMPLE = "must be a mobile number with its country code"
_PLAUSIBLE = re.compile(r"\+?[0-9 ().\-/\u00a0]+")
_EXTENSION = re.compile(r"(?:ext|x|#|;|,)", re.IGNORECASE)
_COSTLY = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST})
_LENGTHS = {
    ValidationResult.TOO_SHORT: "it has too few digits for its country",
    ValidationResult.TOO_LONG: "it has too many digits for its country",
    ValidationResult.INVALID_LENGTH: "no number of its country has so many digits",
    ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "its area code is missing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Number:
    """A valid number in E.164, and the region that it belongs to, if any."""

    e164: str = field(repr=False)
    region: str | None


def parse(text: str, *, default_region: str | None = None, regions: frozenset[str] = frozenset()) -> str | Fault:
    """Return the number in E.164, or a fault that says what is wrong (its pointer is empty).

    A number without `+` and country code is read as one of `default_region` (ISO 3166), if that is given. Numbers
    outside `regions` are refused, unless it is empty.
    """
    found = _read(text, None)
    if isinstance(found, Fault) and default_region is not None:
        found = _read(text, default_region)
    if isinstance(found, Fault):
        return found
    if regions and found.region not in regions:
        return _fault("numbers of its country are not allowed here (sms.regions)")
    return found.e164


def region(number: str) -> str | None:
    """Return the region (ISO 3166) of a number that `parse` returned; None if it belongs to no country."""
    found = _read(number, None)
    return None if isinstance(found, Fault) else found.region


# What was checked when it was submitted is read again when it is sent, mostly a moment later, and for its price. So no
# more is in the key than what it is read by: the same text comes with a default region then, and now without.
@lru_cache(maxsize=4096)
def _read(text: str, default_region: str | None) -> _Number | Fault:
    text = text.strip()
    if not _PLAUSIBLE.fullmatch(text):
        extended = _EXTENSION.search(text) is not None
        return _fault("an extension cannot be reached by SMS" if extended else "it holds what is no digit")
    try:
        number = phonenumbers.parse(text, default_region)
    except NumberParseException as error:
        missing = error.error_type == NumberParseException.INVALID_COUNTRY_CODE and not text.startswith("+")
        return _fault("it does not begin with + and the country code" if missing else "it is no phone number")
    if (wrong := _wrong_with(number)) is not None:
        return _fault(wrong)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return _Number(e164=e164, region=phonenumbers.region_code_for_number(number))


def _wrong_with(number: PhoneNumber) -> str | None:
    possible = phonenumbers.is_possible_number_with_reason(number)
    if possible != ValidationResult.IS_POSSIBLE:
        return "it is not possible: " + _LENGTHS.get(possible, "its country code does not exist")
    # A number is valid if it has a type: `is_valid_number` finds the same type again.
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.UNKNOWN:
        return "it is possible, since its length is right, but not valid: its country has no such range of numbers"
    return "it is a premium or shared-cost number" if kind in _COSTLY else None


def _fault(reason: str) -> Fault:
    return Fault(pointer="", detail=f"{_EXAMPLE}: {reason}")
