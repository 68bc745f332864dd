"""JSON answers, encoded by msgspec: structs, dataclasses and datetimes go out as they are."""

from typing import Any

import msgspec
from starlette.responses import JSONResponse

_encoder = msgspec.json.Encoder()


class Json(JSONResponse):
    """An answer in JSON. Handlers return it themselves, so that FastAPI does not copy what it holds.

    It is a `JSONResponse` for the sake of the OpenAPI: of any other class FastAPI says that its content is a string.
    """

    def render(self, content: Any) -> bytes:
        """Return the encoded content. Raises TypeError for what msgspec cannot encode."""
        return _encoder.encode(content)
