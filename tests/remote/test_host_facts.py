from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from otterflow.remote import host_facts
from otterflow.remote.host_facts import HostReport, host_facts_command, parse_host_facts

GIB = 2**30

# Captured on Debian 12 in a container under cgroup v1 with a virtio disk, and shortened.
CAPTURED = """
@@otterflow scope
server 812

@@otterflow kernel
Linux 6.1.0-28-amd64 x86_64

@@otterflow os
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
VERSION_ID="12"
ID=debian

@@otterflow cpu_model
model name	: AMD EPYC

@@otterflow cores
8

@@otterflow allowed
Cpus_allowed_list:	{allowed}

@@otterflow meminfo
MemTotal:       33554432 kB
SwapTotal:             0 kB
HugePages_Total:       0
Hugepagesize:       2048 kB

@@otterflow huge_pages
always [madvise] never

@@otterflow virtual
docker

@@otterflow cgroup
{cgroup}

@@otterflow disk
{disk}

@@otterflow filesystem
/var/lib/postgresql/15/my data
82103848960 270553174016 16337278 16777216 ext4
/

@@otterflow filesystem
/srv/snapshots
1000 2000 - - btrfs
/srv/my disk
"""


def report(cgroup: str = "", allowed: str = "0-7", disk: str = "sda 0") -> HostReport:
    return parse_host_facts(CAPTURED.format(cgroup=cgroup, allowed=allowed, disk=disk))


def test_without_limits_the_host_is_the_servers() -> None:
    found = report("memory.limit_in_bytes 9223372036854771712\nhierarchical_memory_limit 9223372036854771712\n"
                   "cpu.cfs -1 100000")  # fmt: skip
    assert (found.ram_bytes_effective, found.host_ram_bytes) == (32 * GIB, 32 * GIB)
    assert (found.cores_effective, found.host_cores, found.scope) == (8, 8, "server")


@pytest.mark.parametrize(
    "cgroup",
    [
        "memory.limit_in_bytes 4294967296\nhierarchical_memory_limit 4294967296",
        "memory.limit_in_bytes 9223372036854771712\nhierarchical_memory_limit 4294967296",
        "memory.max max\nmemory.high max\nmemory.max 4294967296\nmemory.max 8589934592",
        "memory.max 8589934592\nmemory.high 4294967296",
    ],
    ids=["v1", "v1 above what is mounted", "v2 nested", "v2 throttled"],
)
def test_the_smallest_memory_limit_counts(cgroup: str) -> None:
    assert report(cgroup).ram_bytes_effective == 4 * GIB


@pytest.mark.parametrize(
    ("cgroup", "allowed", "cores"),
    [
        ("cpu.cfs 250000 100000", "0-7", 2),
        ("cpu.max max 100000\ncpu.max 400000 100000", "0-7", 4),
        ("cpu.max 50000 100000", "0-7", 1),
        ("cpu.max max 100000", "0,2-3", 3),
        ("", "", 8),
    ],
)
def test_quota_and_cpuset(cgroup: str, allowed: str, cores: int) -> None:
    assert report(cgroup, allowed).cores_effective == cores


@pytest.mark.parametrize(
    ("disk", "kind", "known"),
    [("nvme0n1 0", "ssd", True), ("sda 1", "hdd", True), ("vda 1", "ssd", False), ("", "ssd", False)],
)
def test_disk_kind(disk: str, kind: str, known: bool) -> None:
    found = report(disk=disk)
    assert (found.disk, found.disk_is_known) == (kind, known)


def test_file_systems_and_hardware() -> None:
    found = report()
    assert found.free_bytes == {"/var/lib/postgresql/15/my data": 82103848960, "/srv/snapshots": 1000}
    assert found.filesystems["/srv/snapshots"].free_inodes is None
    assert found.filesystems["/srv/snapshots"].mount == "/srv/my disk"
    assert found.filesystems["/var/lib/postgresql/15/my data"].free_inodes == 16337278
    assert found.hardware == {
        "kernel": "Linux 6.1.0-28-amd64 x86_64",
        "os": "Debian GNU/Linux 12 (bookworm)",
        "cpu_model": "AMD EPYC",
        "virtualization": "docker",
        "transparent_hugepages": "madvise",
        "block_device": "sda",
        "swap_bytes": 0,
        "huge_pages_total": 0,
        "huge_page_bytes": 2 * 2**20,
    }


def test_an_answer_without_ram_is_an_error() -> None:
    with pytest.raises(ValueError, match="no RAM or no cores"):
        parse_host_facts("bash: error\n")


def test_this_machine_in_one_command(tmp_path: Path) -> None:
    absent = str(tmp_path / "it's; not yet" / "there")
    command = host_facts_command(str(tmp_path), [absent])
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = parse_host_facts(done.stdout)
    assert 0 < found.ram_bytes_effective <= found.host_ram_bytes
    assert 0 < found.cores_effective <= found.host_cores
    assert set(found.free_bytes) == {str(tmp_path), absent}
    assert found.scope == "session"


def print_cgroups(root: Path, mountinfo: str, cgroup: str, files: dict[str, str]) -> list[str]:
    """What the command prints for a made-up /proc/PID and cgroup file systems under `root`."""
    (root / "proc").mkdir()
    (root / "proc/mountinfo").write_text(mountinfo.format(root=root))
    (root / "proc/cgroup").write_text(cgroup)
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text + "\n")
    script = f"{host_facts._CGROUPS}\nprint_cgroups {root}/proc"
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()


def test_v2_is_read_up_to_the_root(tmp_path: Path) -> None:
    lines = print_cgroups(
        tmp_path,
        "24 1 0:22 / {root}/cg rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n25 1 0:3 / /proc rw - proc p rw\n",
        "0::/system.slice/postgresql@15-main.service\n",
        {
            "cg/system.slice/postgresql@15-main.service/memory.max": "max",
            "cg/system.slice/postgresql@15-main.service/cpu.max": "150000 100000",
            "cg/system.slice/memory.max": "4294967296",
            "cg/cgroup.controllers": "cpu memory",
        },
    )
    assert lines == ["memory.max max", "cpu.max 150000 100000", "memory.max 4294967296"]


def test_v1_controllers_have_trees_of_their_own(tmp_path: Path) -> None:
    lines = print_cgroups(
        tmp_path,
        "33 31 0:30 / {root}/cpu rw - cgroup cgroup rw,cpu,cpuacct\n35 31 0:32 / {root}/mem rw - cgroup c rw,memory\n",
        "4:memory:/a/b\n3:cpu,cpuacct:/c\n2:cpuset:/\n0::/\n",
        {
            "mem/a/b/memory.limit_in_bytes": "2147483648",
            "mem/a/b/memory.stat": "cache 1\nhierarchical_memory_limit 1073741824\nhierarchical_memsw_limit 5",
            "mem/memory.limit_in_bytes": "9223372036854771712",
            "cpu/c/cpu.cfs_quota_us": "200000",
            "cpu/c/cpu.cfs_period_us": "100000",
        },
    )
    assert lines == [
        "memory.limit_in_bytes 2147483648",
        "hierarchical_memory_limit 1073741824",
        "memory.limit_in_bytes 9223372036854771712",
        "cpu.cfs 200000 100000",
    ]


def test_in_a_container_the_mount_is_a_part_of_the_tree(tmp_path: Path) -> None:
    lines = print_cgroups(
        tmp_path,
        "35 31 0:32 /docker/abc {root}/mem ro - cgroup cgroup rw,memory\n",
        "4:memory:/docker/abc\n",
        {"mem/memory.limit_in_bytes": "536870912"},
    )
    assert lines == ["memory.limit_in_bytes 536870912"]
