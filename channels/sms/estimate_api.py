"""`/v1/sms/estimate`: what a text would come to, without sending it."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from channels.sms import estimate_docs, phone, render
from channels.sms.message import PART
from channels.sms.settings import SmsSettings
from channels.sms.terms import Quote, Terms
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault, Template
from tocsin.validation import Fault, Schema
from tocsin.web import body, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.responses import Json

Submitter = Annotated[Principal, Depends(requires("submit"))]
Wanted = Mapping[str, Any]

# As much as a notification may have.
_MAX_BODY = 256 * 1024


def router(settings: SmsSettings, templates: Catalogue) -> APIRouter:
    """Return the route."""
    return _Api(settings, templates).router


class _Api:
    """The route and what it needs."""

    def __init__(self, settings: SmsSettings, templates: Catalogue) -> None:
        self._settings = settings
        self._terms = Terms.of(settings)
        self._templates = templates
        self._wanted = Schema(estimate_docs.wanted())
        self.router = APIRouter(prefix="/v1/sms", tags=["sms"])
        self.router.add_api_route("/estimate", self._estimate, methods=["POST"], **estimate_docs.estimate())

    async def _estimate(self, request: Request, _principal: Submitter) -> Response:
        """Nothing is sent or kept. What a submit would refuse is refused here with the same words."""
        wanted = body.decode(await body.read(request, limit=_MAX_BODY))
        if faults := self._wanted.faults(wanted):
            raise problems.invalid(*faults)
        ours = self._settings
        number = phone.parse(wanted["to"], default_region=ours.default_region, regions=frozenset(ours.regions))
        if isinstance(number, Fault):
            raise problems.invalid(Fault(pointer="/to", detail=number.detail))
        quote = self._terms.quote(number, self._text(wanted))
        return Json(_view(quote, phone.region(number)))

    def _text(self, wanted: Wanted) -> str:
        if ("text" in wanted) == ("template" in wanted):
            raise problems.invalid(Fault(pointer="/text", detail="or `template` is required, and not both"))
        if "text" in wanted:
            return render.plain(wanted["text"])
        data = wanted.get("data", {})
        template = self._template(wanted["template"])
        if faults := template.faults(data):
            raise problems.invalid(*faults)
        found = render.filled(template, wanted.get("locale"), data)
        if isinstance(found, RenderFault):
            raise problems.invalid(Fault(pointer="/template", detail=f"cannot be filled: {found.detail}"))
        return found

    def _template(self, name: str) -> Template:
        template = self._templates.current(name)
        if template is None:
            near = get_close_matches(name, self._templates.names(), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise problems.invalid(Fault(pointer="/template", detail=f"there is no template of this name{hint}"))
        if template.locale_for(PART, None) is None:
            raise problems.invalid(Fault(pointer="/template", detail=f"has no {PART}"))
        return template


def _view(quote: Quote, region: str | None) -> dict[str, Any]:
    refusal = quote.refusal
    return {
        "region": region,
        "encoding": quote.encoding,
        "segments": quote.segments,
        "price": None if quote.price is None else float(quote.price),
        "currency": None if quote.price is None else quote.currency,
        "refusal": None if refusal is None else {"reason": refusal.reason, "detail": refusal.message},
    }
