"""What a benchmark file says about observing a live server."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field


class LiveSettings(BaseModel):
    """Which transactions count, and how many make a measurement."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str] | None] = None

    driver: Literal["live"]
    scope: Literal["database", "server"] = "database"
    """The target's own database, or all databases of the server."""
    least_transactions: Annotated[int, Field(ge=1)] = 100
    """A window with fewer commits is no measurement: of an idle server, its own upkeep and monitoring are all there is
    to see, and with fewer than a hundred chance alone moves the number by a tenth."""

    @property
    def scale(self) -> int:
        """The data are what they are."""
        return 1

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()
