"""What a benchmark file says about BenchBase."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from otterflow.dbms.target import AbsolutePath
from otterflow.workloads.benchbase.ways import WAYS

XmlName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]
WRITTEN_BY_OTTERFLOW = {
    *("type", "driver", "url", "username", "password", "isolation", "batchsize", "loaderthreads"),
    *("scalefactor", "terminals", "randomseed", "works", "transactiontypes"),
}


class BenchbaseSettings(BaseModel):
    """One of BenchBase's benchmarks, its size and its load. Names are those of its configuration file where it has one.

    `home` is the unpacked distribution for the DBMS on the driver host, `/opt/` and its name if it is not given.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str]] = frozenset(WAYS)

    driver: Literal["benchbase"]
    benchmark: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    """As `config/plugin.xml` calls it: tpcc, ycsb, twitter, ..."""
    transactions: Annotated[dict[XmlName, Annotated[float, Field(ge=0, le=100)]], Field(min_length=1)]
    """The transaction types, all of them and in BenchBase's order, each with its share of the load in per cent."""
    scale: Annotated[int, Field(ge=1, le=1_000_000)]
    """BenchBase's scale factor: warehouses, thousands of rows, ..."""
    bytes_per_scale: Annotated[int, Field(ge=1)]
    """What one unit of scale takes on disk, indexes included."""
    terminals: Annotated[int, Field(ge=1, le=10_000)] = 8
    """Clients: each terminal has a connection of its own."""
    load_threads: Annotated[int, Field(ge=1, le=256)] = 2
    isolation: Literal["read-committed", "repeatable-read", "serializable"] = "read-committed"
    rate: Annotated[int, Field(ge=1)] | None = None
    """Transactions per second that are asked for; None for as many as the server can do."""
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = 128
    """Rows that the load sends at once."""
    options: dict[XmlName, str] = {}
    """Further elements of the configuration file that only this benchmark knows (twitter's tracefile)."""
    home: AbsolutePath | None = None
    java: Annotated[str, Field(pattern=r"^[^\x00\n]+$")] = "java"

    @field_validator("transactions")
    @classmethod
    def _shares_make_a_hundred(cls, value: dict[str, float]) -> dict[str, float]:
        total = math.fsum(value.values())
        if abs(total - 100) > 0.01:
            raise ValueError(f"the shares of {', '.join(value)} make {total:g} per cent; they must make 100")
        return value

    @field_validator("options")
    @classmethod
    def _options_are_the_benchmarks_own(cls, value: dict[str, str]) -> dict[str, str]:
        taken = [name for name in value if name.lower() in WRITTEN_BY_OTTERFLOW]
        if taken:
            raise ValueError(f"{', '.join(taken)} is written by otterflow; use the field of the benchmark file for it")
        return value

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()
