"""What the host's processors did for others than the database server and its benchmark, from /proc. Linux only.

The server's time is that of its process and of all below it, those that have ended included: Linux adds a child's time
to that of the parent that waits for it (proc(5), `cutime`). The benchmark says its own time at its end (`times_after`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from otterflow.remote.script import JobScript
from otterflow.remote.sections import SECTION, sections, texts_of

TIMES_FILE = "otterflow-cpu-times"
_MEASURED = "otterflow-measured"
_IDLE = ("idle", "iowait", "steal")
_CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_SAME_START_S = 2.0
"""A server says that it started a moment after its process did; the clocks of /proc and of SQL are one to a second."""


@dataclass(frozen=True)
class WorkSample:
    """One look: seconds since boot, processor seconds of all cores since then, and the server's (None: not found)."""

    uptime_s: float
    busy_s: float
    steal_s: float
    total_s: float
    server_s: float | None

    def as_dict(self) -> dict[str, Any]:
        """The sample as JSON takes it."""
        return asdict(self)


@dataclass(frozen=True)
class OtherWork:
    """Between two looks: shares of all processors' time (0 to 1), and how long it was."""

    others_share: float
    steal_share: float
    seconds: float


def sample_command() -> str:
    """A bash command that prints what `parse_sample` reads."""
    return f"""{SECTION}
section ticks; getconf CLK_TCK
section uptime; cat /proc/uptime
section stat; grep -E '^(cpu |btime)' /proc/stat
section processes; cat /proc/[0-9]*/stat 2> /dev/null
exit 0
"""


def parse_sample(text: str, programs: Collection[str], started_s: float) -> WorkSample:
    """The sample, with the time of the server that is one of `programs` and says that it started at `started_s`.

    Raises ValueError when the processors' times are not among the text.
    """
    found = texts_of(sections(text))
    stat = {words[0]: words[1:] for line in found.get("stat", "").splitlines() if (words := line.split())}
    if len(stat.get("cpu", ())) < len(_CPU_FIELDS) or "btime" not in stat:
        raise ValueError(f"the host printed no CPU times: {text[:300]!r}")
    per_s = float(found["ticks"])
    cpu = dict(zip(_CPU_FIELDS, (float(value) / per_s for value in stat["cpu"]), strict=False))
    server = _server_ticks(found.get("processes", ""), programs, (started_s - float(stat["btime"][0])) * per_s, per_s)
    return WorkSample(
        uptime_s=float(found["uptime"].split()[0]),
        busy_s=sum(value for name, value in cpu.items() if name not in _IDLE),
        steal_s=cpu["steal"],
        total_s=sum(cpu.values()),
        server_s=None if server is None else server / per_s,
    )


def other_work(before: WorkSample, after: WorkSample, benchmark_s: float) -> OtherWork | None:
    """What was done for others between two looks; None where the server was not found, or the host was rebooted.

    No share is more than one, though Linux may take back a moment of what it has counted as waiting (proc(5), `iowait`)
    and there are more busy seconds then than seconds.
    """
    total = after.total_s - before.total_s
    if before.server_s is None or after.server_s is None or total <= 0 or after.uptime_s <= before.uptime_s:
        return None
    own = after.server_s - before.server_s + benchmark_s
    others = after.busy_s - before.busy_s - own
    steal = after.steal_s - before.steal_s
    return OtherWork(_share(others, total), _share(steal, total), after.uptime_s - before.uptime_s)


def _share(part: float, whole: float) -> float:
    return min(max(part / whole, 0.0), 1.0)


def times_after(job: JobScript, files: Mapping[str, str]) -> JobScript:
    """The job with `files` beside it, which says at its end how much processor time it took (`benchmark_seconds`)."""
    return JobScript(
        script=f'bash "$PWD/{_MEASURED}"\ncode=$?\ntimes > {TIMES_FILE}\nexit $code\n',
        files={**job.files, **files, _MEASURED: job.script},
        timeout_s=job.timeout_s,
        results=(*job.results, *files, TIMES_FILE),
    )


def benchmark_seconds(times: str) -> float:
    """Processor seconds from what bash's `times` printed: of the shell and its children, user and system."""
    return sum(60 * float(minutes) + float(seconds) for minutes, seconds in re.findall(r"(\d+)m([\d.]+)s", times))


def _server_ticks(stats: str, programs: Collection[str], started: float, per_s: float) -> float | None:
    """Ticks of the server's process and all below it; of several servers the one that started last before `started`."""
    processes = {}
    for line in stats.splitlines():
        head, _, rest = line.rpartition(")")
        words = rest.split()
        if len(words) >= 20:
            pid, _, name = head.partition(" (")
            ticks = sum(map(int, words[11:15]))
            processes[int(pid)] = (int(words[1]), name, ticks, float(words[19]))
    roots = [
        (begun, pid)
        for pid, (parent, name, _, begun) in processes.items()
        if name in programs
        and (parent not in processes or processes[parent][1] not in programs)
        and begun <= started + _SAME_START_S * per_s
    ]
    if not roots:
        return None
    own = {max(roots)[1]}
    below = {pid for pid, (parent, *_) in processes.items() if parent in own}
    while below - own:
        own |= below
        below = {pid for pid, (parent, *_) in processes.items() if parent in own}
    return float(sum(processes[pid][2] for pid in own))
