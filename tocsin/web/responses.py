"""JSON answers, encoded by msgspec: structs, dataclasses and datetimes go out as they are."""

from typing import Any

import msgspec
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


class Json(Response):
    """An answer in JSON. Handlers return it themselves, so that FastAPI does not copy what it holds."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the encoded content. Raises TypeError for what msgspec cannot encode."""
        return _encoder.encode(content)
