"""What a benchmark file says about a recorded load, and about how it is replayed."""

from __future__ import annotations

import hashlib
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from otterflow.dbms.target import AbsolutePath
from otterflow.dbms.values import EXISTING
from otterflow.measures.objective import Objective
from otterflow.workloads.replay.replayer.settings import FAST
from otterflow.workloads.replay.ways import WAYS

Milliseconds = Annotated[int, Field(ge=1, le=3_600_000)]


class Dumped(BaseModel):
    """A dump of the source's database, which is restored in the place of a load."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dump: AbsolutePath
    """A file or a folder on the target, of a form that can be listed."""


class RecordedLoad(BaseModel):
    """Which recording, and what it runs on: a copy of the source's database."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    in_passes: ClassVar[bool] = False
    dbms: ClassVar[frozenset[str]] = frozenset(WAYS)

    recording: AbsolutePath | None = None
    """Its folder on the driver host; where none is given, the experiment's form gives it."""
    data: Literal["existing"] | Dumped = "existing"
    """`existing`: nothing is loaded, for the target's database is the user's own copy of the source's."""
    processes: Annotated[int, Field(ge=1, le=64)] | None = None
    """How many send the statements; as many as it takes where it is not given."""
    lock_timeout_ms: Milliseconds = 5_000
    statement_timeout_ms: Milliseconds = 60_000

    @property
    def data_fingerprint(self) -> str:
        """The user's data have one name; a dump goes by its path."""
        if not isinstance(self.data, Dumped):
            return EXISTING
        return f"dump-{hashlib.sha256(self.data.dump.encode()).hexdigest()[:16]}"

    @property
    def scale(self) -> int:
        """The data are what they are."""
        return 1

    @property
    def query_names(self) -> tuple[str, ...]:
        """No queries are timed one by one."""
        return ()


class ReplayDriverSettings(RecordedLoad):
    """How a recording is replayed: `think`, `clock` or `fast`, and for the first two how many times quicker."""

    driver: Literal["replay"]
    schedule: Literal["think", "clock", "fast"] = "think"
    factor: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] = 1.0
    connections: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """The most sessions that are open at once; as many as there were in the recording where it is not given."""

    @model_validator(mode="after")
    def _fields_agree(self) -> ReplayDriverSettings:
        if self.schedule == FAST and self.factor != 1:
            raise ValueError(f"factor {self.factor:g} means nothing with schedule fast, which does not wait at all")
        if self.connections is not None and self.processes is not None and self.connections < self.processes:
            raise ValueError(f"connections {self.connections} are too few for {self.processes} processes")
        return self

    @property
    def measures(self) -> tuple[Objective, ...]:
        """At a recorded pace the throughput is the recording's, whatever the server does."""
        latencies = tuple(objective for objective in Objective if objective.value.startswith("latency_"))
        at_any_pace = (Objective.total_time, Objective.server_time, *latencies)
        return (Objective.throughput, *at_any_pace) if self.schedule == FAST else at_any_pace


class MixDriverSettings(RecordedLoad):
    """How a recording's transactions are drawn: by so many clients, at once or at a rate, from a sample of them."""

    driver: Literal["mix"]
    clients: Annotated[int, Field(ge=1, le=10_000)] = 8
    rate: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)] | None = None
    """Transactions per second of all clients; each begins the next at once where it is not given."""
    sample: Annotated[int, Field(ge=100, le=10_000_000)] = 100_000
    """How many transactions are kept to draw from."""

    @model_validator(mode="after")
    def _a_client_for_every_process(self) -> MixDriverSettings:
        if self.processes is not None and self.clients < self.processes:
            raise ValueError(f"clients {self.clients} are too few for {self.processes} processes")
        return self

    @property
    def measures(self) -> tuple[Objective, ...]:
        """At a rate that is given the throughput is that rate."""
        latencies = tuple(objective for objective in Objective if objective.value.startswith("latency_"))
        return (Objective.throughput, *latencies) if self.rate is None else latencies
