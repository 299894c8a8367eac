"""What the host did during a window: CPU, memory, disk and load from /proc, sampled before and after.

Linux only. CPU time comes in clock ticks of all cores together, so shares do not depend on the tick's length.
Sources: proc(5), kernel documentation admin-guide/iostats.rst and accounting/psi.rst.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from otterflow.remote.sections import SECTION, colon_fields, sections, texts_of

SECTOR_BYTES = 512
"""The unit of /proc/diskstats, whatever the device's own sector size."""

_CPU_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
_DISK_FIELDS = {
    "reads": 3,
    "sectors_read": 5,
    "read_ms": 6,
    "writes": 7,
    "sectors_written": 9,
    "write_ms": 10,
    "busy_ms": 12,
}
_VMSTAT = ("pgpgin", "pgpgout", "pswpin", "pswpout", "pgmajfault", "oom_kill")
_NOT_A_DISK = re.compile(r"loop|ram|zram|sr|fd|dm-|md")
"""Devices that are no disk, or that are made of others and would count twice."""


@dataclass(frozen=True)
class HostSample:
    """One look at /proc. Counters are since boot: `cpu_ticks`, `disks` (summed), `vmstat`, `pressure_us`."""

    uptime_s: float
    cores: int
    cpu_ticks: dict[str, int]
    context_switches: int
    load: dict[str, float]
    memory_bytes: dict[str, int]
    disks: dict[str, int]
    vmstat: dict[str, int]
    pressure_us: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """The sample as JSON takes it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> HostSample:
        """The sample back from `as_dict`."""
        return cls(**record)


def sample_command() -> str:
    """A bash command that prints the sample's sources; see `parse_sample`."""
    return f"""{SECTION}
section uptime; cat /proc/uptime
section stat; grep -E '^(cpu|ctxt)' /proc/stat
section loadavg; cat /proc/loadavg
section meminfo; grep -E '^(MemTotal|MemFree|MemAvailable|Buffers|Cached|Dirty|Writeback|SwapFree):' /proc/meminfo
section diskstats; cat /proc/diskstats
section partitions; for p in /sys/class/block/*/partition; do p=${{p%/partition}}; echo "${{p##*/}}"; done
section vmstat; grep -E '^({"|".join(_VMSTAT)}) ' /proc/vmstat
for kind in cpu memory io; do
  section "pressure_$kind"; cat "/proc/pressure/$kind" 2> /dev/null
done
exit 0
"""


def parse_sample(text: str) -> HostSample:
    """The sample from what `sample_command` printed. Raises ValueError when /proc/stat is not among it."""
    found = texts_of(sections(text))
    stat = [line.split() for line in found.get("stat", "").splitlines() if line]
    total = next((words[1:9] for words in stat if words[0] == "cpu"), None)
    if total is None or len(total) < len(_CPU_FIELDS):
        raise ValueError(f"the host printed no CPU times: {text[:300]!r}")
    return HostSample(
        uptime_s=float(found["uptime"].split()[0]),
        cores=sum(1 for words in stat if re.fullmatch(r"cpu\d+", words[0])),
        cpu_ticks=dict(zip(_CPU_FIELDS, map(int, total), strict=True)),
        context_switches=next((int(words[1]) for words in stat if words[0] == "ctxt"), 0),
        load=_load(found.get("loadavg", "")),
        memory_bytes={name: int(v.split()[0]) * 1024 for name, v in colon_fields(found.get("meminfo", "")).items()},
        disks=_disks(found.get("diskstats", ""), set(found.get("partitions", "").split())),
        vmstat={name: int(value) for name, value in map(str.split, found.get("vmstat", "").strip().splitlines())},
        pressure_us=_pressure(found),
    )


def host_rates(before: HostSample, after: HostSample) -> dict[str, float]:
    """Metrics of the window between two samples of one host, all named `host.…`.

    Shares are of all cores' time (0 to 1), rates per second, sizes in bytes; loads and memory are those of `after`.
    A counter that went backwards (the host was rebooted) is left out.
    """
    seconds = after.uptime_s - before.uptime_s
    metrics = {f"host.load_{name}": value for name, value in after.load.items()}
    metrics |= {f"host.mem_{_snake(name)}_bytes": float(value) for name, value in after.memory_bytes.items()}
    if seconds <= 0:
        return metrics
    metrics |= _cpu_shares(before.cpu_ticks, after.cpu_ticks)
    rates = {"context_switches": after.context_switches - before.context_switches}
    rates |= _disk_rates(_difference(before.disks, after.disks))
    rates |= _difference(before.vmstat, after.vmstat)
    metrics |= {f"host.{name}_per_s": change / seconds for name, change in rates.items() if change >= 0}
    stalled = _difference(before.pressure_us, after.pressure_us)
    metrics |= {
        f"host.pressure_{name}_share": change / 1e6 / seconds for name, change in stalled.items() if change >= 0
    }
    return metrics


def _load(text: str) -> dict[str, float]:
    words = text.split()
    return dict(zip(("1m", "5m", "15m"), map(float, words[:3]), strict=False))


def _disks(text: str, partitions: set[str]) -> dict[str, int]:
    """Counters of all whole disks, summed."""
    totals = dict.fromkeys(_DISK_FIELDS, 0)
    for words in map(str.split, text.splitlines()):
        if len(words) < 14 or words[2] in partitions or _NOT_A_DISK.match(words[2]):
            continue
        for name, index in _DISK_FIELDS.items():
            totals[name] += int(words[index])
    return totals


def _pressure(found: Mapping[str, str]) -> dict[str, int]:
    """Microseconds in which some (or all) tasks waited for a resource, by `cpu_some` and the like."""
    totals = {}
    for kind in ("cpu", "memory", "io"):
        for scope, total in re.findall(r"^(some|full) .*total=(\d+)", found.get(f"pressure_{kind}", ""), re.MULTILINE):
            totals[f"{kind}_{scope}"] = int(total)
    return totals


def _cpu_shares(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, float]:
    change = {name: max(0, value) for name, value in _difference(before, after).items()}
    total = sum(change.values())
    if not total:
        return {}
    groups = {
        "user": ("user", "nice"),
        "system": ("system", "irq", "softirq"),
        "iowait": ("iowait",),
        "steal": ("steal",),
        "idle": ("idle",),
    }
    return {f"host.cpu_{group}_share": sum(change[name] for name in names) / total for group, names in groups.items()}


def _disk_rates(change: Mapping[str, int]) -> dict[str, int]:
    return {
        "disk_read_bytes": change["sectors_read"] * SECTOR_BYTES,
        "disk_write_bytes": change["sectors_written"] * SECTOR_BYTES,
        "disk_read_ops": change["reads"],
        "disk_write_ops": change["writes"],
        "disk_read_ms": change["read_ms"],
        "disk_write_ms": change["write_ms"],
        "disk_busy_ms": change["busy_ms"],
    }


def _difference(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: value - before[name] for name, value in after.items() if name in before}


def _snake(name: str) -> str:
    """`MemAvailable` to `available`, `SwapFree` to `swap_free`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().removeprefix("mem_")
