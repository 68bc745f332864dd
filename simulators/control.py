"""What the controls of simulators share: the faults in force over HTTP, and how a body is read or refused.

Every route is `async`, so that it runs in the loop of the simulator, with which it shares its state.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from fastapi import APIRouter, Request, Response

from simulators.faults import F, Rule, Rules
from tocsin import validation
from tocsin.web.responses import Json

T = TypeVar("T")

_NO_JSON = "The body is not JSON."


def faults_router(
    faults: Rules[F],
    read: Callable[[bytes], F | Response],
    *,
    openapi: dict[str, Any] | None = None,
    builtin: bool = True,
) -> APIRouter:
    """Return the routes of the faults in force. `read` returns a submitted fault, or the answer to what is none.

    `openapi` documents what is submitted (see `body`); `builtin` has each rule say whether it is a built-in one.
    """
    routes = APIRouter()

    def described(rule: Rule[F]) -> dict[str, Any]:
        told = {"builtin": rule.builtin} if builtin else {}
        return {**msgspec.to_builtins(rule.fault), **told, "applied": rule.applied}

    @routes.get("/faults")
    async def list_faults() -> Response:
        """List the faults in force, in the order in which they are tried."""
        return Json({"faults": [described(rule) for rule in faults]})

    @routes.post("/faults", status_code=201, openapi_extra=openapi)
    async def add_fault(request: Request) -> Response:
        """Put a fault in force, after those added before it and ahead of any built-in ones."""
        found = read(await request.body())
        return found if isinstance(found, Response) else Json(described(faults.add(found)), status_code=201)

    @routes.delete("/faults", status_code=204)
    async def reset() -> Response:
        """Forget the faults that were added. Built-in ones, if there are any, are unused again."""
        faults.reset()
        return Response(status_code=204)

    return routes


class Reader(Generic[T]):
    """Reads bodies by a JSON Schema, which also words the mistakes. Compiles it once."""

    def __init__(self, kind: type[T], schema: Mapping[str, Any]) -> None:
        self._kind = kind
        self._schema = validation.Schema(schema)

    def read(self, raw: bytes) -> T | Response:
        """Return what a body describes, or the answer that says what is wrong with it."""
        unfit = "This is not a fault that can be put in force."
        try:
            document = msgspec.json.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(400, _NO_JSON, [validation.Fault(pointer="", detail=str(error))])
        if mistakes := self._schema.faults(document):
            return problem(422, unfit, mistakes)
        try:
            return msgspec.convert(document, self._kind)
        except msgspec.ValidationError as error:  # what only the parts together get wrong
            return problem(422, unfit, [_mistake(error)])


def decoded(raw: bytes, kind: type[T], *, unfit: str, no_json: str = _NO_JSON) -> T | Response:
    """Return a body as a struct, or the answer that says what is wrong with it, in these words."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        return problem(422, unfit, [_mistake(error)])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return problem(400, no_json, [validation.Fault(pointer="", detail=str(error))])


def body(schema: Mapping[str, Any], example: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a route that reads its own body adds to its OpenAPI."""
    content = {"schema": schema, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a struct."""
    _, found = msgspec.json.schema_components([kind])
    made: dict[str, Any] = found[kind.__name__]
    return made


def problem(status: int, detail: str, mistakes: Sequence[validation.Fault] | None = None) -> Response:
    """Return an error as RFC 9457 has it, with its mistakes where there can be any."""
    told = {} if mistakes is None else {"errors": mistakes}
    answer = {"type": "about:blank", "status": status, "detail": detail} | told
    return Json(answer, status_code=status, media_type="application/problem+json")


def _mistake(error: msgspec.ValidationError) -> validation.Fault:
    detail, _, path = str(error).partition(" - at `$")
    return validation.Fault(pointer=path.rstrip("`").replace(".", "/"), detail=detail)
