"""A site as a customer of ours would have it: our page files, and a backend that has the API key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from tocsin.runtime import server

RECIPIENT = "cust-42"
PAGE = Path(str(resources.files("channels.browser"))) / "page"


def app(gateway: httpx.AsyncClient) -> FastAPI:
    """Return the site. Whoever visits it is signed in as the one customer."""
    site = FastAPI(openapi_url=None)

    async def passed_on(method: str, path: str, document: object = None) -> Response:
        answer = await gateway.request(method, path, json=document)
        return Response(answer.content, answer.status_code, media_type="application/json")

    async def ticket() -> Response:
        return await passed_on("POST", "/v1/inbox/tickets", {"recipient_id": RECIPIENT})

    async def key() -> Response:
        return await passed_on("GET", "/v1/browser/key")

    async def register(request: Request) -> Response:
        wanted = {**await request.json(), "recipient_id": RECIPIENT}
        return await passed_on("POST", "/v1/browser/subscriptions", wanted)

    async def home() -> HTMLResponse:
        told = f'<tocsin-inbox gateway="{str(gateway.base_url).rstrip("/")}">'
        return HTMLResponse((PAGE / "index.html").read_text().replace("<tocsin-inbox>", told))

    site.add_api_route("/push/inbox-ticket", ticket, methods=["POST"])
    site.add_api_route("/push/key", key, methods=["GET"])
    site.add_api_route("/push/subscriptions", register, methods=["POST"])
    site.add_api_route("/", home, methods=["GET"])
    site.mount("/", StaticFiles(directory=PAGE))
    return site


@asynccontextmanager
async def serving(gateway: httpx.AsyncClient, port: int = 0) -> AsyncIterator[str]:
    """Serve the site in front of a gateway; yields its URL."""
    async with server.serving(app(gateway), server.listen("127.0.0.1", port)) as url:
        yield url
