"""One mailbox address, parsed strictly: `local@domain` and nothing around it, within the limits of RFC 5321.

Quoted local parts, comments, address literals and lists are refused. `email.utils.parseaddr` is never used: it finds
an address in almost anything, and not always the one that a server would see.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

from tocsin.validation import Fault

MOST_LOCAL_OCTETS = 64
MOST_OCTETS = 254

_EXAMPLE = "must be an email address like ada@example.com"
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")
_ALL_DIGITS = re.compile(r"(?:.*\.)?[0-9]+")
_SPECIALS = frozenset('()<>[]:;@\\,"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """A display name (may be empty) and an address that `parse` returned."""

    name: str
    address: str


def parse(text: str, *, international: bool = True) -> str | Fault:
    """Return the address in its normal form, or a fault that says what is wrong (its pointer is empty).

    The domain becomes lower-case A-labels (IDNA 2008, RFC 5891); the local part stays as it is, in NFC. A local part
    outside ASCII (RFC 6531) is kept if `international`; the server must then offer SMTPUTF8.
    """
    local, at, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local):
        local = unicodedata.normalize("NFC", local)
        wrong = _wrong_with(local, international=international) if at else "there is no @"
        if wrong:
            return _fault(wrong)
    found = _domain(domain)
    if found is None:
        return _fault("the part after the @ is no domain name")
    address = f"{local}@{found}"
    if len(local.encode()) > MOST_LOCAL_OCTETS or len(address.encode()) > MOST_OCTETS:
        return _fault(f"it is longer than {MOST_LOCAL_OCTETS} octets before the @ or {MOST_OCTETS} in all")
    return address


def parse_mailbox(text: str) -> Mailbox | Fault:
    """Return `Name <local@domain>` or `local@domain` (a setting, never a client's text) in its parts."""
    if not text.endswith(">"):
        found = parse(text.strip())
        return found if isinstance(found, Fault) else Mailbox(name="", address=found)
    name, _, inside = text[:-1].rpartition("<")
    found = parse(inside)
    if isinstance(found, Fault):
        return found
    return Mailbox(name=name.strip().removeprefix('"').removesuffix('"'), address=found)


def _wrong_with(local: str, *, international: bool) -> str | None:
    """Return what is wrong with a local part that is no plain dot-atom, or None if it is an international one."""
    if not local:
        return "nothing is before the @"
    for character in local:
        if character in _SPECIALS:
            return f"{character} is not allowed before the @"
        if unicodedata.category(character)[0] in "CZ":
            return "a space or a control character is not allowed in it"
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return "dots before the @ must stand between other characters"
    if not international:
        return "only ASCII is allowed before the @"
    return None


# Mail goes to many people and to few domains.
@lru_cache(maxsize=1024)
def _domain(domain: str) -> str | None:
    """Return a domain name as lower-case A-labels, or None if it is none (or an address literal, or one label)."""
    lowered = domain.lower()
    if not lowered.isascii() or "xn--" in lowered:
        try:
            lowered = idna.encode(domain, uts46=True, std3_rules=True).decode()
        except UnicodeError:  # idna.IDNAError is one
            return None
    return lowered if _DOMAIN.fullmatch(lowered) and not _ALL_DIGITS.fullmatch(lowered) else None


def _fault(reason: str) -> Fault:
    return Fault(pointer="", detail=f"{_EXAMPLE}: {reason}")
