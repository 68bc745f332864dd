"""What `/docs` shows of the estimate, and the schema that its body is checked against."""

from typing import Any

from channels.sms import schema
from tocsin.web.described import MAYBE_TEXT, NUMBER, TEXT, answer, record

_DATA = {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]}
_REFUSAL = {"reason": "too_many_segments", "detail": "the text takes 5 segments (ucs2), at most 4 may go"}
_FITS = {"region": "DE", "encoding": "gsm7", "segments": 1, "price": 0.085, "currency": "EUR", "refusal": None}
_LONG = {"region": "DE", "encoding": "ucs2", "segments": 5, "price": 0.425, "currency": "EUR", "refusal": _REFUSAL}


def wanted() -> dict[str, Any]:
    """Return the schema of what is to be estimated."""
    sms = schema.fragments()
    return {
        "type": "object",
        "required": ["to"],
        "additionalProperties": False,
        "properties": {
            "to": sms["recipient"]["phone"],
            "text": sms["content"]["properties"]["text"],
            "template": {"type": "string", "minLength": 1, "maxLength": 128, "description": "In place of `text`."},
            "data": {"type": "object", "description": "What the template is filled with."},
            "locale": {"type": "string", "minLength": 2, "maxLength": 64, "description": "The recipient's language."},
        },
    }


def estimate() -> dict[str, Any]:
    """Return what is shown of the route."""
    examples = {
        "text": {"value": {"to": "+4915112345678", "text": "Your code is 123."}},
        "template": {"value": {"to": "+4915112345678", "template": "order-confirmation", "data": _DATA}},
    }
    found = answer("What it would come to", _view(), _FITS)
    found["content"]["application/json"] = {
        "schema": _view(),
        "examples": {"fits": {"value": _FITS}, "refused": {"value": _LONG}},
    }
    return {
        "summary": "Estimate a text's segments and price",
        "openapi_extra": {
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": wanted(), "examples": examples}},
            }
        },
        "responses": {200: found},
    }


def _view() -> dict[str, Any]:
    refusal = {
        **record({"reason": TEXT, "detail": TEXT}),
        "type": ["object", "null"],
        "description": "Why it would not be sent: its delivery would be a dead letter.",
    }
    return record(
        {
            "region": {**MAYBE_TEXT, "description": "Where the number belongs (ISO 3166)."},
            "encoding": {"enum": ["gsm7", "ucs2"]},
            "segments": NUMBER,
            "price": {"type": ["number", "null"], "description": "By `sms.prices`; null where that has none."},
            "currency": MAYBE_TEXT,
            "refusal": refusal,
        }
    )
