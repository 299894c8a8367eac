"""What a benchmark file says about sysbench."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from otterflow.workloads.sysbench.ways import WAYS


class SysbenchSettings(BaseModel):
    """One of sysbench's OLTP tests, its data and its load. Names follow sysbench's own options, but for `test`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str]] = frozenset(WAYS)

    driver: Literal["sysbench"]
    test: Literal["oltp_read_write", "oltp_read_only", "oltp_write_only", "oltp_point_select"]
    tables: Annotated[int, Field(ge=1, le=1000)] = 8
    table_size: Annotated[int, Field(ge=1, le=1_000_000_000)]
    """Rows in each table, about 255 bytes each on disk with its indexes."""
    threads: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Clients: each thread has a connection of its own."""
    load_threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Tables that are filled at the same time."""
    rand_type: Literal["uniform", "gaussian", "special", "pareto"] = "special"
    """How rows are chosen. `special`, sysbench's default, takes three of four from one row in a hundred."""
    prepared: bool = True
    """Whether statements are prepared once by each client and then executed (`--db-ps-mode`)."""

    @property
    def scale(self) -> int:
        """Rows of all tables."""
        return self.tables * self.table_size

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()
