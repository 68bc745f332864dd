"""`/docs` without the outside world: the Swagger UI that `fastapi-offline` carries, served from here."""

from importlib import resources

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

PATH = "/docs"
_ASSETS = f"{PATH}/assets"


def add(app: FastAPI, *, openapi_url: str) -> None:
    """Add the page, and the files that it needs, to the application."""
    files = resources.files("fastapi_offline").joinpath("static")
    app.mount(_ASSETS, StaticFiles(directory=str(files)), name="docs_assets")
    routes = APIRouter(include_in_schema=False)

    async def page() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=openapi_url,
            title=f"{app.title} API",
            swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{_ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{_ASSETS}/favicon.png",
        )

    routes.add_api_route(PATH, page)
    app.include_router(routes)
