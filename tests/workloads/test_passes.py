"""The loop that times passes, run by real bash on a host whose clock is set meanwhile."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from otterflow.workloads.passes import pass_loop

DATE = """#!/bin/bash
echo $(($(/bin/date +%s%N) + $(cat FOLDER/off_by_s) * 1000000000))
"""
"""Stands in the place of `date`: the host's clock, off by as many seconds as a file says."""


@pytest.mark.slow
@pytest.mark.parametrize("set_by_s", [0, 3600, -3600])
def test_a_host_whose_clock_is_set_in_a_pass_takes_no_hours_and_no_negative_time(tmp_path: Path, set_by_s: int) -> None:
    """A pass of a second was a result of an hour, or one that could not be read."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "date").write_text(DATE.replace("FOLDER", str(tmp_path)))
    (programs / "date").chmod(0o755)
    (tmp_path / "off_by_s").write_text("0")
    step = f"if ((done == 1)); then echo {set_by_s} > off_by_s; fi; sleep 0.3"
    script = f'set -euo pipefail\nPATH={programs}:"$PATH"\n' + pass_loop(step, "timings", passes=3, budget_s=0)
    subprocess.run(["bash", "-c", script], cwd=tmp_path, check=True, timeout=30, capture_output=True)
    text = (tmp_path / "timings").read_text()
    passes = [int(ms) for ms in re.findall(r"pass_ms (-?\d+)", text)]
    assert len(passes) == 3
    assert all(200 < ms < 5000 for ms in passes), text
    assert int(re.findall(r"measured_ms (\d+)", text)[0]) == sum(passes)
