"""The types of what comes in by HTTP: bounded, and without characters that a database or a mail cannot keep.

A refusal says what is expected and never repeats what came.
"""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

_EMAIL = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+"
)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Control characters, lone surrogates, code points that are none, and breaks of lines.
_UNKEPT = frozenset({"Cc", "Cs", "Cn", "Zl", "Zp"})


class Body(BaseModel):
    """A body of a request: no other members than these, no value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _plain(text: str) -> str:
    if any(unicodedata.category(character) in _UNKEPT for character in text):
        raise ValueError("must not have control characters")
    if not text.strip():
        raise ValueError("must not be empty")
    return text.strip()


def _email(text: str) -> str:
    if len(text) > 254 or not _EMAIL.fullmatch(text):  # noqa: PLR2004 - RFC 5321, 4.5.3.1.3, less the brackets
        raise ValueError("must be an email address")
    return text


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text):
        raise ValueError("must be a phone number in the international form, such as +4915112345678")
    return text


def _locale(text: str) -> str:
    if len(text) > 35 or not _LOCALE.fullmatch(text):  # noqa: PLR2004 - RFC 5646, 4.4.1
        raise ValueError("must be a language tag, such as en or de")
    return text


def _id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(
            "must be 1 to 64 letters, digits, dots, hyphens or underscores, beginning with none of the marks"
        )
    return text


def _number_as_text(value: object) -> object:
    """Take an id that is a number for what it is: a name."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18 else value


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_plain)]
Email = Annotated[str, AfterValidator(_email), Field(examples=["ada@shop.example"])]
Phone = Annotated[str, AfterValidator(_phone), Field(examples=["+4915112345678"])]
Locale = Annotated[str, AfterValidator(_locale), Field(examples=["en"])]
Id = Annotated[str, AfterValidator(_id)]
LooseId = Annotated[str, BeforeValidator(_number_as_text), AfterValidator(_id)]
