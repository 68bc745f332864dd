"""What a schema cannot say of a notification: templates, times, addresses, attachments. Finds all faults at once."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any

from tocsin import magic
from tocsin.clock import from_rfc3339
from tocsin.runtime.service import Channel
from tocsin.settings import sections, suggest
from tocsin.settings.values import Settings
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import Template
from tocsin.validation import Fault

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one notification: bytes (attachments are counted apart, decoded) and life times."""

    max_bytes: int = 256 * 1024
    max_attachment_bytes: int = 512 * 1024
    default_expires_in: timedelta = timedelta(days=3)
    max_expires_in: timedelta = timedelta(days=30)


def limits_of(settings: Settings) -> Limits:
    """Return the bounds that the settings have."""
    delivery = settings.section("delivery", sections.Delivery)
    return Limits(
        default_expires_in=timedelta(seconds=delivery.default_expires_in_seconds),
        max_expires_in=timedelta(seconds=delivery.max_expires_in_seconds),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A notification that can be sent: where to, with which template version, until when."""

    addresses: Mapping[str, Sequence[str]]
    template: Template | None
    expires_at: datetime


class Checker:
    """Checks documents that the schema has accepted."""

    def __init__(self, *, channels: Mapping[str, Channel[Any]], templates: Catalogue, limits: Limits) -> None:
        self._channels = channels
        self._templates = templates
        self._limits = limits

    def check(self, document: Document, *, size: int, now: datetime, test: bool = False) -> Checked | Sequence[Fault]:
        """Return what follows from the document, or all that is wrong with it. `size` is its JSON in bytes.

        A `test` is not sent: only one may be for magic recipients.
        """
        faults: list[Fault] = []
        addresses = self._addresses(document, faults, test=test)
        template = self._template(document, faults)
        self._content(document, faults)
        expires_at = self._expiry(document, now, faults)
        self._sizes(document, size, faults)
        if faults:
            return faults
        return Checked(addresses=addresses, template=template, expires_at=expires_at)

    def _addresses(self, document: Document, faults: list[Fault], *, test: bool) -> Mapping[str, Sequence[str]]:
        found: dict[str, Sequence[str]] = {}
        for name in dict.fromkeys(document["channels"]):
            addresses = self._channels[name].addresses(document["recipient"])
            if isinstance(addresses, Fault):
                faults.append(addresses)
            else:
                found[name] = addresses
                names = [of for address in addresses if (of := magic.name_of(address)) is not None]
                faults.extend([wrong for of in names if (wrong := self._magic(name, of, test=test)) is not None])
        return found

    def _magic(self, channel: str, name: str, *, test: bool) -> Fault | None:
        """Return what is wrong with a magic recipient of this name, None if nothing is."""
        if test and name in magic.ALL:
            return None
        pointer = f"/recipient/{next(iter(self._channels[channel].fragments()['recipient']))}"
        if test:
            detail = f"is no magic recipient that is known; {suggest.mend(name, magic.ALL)}"
            return Fault(pointer=pointer, detail=detail)
        return Fault(pointer=pointer, detail="is a magic recipient, and those are for test keys only")

    def _template(self, document: Document, faults: list[Fault]) -> Template | None:
        name = document.get("template")
        if name is None:
            if "data" in document:
                faults.append(Fault(pointer="/data", detail="is of use only with `template`"))
            return None
        template = self._templates.current(name)
        if template is None:
            near = get_close_matches(name, self._templates.names(), n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(self._templates.names()))}"
            faults.append(Fault(pointer="/template", detail=f"there is no template of this name{hint}"))
            return None
        for channel in dict.fromkeys(document["channels"]):
            part = self._channels[channel].template_part
            if template.locale_for(part, None) is None:
                detail = f"has no {part}, so it cannot be used on the channel {channel}"
                faults.append(Fault(pointer="/template", detail=detail))
        faults.extend(template.faults(document.get("data", {})))
        return template

    def _content(self, document: Document, faults: list[Fault]) -> None:
        content = document.get("content")
        if "template" in document:
            if content is not None:
                faults.append(Fault(pointer="/content", detail="goes in place of `template`, not beside it"))
            return
        if content is None:
            faults.append(Fault(pointer="/template", detail="is required, unless `content` is given"))
            return
        faults.extend(
            Fault(pointer=f"/content/{channel}", detail="is required, since the channel is asked for")
            for channel in dict.fromkeys(document["channels"])
            if channel not in content
        )

    def _expiry(self, document: Document, now: datetime, faults: list[Fault]) -> datetime:
        latest = now + self._limits.max_expires_in
        if "expires_at" not in document:
            seconds = document.get("expires_in")
            return now + (self._limits.default_expires_in if seconds is None else timedelta(seconds=seconds))
        if "expires_in" in document:
            faults.append(Fault(pointer="/expires_in", detail="goes in place of `expires_at`, not beside it"))
        moment = from_rfc3339(document["expires_at"])
        if moment is None:
            detail = "must be a time with an offset as in RFC 3339, such as 2030-01-31T12:00:00Z"
        elif moment <= now:
            detail = "is in the past"
        elif moment > latest:
            detail = f"is more than {self._limits.max_expires_in.days} days ahead"
        else:
            return moment
        faults.append(Fault(pointer="/expires_at", detail=detail))
        return now

    def _sizes(self, document: Document, size: int, faults: list[Fault]) -> None:
        attached = 0
        for index, attachment in enumerate(document.get("attachments", ())):
            size -= len(attachment["content"])
            try:
                attached += len(base64.b64decode(attachment["content"], validate=True))
            except (binascii.Error, ValueError):
                faults.append(Fault(pointer=f"/attachments/{index}/content", detail="must be base64"))
        if attached > self._limits.max_attachment_bytes:
            most = self._limits.max_attachment_bytes // 1024
            faults.append(Fault(pointer="/attachments", detail=f"must be at most {most} KiB in all"))
        if size > self._limits.max_bytes:
            most = self._limits.max_bytes // 1024
            faults.append(Fault(pointer="", detail=f"must be at most {most} KiB without its attachments"))
