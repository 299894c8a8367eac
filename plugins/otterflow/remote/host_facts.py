"""What a database server may use of its host: RAM and cores after cgroup limits (v1 and v2), disk kind, free space.

One command prints the facts as sections of raw text, read from /proc and /sys of the target; a pure parser reads them.
The limits are those of the server's own process where it is found, else of the SSH session.
Sources: kernel documentation, admin-guide/cgroup-v1/memory.rst, admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from otterflow.remote.sections import SECTION, Section, colon_fields, sections, texts_of
from otterflow.remote.shell import join, quote

NO_LIMIT = 2**62
"""cgroup v1 says "no limit" with the largest multiple of the page size below 2^63."""
_VIRTUAL_DISKS = ("vd", "xvd", "nbd")


@dataclass(frozen=True)
class Filesystem:
    """The file system that holds a path, or the nearest folder above it that exists; sizes in bytes.

    `free_bytes` is what an ordinary user may still write. `free_inodes` is None where the file system has no count.
    """

    path: str
    mount: str
    kind: str
    size_bytes: int
    free_bytes: int
    free_inodes: int | None


@dataclass(frozen=True)
class HostReport:
    """The host as the database server sees it; sizes in bytes.

    `ram_bytes_effective` and `cores_effective` respect every cgroup above `scope_pid`, CPU quotas and affinity.
    `disk` is the kind of the disk under the data directory. Where the kernel cannot tell (a virtio disk calls itself
    rotational whatever is behind it), `disk_is_known` is false and `disk` is "ssd"; the target's `disk` overrules.
    """

    ram_bytes_effective: int
    host_ram_bytes: int
    cores_effective: int
    host_cores: int
    disk: Literal["ssd", "hdd"]
    disk_is_known: bool
    filesystems: dict[str, Filesystem]
    scope: Literal["server", "session"]
    hardware: dict[str, Any] = field(default_factory=dict)

    @property
    def free_bytes(self) -> dict[str, int]:
        """Path to free bytes."""
        return {path: filesystem.free_bytes for path, filesystem in self.filesystems.items()}

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON takes it."""
        return asdict(self)


def host_facts_command(
    data_dir: str, paths: Sequence[str] = (), *, pid_file: str = "", programs: Sequence[str] = ()
) -> str:
    """A bash command that prints the facts; `paths` are those whose free space counts beside `data_dir`'s.

    The server's process is the one that `pid_file` in its data directory names, or one of these `programs` that works
    in that directory or was given it; its limits are what counts.
    """
    every = join(dict.fromkeys([data_dir, *paths]))
    return f"""data_dir={quote(data_dir.rstrip("/") or "/")}
{SECTION}
{_find_server(pid_file, programs)}
{_CGROUPS}
{_DISKS}
section scope; echo "$scope $pid"
section kernel; uname -srm
section os; grep -E '^(PRETTY_NAME|ID|VERSION_ID)=' /etc/os-release 2> /dev/null
section cpu_model; grep -m 1 -i 'model name' /proc/cpuinfo
section cores; getconf _NPROCESSORS_ONLN
section allowed; grep -m 1 Cpus_allowed_list "/proc/$pid/status"
section meminfo; grep -E '^(MemTotal|SwapTotal|HugePages_Total|Hugepagesize):' /proc/meminfo
section huge_pages; cat /sys/kernel/mm/transparent_hugepage/enabled 2> /dev/null
section virtual; systemd-detect-virt 2> /dev/null || true
section cgroup; print_cgroups "/proc/$pid"
section disk; print_disk "$data_dir"
for path in {every}; do
  section filesystem
  print_filesystem "$path"
done
exit 0
"""


def parse_host_facts(text: str) -> HostReport:
    """The report from what `host_facts_command` printed. Raises ValueError when RAM or cores are missing."""
    found = sections(text)
    by_name = texts_of(found)
    host_ram = _meminfo(by_name).get("MemTotal", 0)
    host_cores = int(by_name.get("cores", "0").strip() or 0)
    if not host_ram or not host_cores:
        raise ValueError(f"the host reported no RAM or no cores: {text[:300]!r}")
    limits = [line.split() for line in by_name.get("cgroup", "").splitlines()]
    device, rotational = ([*by_name.get("disk", "").split(), "", ""])[:2]
    disk_is_known = rotational == "0" or (rotational == "1" and not device.startswith(_VIRTUAL_DISKS))
    return HostReport(
        ram_bytes_effective=min([host_ram, *_memory_limits(limits)]),
        host_ram_bytes=host_ram,
        cores_effective=_cores(host_cores, by_name.get("allowed", ""), limits),
        host_cores=host_cores,
        disk="hdd" if disk_is_known and rotational == "1" else "ssd",
        disk_is_known=disk_is_known,
        filesystems=_filesystems(found),
        scope="server" if by_name.get("scope", "").startswith("server") else "session",
        hardware=_hardware(by_name, device),
    )


def _memory_limits(lines: Sequence[Sequence[str]]) -> list[int]:
    names = ("memory.limit_in_bytes", "hierarchical_memory_limit", "memory.max", "memory.high")
    values = [words[1] for words in lines if len(words) == 2 and words[0] in names]
    return [int(value) for value in values if value.isdigit() and 0 < int(value) < NO_LIMIT]


def _cores(host_cores: int, allowed: str, lines: Sequence[Sequence[str]]) -> int:
    """Whole cores, at least 1: online ones, those allowed by cpuset and affinity, and CPU quotas rounded down."""
    candidates = [host_cores]
    count = _count_of_list(allowed.partition(":")[2].strip())
    if count:
        candidates.append(count)
    for words in lines:
        if len(words) == 3 and words[0] in ("cpu.max", "cpu.cfs") and words[1].isdigit() and int(words[2]) > 0:
            candidates.append(max(1, math.floor(int(words[1]) / int(words[2]))))
    return min(candidates)


def _count_of_list(text: str) -> int:
    """How many CPUs a kernel list such as `0-3,8` names."""
    count = 0
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        count += int(last or first) - int(first) + 1
    return count


def _filesystems(found: Sequence[Section]) -> dict[str, Filesystem]:
    filesystems = {}
    for name, text in found:
        lines = text.split("\n")
        if name != "filesystem" or len(lines) < 3:
            continue
        words = lines[1].split()
        if len(words) != 5:
            continue
        free, size, free_inodes, inodes, kind = words
        counted = free_inodes.isdigit() and inodes.isdigit() and int(inodes) > 0
        path = lines[0]
        filesystems[path] = Filesystem(
            path=path,
            mount=lines[2],
            kind=kind,
            size_bytes=int(size),
            free_bytes=int(free),
            free_inodes=int(free_inodes) if counted else None,
        )
    return filesystems


def _meminfo(by_name: Mapping[str, str]) -> dict[str, int]:
    """Bytes by name; a line without `kB` is a count."""
    values = {}
    for name, rest in colon_fields(by_name.get("meminfo", "")).items():
        words = rest.split()
        values[name] = int(words[0]) * (1024 if words[1:] == ["kB"] else 1)
    return values


def _hardware(by_name: Mapping[str, str], device: str) -> dict[str, Any]:
    os_release = dict(line.split("=", 1) for line in by_name.get("os", "").splitlines() if "=" in line)
    memory = _meminfo(by_name)
    described = {
        "kernel": by_name.get("kernel", "").strip(),
        "os": os_release.get("PRETTY_NAME", "").strip('"'),
        "cpu_model": by_name.get("cpu_model", "").partition(":")[2].strip(),
        "virtualization": by_name.get("virtual", "").strip(),
        "transparent_hugepages": _chosen(by_name.get("huge_pages", "")),
        "block_device": device,
        "swap_bytes": memory.get("SwapTotal"),
        "huge_pages_total": memory.get("HugePages_Total"),
        "huge_page_bytes": memory.get("Hugepagesize"),
    }
    return {name: value for name, value in described.items() if value not in ("", None)}


def _chosen(text: str) -> str:
    """The choice in brackets: `always [madvise] never`."""
    return text.partition("[")[2].partition("]")[0]


def _find_server(pid_file: str, programs: Sequence[str]) -> str:
    # The pid file may be closed to the SSH user; the command line in /proc is open to all.
    names = " | ".join(f"*/{quote(name)} | {quote(name)}" for name in programs) or "''"
    return _FIND_SERVER.replace("PID_FILE", quote(pid_file)).replace("PROGRAMS", names)


_FIND_SERVER = """scope=session pid=$$
find_server() {
  local candidate word folder words
  if { read -r candidate < "$data_dir/"PID_FILE; } 2> /dev/null && [ -d "/proc/$candidate" ]; then
    scope=server pid=$candidate
    return
  fi
  for folder in /proc/[0-9]*; do
    words=()
    { mapfile -d '' -t words < "$folder/cmdline"; } 2> /dev/null
    case ${words[0]:-} in PROGRAMS) ;; *) continue ;; esac
    if [ "$folder/cwd" -ef "$data_dir" ]; then
      scope=server pid=${folder#/proc/}
      return
    fi
    for word in "${words[@]:1}"; do
      if [ "${word%/}" = "$data_dir" ] || [ "${word%/}" = "-D$data_dir" ]; then
        scope=server pid=${folder#/proc/}
        return
      fi
    done
  done
}
find_server"""

# mountinfo maps a cgroup to where its files are: what is mounted (`mounted`) may itself be a part of the hierarchy, as
# in a container, and then only the part below it is visible.
_CGROUPS = """climb() {
  local at=$1 below=$2 file value; shift 2
  while :; do
    for file in "$@"; do
      if { value=$(< "$at$below/$file"); } 2> /dev/null; then
        case $file in
          memory.stat) sed -n 's/^hierarchical_memory_limit/hierarchical_memory_limit/p' "$at$below/$file" ;;
          cpu.cfs_quota_us) echo "cpu.cfs $value $(cat "$at$below/cpu.cfs_period_us")" ;;
          *) echo "$file $value" ;;
        esac
      fi
    done
    if [ -z "$below" ] || [ "$below" = / ]; then break; fi
    below=${below%/*}
  done
}
print_cgroups() {
  local line number controllers path fields rest kind mounted at below
  while IFS=: read -r number controllers path; do
    while read -r line; do
      fields=(${line%% - *}) rest=${line##* - }
      kind=${rest%% *} mounted=${fields[3]} at=${fields[4]}
      case "$kind,$controllers," in
        cgroup2,,) ;;
        cgroup,*) case ",${rest##* }," in *",${controllers:-no controller},"*) ;; *) continue ;; esac ;;
        *) continue ;;
      esac
      below=${path%/}
      if [ "$mounted" != / ]; then
        case $below/ in "$mounted"/*) below=${below#"$mounted"} ;; *) below= ;; esac
      fi
      while [ -n "$below" ] && [ ! -d "$at$below" ]; do below=${below%/*}; done
      case ",$controllers," in
        ,,) climb "$at" "$below" memory.max memory.high cpu.max ;;
        *,memory,*) climb "$at" "$below" memory.limit_in_bytes memory.stat ;;
        *,cpu,*) climb "$at" "$below" cpu.cfs_quota_us ;;
      esac
    done < "$1/mountinfo"
  done < "$1/cgroup"
}"""

_DISKS = """existing() {
  local path=$1
  while [ ! -e "$path" ] && [ "$path" != / ] && [ -n "$path" ]; do path=$(dirname -- "$path"); done
  printf '%s' "${path:-/}"
}
print_disk() {
  local path device major minor source
  path=$(existing "$1")
  device=$(stat -L -c %D -- "$path") || return 0
  major=$(( (0x$device >> 8) & 0xfff )) minor=$(( (0x$device & 0xff) | ((0x$device >> 12) & 0xfff00) ))
  if [ "$major" = 0 ]; then
    source=$(df --output=source -- "$path" | tail -n 1)
    [ -b "$source" ] || return 0
    major=$(( 0x$(stat -L -c %t -- "$source") )) minor=$(( 0x$(stat -L -c %T -- "$source") ))
  fi
  path=$(readlink -f -- "/sys/dev/block/$major:$minor") || return 0
  [ -e "$path/partition" ] && path=$(dirname -- "$path")
  echo "${path##*/} $(cat "$path/queue/rotational" 2> /dev/null)"
}
print_filesystem() {
  local path
  path=$(existing "$1")
  printf '%s\\n' "$1"
  df -B1 --output=avail,size,iavail,itotal,fstype -- "$path" 2> /dev/null | tail -n 1
  df --output=target -- "$path" 2> /dev/null | tail -n 1
}"""
