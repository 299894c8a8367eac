from __future__ import annotations

import json
import subprocess

import pytest

from otterflow.remote.proc import HostSample, host_rates, parse_sample, sample_command

# Captured on Debian 12, and shortened.
CAPTURED = """
@@otterflow uptime
{uptime} 3000.0

@@otterflow stat
cpu  {user} 10 300 8000 40 1 2 5 0 0
cpu0 450 5 150 4000 20 1 1 2 0 0
cpu1 450 5 150 4000 20 0 1 3 0 0
ctxt {ctxt}

@@otterflow loadavg
2.04 1.95 1.00 3/345 16636

@@otterflow meminfo
MemTotal:       24684084 kB
MemAvailable:   23348676 kB
SwapFree:              0 kB
Dirty:              1696 kB

@@otterflow diskstats
   7       0 loop0 11 0 28 0 0 0 0 0 0 0 0 0 0 0 0 0 0
 254       0 vda {reads} 20 {sectors} 400 500 60 7000 800 0 {busy} 1200 0 0 0 0 0 0
 254       1 vda1 9999 20 9999 400 500 60 7000 800 0 900 1200 0 0 0 0 0 0

@@otterflow partitions
vda1

@@otterflow vmstat
pgpgin 1000
pgmajfault {faults}

@@otterflow pressure_cpu
some avg10=0.00 avg60=0.00 avg300=0.00 total={stalled}
full avg10=0.00 avg60=0.00 avg300=0.00 total=0

@@otterflow pressure_memory

@@otterflow pressure_io
"""

FIRST = {
    "uptime": 100.0,
    "user": 900,
    "ctxt": 5000,
    "reads": 100,
    "sectors": 2000,
    "busy": 900,
    "faults": 7,
    "stalled": 1,
}


def sample(**changes: float) -> HostSample:
    return parse_sample(CAPTURED.format(**FIRST | changes))


def test_rates_of_a_window() -> None:
    after = sample(uptime=110.0, user=1000, ctxt=5500, reads=150, sectors=4000, busy=1400, faults=7, stalled=5_000_001)
    rates = host_rates(sample(), after)
    assert rates["host.cpu_user_share"] == 1.0
    assert rates["host.cpu_idle_share"] == 0.0
    assert rates["host.context_switches_per_s"] == 50
    assert rates["host.disk_read_ops_per_s"] == 5
    assert rates["host.disk_read_bytes_per_s"] == 200 * 512
    assert rates["host.disk_busy_ms_per_s"] == 50
    assert rates["host.pgmajfault_per_s"] == 0
    assert rates["host.pressure_cpu_some_share"] == pytest.approx(0.5)
    assert rates["host.load_1m"] == 2.04
    assert rates["host.mem_available_bytes"] == 23348676 * 1024
    assert rates["host.mem_swap_free_bytes"] == 0
    assert all(name.startswith("host.") for name in rates)


def test_a_host_that_was_rebooted_gives_gauges_only() -> None:
    rates = host_rates(sample(), sample(uptime=5.0, user=10))
    assert "host.load_1m" in rates
    assert not [name for name in rates if name.endswith(("_per_s", "_share"))]


def test_a_counter_that_went_backwards_is_left_out() -> None:
    rates = host_rates(sample(), sample(uptime=110.0, user=1000, ctxt=1))
    assert "host.context_switches_per_s" not in rates
    assert "host.disk_read_ops_per_s" in rates


def test_partitions_and_loop_devices_are_not_counted_twice() -> None:
    assert sample().disks["reads"] == 100


def test_the_sample_survives_json() -> None:
    assert HostSample.from_dict(json.loads(json.dumps(sample().as_dict()))) == sample()


def test_an_answer_without_cpu_times_is_an_error() -> None:
    with pytest.raises(ValueError, match="no CPU times"):
        parse_sample("\n@@otterflow stat\n")


def test_this_machine() -> None:
    done = subprocess.run(["bash", "-c", sample_command()], capture_output=True, text=True, check=True)
    found = parse_sample(done.stdout)
    assert found.cores >= 1
    assert found.memory_bytes["MemTotal"] > 2**20
    assert done.stderr == ""
