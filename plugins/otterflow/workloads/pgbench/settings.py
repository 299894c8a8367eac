"""What a benchmark file says about pgbench."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ClientSettings(BaseModel):
    """How pgbench puts load on the server. Names follow pgbench's manual page."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str]] = frozenset({"postgresql"})

    scale: Annotated[int, Field(ge=1, le=100_000)]
    """The size of the data, in the benchmark's own unit."""
    clients: Annotated[int, Field(ge=1, le=10_000)] = 8
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """pgbench's `--jobs`: threads on the driver host that share the clients."""
    protocol: Literal["simple", "extended", "prepared"] = "simple"
    latency_sample: Annotated[float, Field(gt=0, le=1)] = 1.0
    """The share of transactions whose latency is logged. Below 1 for very short transactions, where writing a line
    for each would cost the driver host a part of what is measured."""

    @model_validator(mode="after")
    def _a_client_for_every_thread(self) -> Self:
        if self.threads > self.clients:
            raise ValueError(f"threads {self.threads} is above clients {self.clients}; lower threads or raise clients")
        return self

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()


class PgbenchSettings(ClientSettings):
    """One of pgbench's built-in scripts, its size and its load.

    `scale` is pgbench's scaling factor: 100,000 accounts, about 15 MB, each.
    """

    driver: Literal["pgbench"]
    script: Literal["tpcb-like", "simple-update", "select-only"]
