"""All pages together, with what each of them has in common: who is asked, what a browser may do, what an error says.

The application is read-only: it knows no method but GET. Whoever is not logged in is led to Airflow's own login.
"""

from __future__ import annotations

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import requires_authenticated
from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from otterflow.errors import RepositoryUnavailable
from otterflow.web import (
    compare,
    downloads,
    experiment,
    experiments,
    knobs,
    nights,
    promotion,
    replays,
    run,
    static_files,
    targets,
    trial,
)
from otterflow.web.headers import WithHeaders
from otterflow.web.rendering import error_page

_PAGES = (
    experiments, experiment, downloads, trial, knobs, targets, compare, nights, replays, promotion, run, static_files,
)  # fmt: skip
_NOT_FOUND = "There is no such page, or nothing that you may read."


def made() -> WithHeaders:
    """The application, for Airflow to mount."""
    return WithHeaders(pages())


def pages() -> FastAPI:
    """The routes and what answers errors, without the headers."""
    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, dependencies=[Depends(requires_authenticated())]
    )  # fmt: skip
    for page in _PAGES:
        app.include_router(page.router)
    app.add_api_route("/{path:path}", _nothing, methods=["GET"])
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(RepositoryUnavailable, _unavailable)
    return app


def _nothing(path: str) -> None:
    """The last route, so that an address of no page asks who it is as well."""
    raise HTTPException(404)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 the type that it is registered for
    if error.status_code == 401 and "text/html" in request.headers.get("accept", ""):
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(get_auth_manager().get_url_login(next_url=request.url.path + query), 303)
    said = _NOT_FOUND if error.status_code == 404 else str(error.detail)
    return error_page(request, error.status_code, said)


def _not_understood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 the type that it is registered for
    fields = ", ".join(str(item["loc"][-1]) for item in error.errors())
    return error_page(request, 422, f"The address has a value that is not right, in: {fields}.")


def _unavailable(request: Request, error: Exception) -> Response:
    return error_page(request, 503, str(error))
