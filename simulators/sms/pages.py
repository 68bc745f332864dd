"""The page for people: the texts as a list that refreshes itself. It holds no script; Jinja escapes every value."""

from itertools import islice

from fastapi import APIRouter, Response

from simulators import pages
from simulators.sms.faults import Fault, Faults
from simulators.sms.texts import Texts


def router(*, name: str, texts: Texts, faults: Faults) -> APIRouter:
    """Return the page of one simulator."""
    routes = APIRouter(include_in_schema=False)
    page = pages.templates("simulators.sms", {"effect": effect}).get_template("list.html")

    @routes.get("/")
    async def show_list() -> Response:
        newest = list(islice(texts.newest(), pages.NEWEST))
        shown = page.render(name=name, texts=newest, total=texts.total, kept=texts.kept, rules=list(faults))
        return pages.html(shown, style="none")

    return routes


def effect(fault: Fault) -> str:
    """Return what a fault does, in words."""
    words = [f"waits {fault.delay_seconds:g} s"] if fault.delay_seconds else []
    if fault.refuses:
        told = " ".join(str(part) for part in (fault.status, fault.code) if part is not None)
        words.append(f"refuses {'all parts but the first' if fault.partly else 'it'}: {told}")
    if fault.drop:
        words.append("takes it, then hangs up")
    if fault.receipts is not None:
        told = ", ".join(" ".join(str(part) for part in (each.status, each.code) if part) for each in fault.receipts)
        words.append(f"receipts: {told or 'none'}")
    if fault.times is not None:
        words.append(f"{fault.times} times")
    return ", ".join(words)
