"""Answers as a provider gives them: JSON, with headers of its own."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Response


def json(value: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers)
