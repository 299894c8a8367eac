"""What is known of the machine a server runs on, as far as knobs depend on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from otterflow.errors import InvalidInput, Problem

Disk = Literal["ssd", "hdd"]


@dataclass(frozen=True)
class HostFacts:
    """What the server may use of its host, after cgroup limits; sizes in bytes.

    `memory_share` is the part of `ram_bytes` that a configuration may plan to use; the rest is the operating system's,
    its page cache's and the processes' own. `host_ram_bytes` is the whole machine's RAM, `disk_free_bytes` what is free
    on the file system of the data directory; both are None where unknown. `sessions` is how many connections the load
    has at work at once, None where that is not known.
    """

    ram_bytes: int
    cores: int
    disk: Disk
    max_connections: int
    memory_share: float = 0.8
    host_ram_bytes: int | None = None
    disk_free_bytes: int | None = None
    sessions: int | None = None

    def __post_init__(self) -> None:
        """Raise InvalidInput that lists every impossible fact."""
        problems = [
            Problem(name, f"{getattr(self, name)!r} is not positive", f"give the server's {name}")
            for name in ("ram_bytes", "cores", "max_connections")
            if getattr(self, name) <= 0
        ]
        if self.sessions is not None and self.sessions <= 0:
            problems.append(Problem("sessions", f"{self.sessions!r} is not positive", "give the load's connections"))
        if not 0 < self.memory_share <= 1:
            problems.append(
                Problem("memory_share", f"{self.memory_share!r} is not a share", "use more than 0, at most 1")
            )
        if self.disk not in get_args(Disk):
            problems.append(Problem("disk", f"{self.disk!r} is not a kind of disk", "use ssd or hdd"))
        if problems:
            raise InvalidInput(problems)

    @property
    def memory_budget_bytes(self) -> int:
        """What a configuration may plan to use: `memory_share` of the RAM."""
        return int(self.ram_bytes * self.memory_share)

    @property
    def plausible_sessions(self) -> int:
        """How many sessions may be active at a busy moment of a load that is not known: 4 a core, 8 at least."""
        return min(self.max_connections, max(8, 4 * self.cores))

    @property
    def active_sessions(self) -> int:
        """How many sessions are active at once: the load's own number, else what is plausible."""
        return self.plausible_sessions if self.sessions is None else min(self.max_connections, self.sessions)

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON takes them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> HostFacts:
        """The facts back from `as_dict`. Raises InvalidInput for unknown, missing or impossible fields."""
        known = {field.name for field in fields(cls)}
        unknown, missing = set(record) - known, {"ram_bytes", "cores", "disk", "max_connections"} - set(record)
        problems = [Problem(n, "is not a fact", f"facts are {', '.join(sorted(known))}") for n in sorted(unknown)]
        problems += [Problem(n, "is missing", "give the fact") for n in sorted(missing)]
        if problems:
            raise InvalidInput(problems)
        return cls(**record)
