"""The pages as an application that is made at its first request.

Every process of Airflow loads the plugin; FastAPI, the templates and what else a page needs are loaded by the API
server alone, and there only when somebody looks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class Pages:
    """An ASGI application."""

    def __init__(self) -> None:
        self._app: App | None = None

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Answer a request."""
        if self._app is None:
            from otterflow.web.app import made

            self._app = made()
        await self._app(scope, receive, send)
