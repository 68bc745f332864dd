"""What `/docs` shows of the routes of registration, and the schema that a body is checked against."""

from typing import Any

from channels.browser import schema
from tocsin.web.described import MOMENT, TEXT, answer, record

_ID = "sub_0123456789abcdefghjkmnpqrs"
_KEY_ID = "Qt4bSmsbkcGKZTmM"
_SUBSCRIPTION: dict[str, Any] = {
    "endpoint": "https://updates.push.services.mozilla.com/wpush/v2/gAAAAABl…",
    "expirationTime": None,
    "keys": {
        "p256dh": "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        "auth": "BTBZMqHH6r4Tts7J_aSIgg",
    },
}
_REGISTRATION: dict[str, Any] = {
    "id": _ID,
    "recipient_id": "cust-42",
    "key_id": _KEY_ID,
    "created_at": "2026-03-01T12:00:00.000Z",
}


def wanted() -> dict[str, Any]:
    """Return the schema of a subscription to register."""
    subscription = schema.fragments()["recipient"]["browser"]["items"]
    return {
        "type": "object",
        "required": ["recipient_id", "subscription"],
        "additionalProperties": False,
        "properties": {
            "recipient_id": {
                "type": "string",
                "minLength": 1,
                "maxLength": 256,
                "description": "Your own id of the person, as `recipient.id` of a notification has it.",
            },
            "subscription": subscription,
            "replaces": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1800,
                "description": "The endpoint that this one takes the place of, which is forgotten.",
            },
        },
    }


def register() -> dict[str, Any]:
    """Return what is shown of the registration."""
    example = {"recipient_id": "cust-42", "subscription": _SUBSCRIPTION}
    body = {"required": True, "content": {"application/json": {"schema": wanted(), "example": example}}}
    view = record({"id": TEXT, "recipient_id": TEXT, "key_id": TEXT, "created_at": MOMENT})
    return {
        "summary": "Register a browser's push subscription",
        "openapi_extra": {"requestBody": body},
        "responses": {201: answer("It is registered, for this recipient alone", view, _REGISTRATION)},
    }


def remove() -> dict[str, Any]:
    """Return what is shown of the removal."""
    return {"summary": "Forget a push subscription", "responses": {204: {"description": "There is none of this id"}}}


def key() -> dict[str, Any]:
    """Return what is shown of the key."""
    public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    found = answer("The public key", record({"key": TEXT, "key_id": TEXT}), {"key": public, "key_id": _KEY_ID})
    return {"summary": "The VAPID key that pages subscribe with", "responses": {200: found}}
